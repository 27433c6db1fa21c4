//! IDs of entries, which grow within a stream.

use std::fmt;
use std::str::FromStr;

use crate::pipe::batch::EventId;

/// The ID of an entry: two numbers. In a stream each ID is greater than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct EntryId {
    pub(super) first: u64,
    pub(super) second: u64,
}

impl EntryId {
    /// Returns the ID of a record in a stream of which no entry is later.
    ///
    /// `parts` is the largest number of records of an event.
    pub(super) fn of(id: EventId, part: u32, parts: u64) -> Self {
        let part = u64::from(part);
        match id {
            EventId::InTransaction(lsn, u64::MAX) => {
                Self { first: lsn.as_u64(), second: (u64::MAX - (parts - 1)).saturating_add(part) }
            }
            EventId::InTransaction(lsn, index) => {
                let second = index.saturating_mul(parts).saturating_add(part);
                Self { first: lsn.as_u64(), second }
            }
            // The next commit record may start at the end of the message.
            EventId::Message(lsn) => Self { first: lsn.as_u64().saturating_sub(1), second: part },
            // The first commit after the snapshot may start at its LSN.
            EventId::Copied(lsn) => Self { first: lsn.as_u64().saturating_sub(1), second: 0 },
        }
    }

    /// Returns this ID, or the one after `last` if that is not before it.
    ///
    /// The rows of a copy all have the same ID to begin with. And after a copy of added tables,
    /// changes of other tables are before the LSN of the snapshot.
    pub(super) fn after(self, last: Option<Self>) -> Self {
        let Some(last) = last.filter(|last| *last >= self) else { return self };
        match last.second.checked_add(1) {
            Some(second) => Self { second, ..last },
            None => Self { first: last.first.saturating_add(1), second: 0 },
        }
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.second)
    }
}

impl FromStr for EntryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, second) = text.split_once('-').ok_or(())?;
        let number = |text: &str| text.parse().map_err(|_| ());
        Ok(Self { first: number(first)?, second: number(second)? })
    }
}

/// The place of a change among all changes of the slot; `None` for a row of a copy.
pub(super) fn place(id: EventId) -> Option<EntryId> {
    match id {
        EventId::InTransaction(lsn, index) => Some(EntryId { first: lsn.as_u64(), second: index }),
        EventId::Message(lsn) => Some(EntryId { first: lsn.as_u64().saturating_sub(1), second: 0 }),
        EventId::Copied(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_reader::Lsn;
    use proptest::prelude::*;

    use super::EntryId;
    use crate::pipe::batch::EventId;

    fn id(first: u64, second: u64) -> EntryId {
        EntryId { first, second }
    }

    #[test]
    fn changes_have_the_commit_lsn_and_the_index() {
        let lsn = Lsn::new(100);
        assert_eq!(EntryId::of(EventId::InTransaction(lsn, 7), 0, 1), id(100, 7));
        assert_eq!(EntryId::of(EventId::InTransaction(lsn, 7), 2, 4), id(100, 30));
        assert_eq!(EntryId::of(EventId::InTransaction(lsn, u64::MAX), 0, 1), id(100, u64::MAX));
        assert_eq!(EntryId::of(EventId::InTransaction(lsn, u64::MAX), 0, 4), id(100, u64::MAX - 3));
        assert_eq!(EntryId::of(EventId::Message(lsn), 0, 4), id(99, 0));
    }

    #[test]
    fn rows_of_a_copy_continue_after_the_last_entry() {
        let row = EntryId::of(EventId::Copied(Lsn::new(100)), 0, 1);
        let first = row.after(Some(id(50, 9)));
        assert_eq!(first, id(99, 0));
        assert_eq!(row.after(Some(first)), id(99, 1));
        assert_eq!(row.after(Some(id(99, u64::MAX))), id(100, 0));
        assert_eq!(row.after(None), id(99, 0));
    }

    proptest! {
        #[test]
        fn ids_grow(
            last: (u64, u64), lsn: u64, index: u64, part in 0..4_u32, copied: bool,
        ) {
            let lsn = Lsn::new(lsn);
            let event =
                if copied { EventId::Copied(lsn) } else { EventId::InTransaction(lsn, index) };
            let last = id(last.0, last.1);
            prop_assume!(last.first < u64::MAX);
            prop_assert!(EntryId::of(event, part, 4).after(Some(last)) > last);
        }

        #[test]
        fn the_text_is_read(first: u64, second: u64) {
            prop_assert_eq!(id(first, second).to_string().parse(), Ok(id(first, second)));
        }
    }
}
