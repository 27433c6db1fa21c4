//! The LSNs up to which the server may discard WAL once events are acknowledged.

use pgoutput_decode::Lsn;

use super::{Acknowledge, Delivery};

impl Delivery {
    /// Sets whether commits on the server wait for this reader (`synchronous_standby_names`).
    pub(crate) fn set_commits_wait(&mut self, commits_wait: bool) {
        self.commits_wait = commits_wait || self.mode == Acknowledge::Stages;
        let lags = self.idle.is_never() || !self.commits_wait;
        self.acknowledger.lsns().set_lags(lags);
    }

    /// Records that the transaction may be discarded once everything delivered so far is
    /// acknowledged.
    pub(super) fn add_commit_boundary(&self, commit_lsn: Lsn, end_lsn: Lsn, is_empty: bool) {
        if is_empty {
            // Servers before PostgreSQL 15 send transactions without events while idle.
            if !self.idle.is_never() {
                self.add_idle_boundary(end_lsn);
            }
            return;
        }
        let signature = self.transactions.signature().filter(|_| !self.commits_wait);
        let lsn = signature.map_or(end_lsn, |signature| signature.after_commit(commit_lsn));
        self.add_boundary(lsn);
    }

    /// Records that nothing before `wal_end` is needed once everything delivered so far is
    /// acknowledged.
    pub(super) fn add_idle_boundary(&self, wal_end: Lsn) {
        if self.commits_wait {
            return self.add_boundary(wal_end);
        }
        let (delivered, signature) = (self.transactions.delivered(), self.transactions.signature());
        let lsn = signature.map_or(wal_end, |signature| signature.before(wal_end));
        // A new stream starts with LSNs from before what was delivered, or resumed after. To
        // confirm these is useless, and a copy that the slot does not show may contain changes
        // after them.
        let is_new = self.transactions.is_delivered_at(lsn) && !self.transactions.is_in_copy(lsn);
        if self.mode != Acknowledge::Never && is_new {
            self.acknowledger.add_idle_boundary(delivered, wal_end, signature);
        }
    }

    /// Records that nothing before `lsn` is needed once everything delivered so far is
    /// acknowledged.
    ///
    /// Before the end of what an initial copy contains, nothing is confirmed: only a stored
    /// position says which changes the copy contains, and a reader without one must copy again.
    pub(super) fn add_boundary(&self, lsn: Lsn) {
        if self.mode != Acknowledge::Never && !self.transactions.is_in_copy(lsn) {
            self.acknowledger.add_boundary(self.transactions.delivered(), lsn);
        }
    }
}
