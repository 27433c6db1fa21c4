//! Whether a server is one that `target_session_attrs` asks for.

use crate::config::TargetSessionAttrs;

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerQuestion {
    IsStandby,
    IsReadOnly,
}

impl ServerQuestion {
    /// The question in SQL.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::IsStandby => "SELECT pg_catalog.pg_is_in_recovery()::pg_catalog.text",
            Self::IsReadOnly => {
                "SELECT pg_catalog.current_setting('transaction_read_only'::pg_catalog.text)"
            }
        }
    }

    /// Whether this answer to the [SQL](Self::sql) is yes.
    pub(super) fn is_yes(self, answer: &str) -> bool {
        answer == if self == Self::IsStandby { "true" } else { "on" }
    }
}

/// Whether a server is the one that is `wanted`.
///
/// # Errors
/// Those of `ask`.
pub(super) fn fits<E>(
    wanted: TargetSessionAttrs,
    mut ask: impl FnMut(ServerQuestion) -> Result<bool, E>,
) -> Result<bool, E> {
    use ServerQuestion::{IsReadOnly, IsStandby};
    Ok(match wanted {
        TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => true,
        TargetSessionAttrs::Primary => !ask(IsStandby)?,
        TargetSessionAttrs::Standby => ask(IsStandby)?,
        TargetSessionAttrs::ReadWrite => !ask(IsReadOnly)?,
        TargetSessionAttrs::ReadOnly => ask(IsReadOnly)?,
    })
}
