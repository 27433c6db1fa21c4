//! The sessions and transactions that the creation of a slot waits for.

use std::fmt;

use pgoutput_decode::Printable;

/// A session or prepared transaction that a slot's creation waits for. Bytes of names that are not
/// UTF-8 are escaped, as in `caf\xe9`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingSession {
    /// Its process; `None` for a prepared transaction.
    pub pid: Option<i32>,
    /// The identifier of a prepared transaction.
    pub gid: Option<String>,
    /// Its database.
    pub database: Option<String>,
    /// Its role.
    pub user: Option<String>,
    /// Its `application_name`.
    pub application_name: Option<String>,
    /// Its state, such as `idle in transaction`; `None` if this role may not see it.
    pub state: Option<String>,
    /// The start of its transaction, or the time when it was prepared, in the server's text.
    pub since: Option<String>,
}

impl fmt::Display for BlockingSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.gid, self.pid) {
            (Some(gid), _) => write!(f, "prepared transaction '{}'", Printable(gid))?,
            (None, Some(pid)) => write!(f, "pid {pid}")?,
            (None, None) => f.write_str("a prepared transaction")?,
        }
        let mut separator = " (";
        for (name, value) in [
            ("", &self.state),
            ("since ", &self.since),
            ("user ", &self.user),
            ("database ", &self.database),
            ("application ", &self.application_name),
        ] {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                write!(f, "{separator}{name}{}", Printable(value))?;
                separator = ", ";
            }
        }
        if separator == ", " { f.write_str(")") } else { Ok(()) }
    }
}

/// The sessions in one line.
pub(crate) fn listed(sessions: &[BlockingSession]) -> String {
    sessions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
