//! Where an event stands in the order of delivery.

use pgoutput_decode::Lsn;

/// Where an event stands: its transaction's commit and its number in it.
///
/// Handed to [`Acknowledger::acknowledge`](crate::Acknowledger::acknowledge). Dropping it does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// The event's number on this reader, from 1, without gaps.
    pub(crate) delivery: u64,
    pub(crate) commit_lsn: Lsn,
    pub(crate) index: u64,
}

impl Position {
    /// Where the transaction's commit record starts; for a message outside a transaction, where that stands.
    pub fn commit_lsn(&self) -> Lsn {
        self.commit_lsn
    }

    /// The event's number in its transaction, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }
}
