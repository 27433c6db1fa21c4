//! All missing prerequisites in one error, so that one run finds all of them.

use super::rows_of_one;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, SetupError};

/// The limit on slots, if no slot is free. Slots of every database and kind count.
const SLOT_LIMIT: &str = "\
SELECT slots.most
FROM (SELECT pg_catalog.current_setting('max_replication_slots'::pg_catalog.text)::pg_catalog.int8
             AS most,
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots) AS used) AS slots
WHERE slots.used OPERATOR(pg_catalog.>=) slots.most";

/// The prerequisites of reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs<'a> {
    pub(crate) slot: &'a str,
    pub(crate) publications: &'a [String],
    /// Whether a slot that does not exist is created, which needs a free one.
    pub(crate) creates: bool,
}

/// The prerequisite that is missing by the error of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Slot,
    Publications,
    /// The server reports a `wal_level` that is too low, or a limit on slots of zero.
    Unfit,
    /// The server reports that the limit on slots is reached.
    Full,
}

impl Connection {
    /// Returns this error, together with all other missing prerequisites.
    ///
    /// Prerequisites that cannot be queried are left out. The error is unchanged if no other
    /// prerequisite is missing, or if it has another cause.
    pub(crate) fn with_all_missing(&mut self, error: Error, needs: &Needs<'_>) -> Error {
        let Some(subject) = subject(&error) else { return error };
        let level = self.low_wal_level();
        let slot = match subject {
            Subject::Slot => None,
            _ => self.slot_problem(needs),
        };
        let publications = match subject {
            Subject::Publications => None,
            _ => self.publications_missing(needs),
        };
        let full = matches!(slot, Some(SetupError::SlotsInUse { .. }));
        // The server's message is replaced only if the problem that it names was found.
        let first = match (subject, error.kind()) {
            (Subject::Full, _) if full => None,
            (Subject::Unfit, _) if full || level.is_some() => None,
            (Subject::Slot | Subject::Publications, ErrorKind::Setup(first)) => Some(first.clone()),
            _ => return error,
        };
        let (slot, publications) = match subject {
            Subject::Slot => (first, publications),
            Subject::Publications => (slot, first),
            Subject::Unfit | Subject::Full => (slot, publications),
        };
        let problems: Vec<_> = [level, slot, publications].into_iter().flatten().collect();
        match problems.len() {
            0 | 1 => error,
            _ => SetupError::Several(problems).into(),
        }
    }

    /// Returns the server's `wal_level`, if it is too low. From 19 on the server raises it by
    /// itself.
    fn low_wal_level(&mut self) -> Option<SetupError> {
        if self.server_version().major() >= 19 {
            return None;
        }
        let level = rows_of_one(self.rows("SHOW wal_level").ok()?)?;
        (level != "logical").then_some(SetupError::WalLevel { level })
    }

    /// Returns the reason why the slot cannot be read or created.
    fn slot_problem(&mut self, needs: &Needs<'_>) -> Option<SetupError> {
        match self.check_slot(needs.slot).map_err(Error::into_kind) {
            Err(ErrorKind::Setup(SetupError::SlotMissing { .. })) if needs.creates => {
                let limit = rows_of_one(self.rows(SLOT_LIMIT).ok()?)?.parse().ok()?;
                Some(SetupError::SlotsInUse { limit })
            }
            // The reader can wait for it.
            Err(ErrorKind::Setup(SetupError::SlotBeingCreated { .. })) => None,
            Err(ErrorKind::Setup(problem)) => Some(problem),
            _ => None,
        }
    }

    fn publications_missing(&mut self, needs: &Needs<'_>) -> Option<SetupError> {
        match self.check_publications(needs.publications).map_err(Error::into_kind) {
            Err(ErrorKind::Setup(problem)) => Some(problem),
            _ => None,
        }
    }
}

/// Returns the subject of an error; `None` if checking the other prerequisites would not help.
fn subject(error: &Error) -> Option<Subject> {
    match error.kind() {
        ErrorKind::Setup(SetupError::PublicationMissing { .. }) => Some(Subject::Publications),
        ErrorKind::Setup(
            SetupError::SlotMissing { .. }
            | SetupError::SlotBeingCreated { .. }
            | SetupError::SlotPhysical { .. }
            | SetupError::SlotPlugin { .. }
            | SetupError::SlotDatabase { .. }
            | SetupError::SlotLost { .. },
        ) => Some(Subject::Slot),
        ErrorKind::Server(message) => match message.sqlstate() {
            Some("53400") => Some(Subject::Full),
            Some("55000") => Some(Subject::Unfit),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerMessage;

    #[test]
    fn only_a_missing_prerequisite_causes_a_check_of_the_others() {
        let server = |code: &str| {
            Error::from(ServerMessage::new([(b'C', code.as_bytes())].into_iter(), true))
        };
        let missing = SetupError::PublicationMissing {
            missing: vec!["p".into()],
            existing: vec![],
            database: "d".into(),
        };
        for (error, expected) in [
            (server("53400"), Some(Subject::Full)),
            (server("55000"), Some(Subject::Unfit)),
            (server("57P01"), None),
            (missing.into(), Some(Subject::Publications)),
            (SetupError::SlotMissing { slot: "s".into() }.into(), Some(Subject::Slot)),
            (SetupError::Several(vec![]).into(), None),
            (Error::usage("no"), None),
        ] {
            assert_eq!(subject(&error), expected, "{error}");
        }
    }
}
