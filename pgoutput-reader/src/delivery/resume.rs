//! Where the delivery stands, and what of a stream that was started again was delivered before.
//!
//! A server sends in one order: each transaction at its commit record, each message outside of transactions at its own record. Started
//! again it repeats this order from the position that was confirmed, or from an earlier one. So what was delivered is a beginning of
//! what comes: whole transactions and messages, and as many events of the newest transaction as were made of it.

use pgoutput_decode::Lsn;

use crate::error::StreamError;
use crate::event::Position;

/// Tells what is new from what was delivered before the connection was lost.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    newest: Newest,
    /// The newest message outside of transactions; `0/0` before the first.
    message_lsn: Lsn,
    /// The transaction that is coming in on this connection.
    open: Redelivery,
}

/// The newest transaction that was begun on any connection.
#[derive(Debug, Default, Clone, Copy)]
struct Newest {
    /// Where its commit record starts; `0/0` before the first.
    commit_lsn: Lsn,
    /// How many events were made of it, and where the last of them stands.
    made: u64,
    /// `None` where that is not known.
    last_lsn: Option<Lsn>,
    /// Its Commit has come.
    whole: bool,
}

/// What the transaction on the wire is.
#[derive(Debug, Default, Clone, Copy)]
enum Redelivery {
    /// There is none, or its events are new.
    #[default]
    New,
    /// It was delivered whole.
    Old,
    /// It was cut; so many of its events have come again.
    Again(u64),
}

impl Resume {
    /// Everything through a stored position was dealt with. What the slot was confirmed beyond, it does not send again.
    pub(crate) fn after(position: &Position, confirmed: Lsn) -> Self {
        let commit_lsn = position.commit_lsn();
        let newest = match position.index() {
            Some(index) => Newest {
                commit_lsn,
                made: index.saturating_add(1),
                last_lsn: None,
                whole: confirmed > commit_lsn,
            },
            None => Newest::default(),
        };
        Self { newest, message_lsn: commit_lsn, open: Redelivery::New }
    }

    /// The connection was lost: what comes next may have come before.
    pub(super) fn cut(&mut self) {
        self.open = Redelivery::New;
    }

    /// A transaction begins.
    pub(super) fn begin(&mut self, commit_lsn: Lsn) -> Result<(), StreamError> {
        self.reached(commit_lsn)?;
        let newest = &self.newest;
        self.open = if commit_lsn > newest.commit_lsn {
            self.newest = Newest { commit_lsn, ..Newest::default() };
            Redelivery::New
        } else if commit_lsn < newest.commit_lsn || newest.whole {
            Redelivery::Old
        } else {
            Redelivery::Again(0)
        };
        Ok(())
    }

    /// Whether the next event of the open transaction was delivered before; then it is counted here.
    pub(super) fn skip(&mut self, lsn: Lsn) -> Result<bool, StreamError> {
        match self.open {
            Redelivery::Old => Ok(true),
            Redelivery::Again(seen) if seen < self.newest.made => {
                // A sample that costs nothing: an event stands where it stood, or the transaction is not what it was.
                if seen + 1 == self.newest.made
                    && self.newest.last_lsn.is_some_and(|last| last != lsn)
                {
                    return Err(self.changed(seen));
                }
                self.open = Redelivery::Again(seen + 1);
                Ok(true)
            }
            Redelivery::New | Redelivery::Again(_) => Ok(false),
        }
    }

    /// An event of the open transaction was made.
    pub(super) fn made(&mut self, lsn: Lsn) {
        self.newest.made += 1;
        self.newest.last_lsn = Some(lsn);
        self.open = Redelivery::New;
    }

    /// The open transaction is whole. False when it was so before.
    pub(super) fn commit(&mut self) -> Result<bool, StreamError> {
        match std::mem::take(&mut self.open) {
            Redelivery::Old => return Ok(false),
            Redelivery::Again(seen) if seen < self.newest.made => return Err(self.changed(seen)),
            Redelivery::New | Redelivery::Again(_) => {}
        }
        self.newest.whole = true;
        Ok(true)
    }

    /// A message outside of transactions; whether it was delivered before.
    pub(super) fn skip_message(&mut self, lsn: Lsn) -> Result<bool, StreamError> {
        if lsn <= self.message_lsn {
            return Ok(true);
        }
        self.reached(lsn)?;
        self.message_lsn = lsn;
        Ok(false)
    }

    /// Outside of transactions, the server has come to `lsn`: a transaction that was cut must not have been passed over.
    pub(super) fn reached(&self, lsn: Lsn) -> Result<(), StreamError> {
        let Newest { commit_lsn, made, whole, .. } = self.newest;
        if lsn > commit_lsn && made > 0 && !whole {
            return Err(self.changed(0));
        }
        Ok(())
    }

    fn changed(&self, again: u64) -> StreamError {
        let Newest { commit_lsn, made: delivered, .. } = self.newest;
        StreamError::TransactionChanged { commit_lsn, delivered, again }
    }
}

#[cfg(test)]
#[path = "resume_tests.rs"]
mod tests;
