//! The check of a server against `target_session_attrs`.

use crate::config::TargetSessionAttrs;

/// A question about the state of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerQuestion {
    IsStandby,
    IsReadOnly,
}

impl ServerQuestion {
    /// Returns the question in SQL.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::IsStandby => "SELECT pg_catalog.pg_is_in_recovery()::pg_catalog.text",
            Self::IsReadOnly => {
                "SELECT pg_catalog.current_setting('transaction_read_only'::pg_catalog.text)"
            }
        }
    }

    /// Returns whether this answer to the [SQL](Self::sql) is yes.
    pub(super) fn is_yes(self, answer: &str) -> bool {
        answer == if self == Self::IsStandby { "true" } else { "on" }
    }
}

/// Returns whether a server has the `wanted` state.
///
/// # Errors
/// Those of `answer`.
pub(super) fn fits<E>(
    wanted: TargetSessionAttrs,
    mut answer: impl FnMut(ServerQuestion) -> Result<bool, E>,
) -> Result<bool, E> {
    use ServerQuestion::{IsReadOnly, IsStandby};
    Ok(match wanted {
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => true,
        TargetSessionAttrs::Primary => !answer(IsStandby)?,
        TargetSessionAttrs::Standby => answer(IsStandby)?,
        TargetSessionAttrs::ReadWrite => !answer(IsReadOnly)?,
        TargetSessionAttrs::ReadOnly => answer(IsReadOnly)?,
    })
}
