//! The creation of a slot by a reader.

use crate::proto::CreateSlot;

/// The creation of the slot by [`ReaderBuilder::connect`](crate::ReaderBuilder::connect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SlotCreation {
    /// The reader creates no slot, and a missing one is an error. A new slot would start at the
    /// current WAL position, and the changes that the old one retained would be lost silently.
    #[default]
    Never,
    /// The reader creates the slot if it does not exist.
    IfMissing,
    /// The reader creates the slot for its connection only, and the server drops it when the
    /// connection ends. An existing slot of the same name is an error.
    Temporary,
    /// The reader creates the slot if it does not exist. The slot is synchronized to standbys, so
    /// that reading can continue after a failover (PostgreSQL 17 and later; manual, section
    /// "Logical Replication Failover"). An existing slot stays as it is.
    Failover,
}

impl SlotCreation {
    /// The slot to create, if any.
    pub(super) fn command(self, slot: &str) -> Option<CreateSlot> {
        let create = CreateSlot::new(slot);
        match self {
            Self::Never => None,
            Self::IfMissing => Some(create),
            Self::Temporary => Some(create.temporary(true)),
            Self::Failover => Some(create.failover(true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_creates_its_slot() {
        let create = CreateSlot::new("s");
        assert_eq!(SlotCreation::default().command("s"), None);
        assert_eq!(SlotCreation::IfMissing.command("s"), Some(create.clone()));
        assert_eq!(SlotCreation::Temporary.command("s"), Some(create.clone().temporary(true)));
        assert_eq!(SlotCreation::Failover.command("s"), Some(create.failover(true)));
    }
}
