//! The place between two transactions, where a copy of tables can come.

use std::sync::Arc;

use pgoutput_decode::Lsn;

use super::Delivery;
use crate::event::{Copied, StreamIdentity};

/// The place between two transactions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    /// The LSN before which everything was delivered.
    pub(crate) lsn: Lsn,
    /// The commit LSN of the last transaction.
    pub(crate) commit_lsn: Lsn,
    /// The tables that earlier copies have finished.
    pub(crate) copied: Option<&'a Copied>,
}

impl Delivery {
    /// Returns the place, unless the rest of a transaction follows.
    pub(crate) fn between(&self) -> Option<Between<'_>> {
        let transactions = &self.transactions;
        if self.in_transaction() || transactions.is_interrupted() || self.is_unfinished() {
            return None;
        }
        let (lsn, commit_lsn) = (self.read, self.committed);
        Some(Between { lsn, commit_lsn, copied: transactions.copied() })
    }

    /// Replaces the identity of the positions that follow, whose known tables are others.
    pub(crate) fn set_identity(&mut self, identity: Arc<StreamIdentity>) {
        self.transactions.set_identity(identity);
    }

    /// Records that everything before this LSN was delivered.
    pub(crate) fn add_read(&mut self, lsn: Lsn) {
        self.read = self.read.max(lsn);
    }
}
