//! What is confirmed to the server, and when it may be.

use pgoutput_decode::Lsn;

use super::Reader;
use super::changes::TransactionProgress;
use crate::ack::Acknowledge;

impl Reader {
    /// Once all events so far are taken, what a message has completed may be confirmed.
    pub(super) fn mark_progress(&self, progress: TransactionProgress) {
        match progress {
            TransactionProgress::Inside => {}
            // An idle moment like others: servers before PostgreSQL 15 send transactions without an event.
            TransactionProgress::Committed { end_lsn, empty: true, .. } => {
                if !self.idle.is_never() {
                    self.mark_idle(end_lsn);
                }
            }
            TransactionProgress::Committed { commit_lsn, end_lsn, empty: false } => {
                let signature = self.changes.signature().filter(|_| !self.is_waited_for());
                let signed = signature.map(|signature| signature.after_commit(commit_lsn));
                self.mark(signed.unwrap_or(end_lsn));
            }
            // Inside of its record, like the commit's: it does not come again.
            TransactionProgress::Alone(end) => self.mark(Lsn::new(end.as_u64().saturating_sub(1))),
        }
    }

    /// Once all events so far are taken, nothing more is missing up to `wal_end`.
    pub(super) fn mark_idle(&self, wal_end: Lsn) {
        if self.is_waited_for() {
            return self.mark(wal_end);
        }
        if self.mode != Acknowledge::Never {
            let signature = self.changes.signature();
            self.acknowledger.mark_idle(self.changes.delivered(), wal_end, signature);
        }
    }

    /// Once all events so far are taken, everything before `lsn` may be forgotten.
    fn mark(&self, lsn: Lsn) {
        if self.mode != Acknowledge::Never {
            self.acknowledger.mark(self.changes.delivered(), lsn);
        }
    }

    /// Whether commits wait until the server was told of their last byte: then no confirmed LSN is signed.
    fn is_waited_for(&self) -> bool {
        self.mode == Acknowledge::Stages || self.link.is_waited_for()
    }

    /// Whether what is confirmed stays behind the log while nothing comes, which a server that shuts down must not wait for.
    pub(super) fn set_lags(&self) {
        self.acknowledger.told().set_lags(self.idle.is_never() || !self.is_waited_for());
    }
}
