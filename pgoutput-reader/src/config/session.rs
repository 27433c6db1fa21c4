//! The choice among several servers, and the order in which they are tried.

use std::fmt;

use super::Config;

/// The state that a server must have: the values of `target_session_attrs` ([PostgreSQL manual,
/// 34.1.2](https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetSessionAttrs {
    /// Any server.
    #[default]
    Any,
    /// A server that is not a standby and whose sessions can write by default.
    ReadWrite,
    /// A standby, or a server whose sessions are read-only by default.
    ReadOnly,
    /// A server that is not a standby.
    Primary,
    /// A standby.
    Standby,
    /// A standby if one of the hosts is a reachable standby, otherwise any server.
    PreferStandby,
}

impl TargetSessionAttrs {
    const ALL: [Self; 6] = [
        Self::Any,
        Self::ReadWrite,
        Self::ReadOnly,
        Self::Primary,
        Self::Standby,
        Self::PreferStandby,
    ];

    /// The value in a connection string, such as `read-write`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::ReadWrite => "read-write",
            Self::ReadOnly => "read-only",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::PreferStandby => "prefer-standby",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == word)
    }
}

impl fmt::Display for TargetSessionAttrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// # Choice of the server
impl Config {
    /// Sets the state that a server must have. Other hosts are skipped.
    #[must_use]
    pub fn target_session_attrs(mut self, wanted: TargetSessionAttrs) -> Self {
        self.target_session_attrs = wanted;
        self
    }

    /// Sets whether hosts, and the addresses of each, are tried in random order:
    /// `load_balance_hosts=random`. The default is the order given.
    #[must_use]
    pub fn load_balance_hosts(mut self, random: bool) -> Self {
        self.load_balance_hosts = random;
        self
    }

    /// The state that a server must have.
    pub fn get_target_session_attrs(&self) -> TargetSessionAttrs {
        self.target_session_attrs
    }

    /// Returns whether hosts are tried in random order.
    pub fn get_load_balance_hosts(&self) -> bool {
        self.load_balance_hosts
    }
}
