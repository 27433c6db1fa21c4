//! Everything that is missing, in one error: nobody wants to be told one thing a run.

use crate::connection::Connection;
use crate::error::SetupError;
use crate::{Error, ErrorKind};

impl Connection {
    /// This error, with whatever else is missing; the publications are looked for unless that is what it is about.
    pub(crate) fn with_all_missing(&mut self, error: Error, publications: &[String]) -> Error {
        let first = match error.into_kind() {
            ErrorKind::Setup(first) => first,
            other => return other.into(),
        };
        let mut problems = Vec::new();
        // From 19 on the server raises the level itself. What cannot be asked now is found when it is needed.
        let is_about_start =
            matches!(first, SetupError::SlotMissing { .. } | SetupError::PublicationMissing { .. });
        if is_about_start
            && self.server_version().major() < 19
            && let Ok(rows) = self.rows("SHOW wal_level")
            && let Some(level) = rows.first().and_then(|row| row.first())
            && level != "logical"
        {
            problems.push(SetupError::WalLevel { level: level.clone() });
        }
        let other = match first {
            SetupError::PublicationMissing { .. } => None,
            _ => self.check_publications(publications).err().map(Error::into_kind),
        };
        problems.push(first);
        if let Some(ErrorKind::Setup(other)) = other {
            problems.push(other);
        }
        match problems.len() {
            1 => problems.remove(0).into(),
            _ => SetupError::Several(problems).into(),
        }
    }
}
