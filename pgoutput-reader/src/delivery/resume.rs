//! Resumption: the events that were delivered, and those that a new stream repeats.
//!
//! A server sends in the order of its WAL: each transaction at its commit record, each message
//! outside of transactions at its own record. A new stream repeats this order from the slot's
//! confirmed LSN or an earlier one. So it starts with what was delivered before: complete
//! transactions and messages, and of the newest transaction as many events as were delivered.

use pgoutput_decode::Lsn;

use crate::error::StreamError;
use crate::event::{END, Position, SCHEMA};

/// Separates new events from events delivered before the connection was lost.
#[derive(Debug, Default)]
pub(crate) struct Resume {
    newest: NewestTransaction,
    /// The LSN of the newest message outside of transactions; `0/0` before the first.
    message_lsn: Lsn,
    /// The transaction that is arriving on this connection.
    open: Redelivery,
}

/// The newest transaction that began on any connection.
#[derive(Debug, Default, Clone, Copy)]
struct NewestTransaction {
    /// The start of its commit record; `0/0` before the first.
    commit_lsn: Lsn,
    /// The number of its events that were delivered.
    delivered: u64,
    /// The LSN of the last of them; `None` if it is not known.
    last_lsn: Option<Lsn>,
    /// Whether the description of a table before the next event was delivered.
    described: bool,
    /// Whether its Commit has arrived.
    whole: bool,
}

/// The state of the arriving transaction.
#[derive(Debug, Default, Clone, Copy)]
enum Redelivery {
    /// There is none, or its events are new.
    #[default]
    New,
    /// All of it was delivered.
    Old,
    /// It was interrupted; this many of its events have arrived again.
    Again(u64),
}

impl NewestTransaction {
    /// Returns whether it was delivered in part.
    fn is_in_part(&self) -> bool {
        (self.delivered > 0 || self.described) && !self.whole
    }
}

impl Resume {
    /// Resumes after a stored position. The server does not repeat transactions that committed
    /// before the slot's confirmed LSN.
    pub(crate) fn after(position: &Position, confirmed: Lsn) -> Self {
        let commit_lsn = position.commit_lsn();
        let newest = match position.raw_index() {
            Some(index) => NewestTransaction {
                commit_lsn,
                // A description is delivered before the event of its index.
                delivered: match index {
                    END => END,
                    index if index & SCHEMA != 0 => index & !SCHEMA,
                    index => index + 1,
                },
                last_lsn: None,
                described: index != END && index & SCHEMA != 0,
                whole: index == END || confirmed > commit_lsn,
            },
            None => NewestTransaction::default(),
        };
        Self { newest, message_lsn: commit_lsn, open: Redelivery::New }
    }

    /// Resumes after every transaction up to this commit LSN and every message outside of
    /// transactions up to `message_lsn`.
    pub(crate) fn beyond(commit_lsn: Lsn, message_lsn: Lsn) -> Self {
        let newest = NewestTransaction {
            commit_lsn,
            delivered: END,
            whole: true,
            ..NewestTransaction::default()
        };
        Self { newest, message_lsn, open: Redelivery::New }
    }

    /// Starts a transaction.
    pub(super) fn begin(&mut self, commit_lsn: Lsn) -> Result<(), StreamError> {
        self.reached(commit_lsn)?;
        let newest = &self.newest;
        self.open = if commit_lsn > newest.commit_lsn {
            self.newest = NewestTransaction { commit_lsn, ..NewestTransaction::default() };
            Redelivery::New
        } else if commit_lsn < newest.commit_lsn || newest.whole {
            Redelivery::Old
        } else {
            Redelivery::Again(0)
        };
        Ok(())
    }

    /// Starts a prepared transaction. If it was rolled back meanwhile, the server may repeat only
    /// some of its events.
    pub(super) fn begin_prepared(&mut self, prepare_lsn: Lsn) -> Result<(), StreamError> {
        self.begin(prepare_lsn)?;
        if matches!(self.open, Redelivery::Again(_)) {
            self.newest.last_lsn = None;
        }
        Ok(())
    }

    /// Returns whether a transaction was delivered in part, and its end has not arrived.
    pub(super) fn is_interrupted(&self) -> bool {
        self.newest.is_in_part()
    }

    /// Returns whether the description of a table before the next event was delivered.
    pub(super) fn has_described(&self) -> bool {
        self.newest.described
    }

    /// Records that the description of a table is delivered. It is not counted: a stream repeats an
    /// event with or without one, depending on what the reader knows of the table.
    pub(super) fn described(&mut self) {
        self.newest.described = true;
    }

    /// Returns whether the next event of the transaction was delivered before; it is then counted
    /// here.
    pub(super) fn skip(&mut self, lsn: Lsn) -> Result<bool, StreamError> {
        match self.open {
            Redelivery::Old => Ok(true),
            Redelivery::Again(seen) if seen < self.newest.delivered => {
                // An inexpensive check: the last event delivered has the same LSN again, or the
                // transaction is not the same.
                if seen + 1 == self.newest.delivered
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

    /// Counts an event of the transaction that is delivered.
    pub(super) fn delivered(&mut self, lsn: Lsn) {
        self.newest.delivered += 1;
        self.newest.last_lsn = Some(lsn);
        self.newest.described = false;
        self.open = Redelivery::New;
    }

    /// Ends the transaction. Returns false if it was complete before.
    pub(super) fn commit(&mut self) -> Result<bool, StreamError> {
        match std::mem::take(&mut self.open) {
            Redelivery::Old => return Ok(false),
            Redelivery::Again(seen) if seen < self.newest.delivered || self.newest.described => {
                return Err(self.changed(seen));
            }
            Redelivery::New | Redelivery::Again(_) => {}
        }
        self.newest.whole = true;
        Ok(true)
    }

    /// Ends a prepared transaction. Returns false if it was complete before.
    ///
    /// If it was rolled back meanwhile, the server repeats fewer events of it, or none.
    pub(super) fn prepare(&mut self) -> bool {
        if let Redelivery::Old = std::mem::take(&mut self.open) {
            return false;
        }
        self.newest.whole = true;
        true
    }

    /// Returns whether a message outside of transactions was delivered before.
    pub(super) fn skip_message(&mut self, lsn: Lsn) -> Result<bool, StreamError> {
        if lsn <= self.message_lsn {
            return Ok(true);
        }
        self.reached(lsn)?;
        self.message_lsn = lsn;
        Ok(false)
    }

    /// Checks that the server, which has decoded everything before `lsn`, did not pass over an
    /// interrupted transaction.
    pub(super) fn reached(&self, lsn: Lsn) -> Result<(), StreamError> {
        if lsn > self.newest.commit_lsn && self.newest.is_in_part() {
            return Err(self.changed(0));
        }
        Ok(())
    }

    fn changed(&self, again: u64) -> StreamError {
        let NewestTransaction { commit_lsn, delivered, .. } = self.newest;
        StreamError::TransactionChanged { commit_lsn, delivered, again }
    }
}

#[cfg(test)]
mod tests;
