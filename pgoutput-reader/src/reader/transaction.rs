//! Whole transactions.

use std::iter::FusedIterator;
use std::sync::Arc;

use super::Reader;
use crate::error::{Error, StreamError};
use crate::event::{ChangeEvent, TransactionInfo};

impl Reader {
    /// Waits for the next transaction and lends it: its events are read one at a time, however many
    /// there are.
    ///
    /// Under [`Acknowledge::Automatic`](crate::Acknowledge::Automatic) a transaction is
    /// acknowledged as one, when the next one is requested. Events that were not read by then are
    /// skipped. Under `Manual`, acknowledge the last event that you have read with
    /// [`acknowledge_through`](crate::Acknowledger::acknowledge_through); events that you skip stay
    /// unacknowledged. A [message](crate::Op::Message) outside of transactions is lent like a
    /// transaction of its own. After [`resume`](crate::ReaderBuilder::resume) from a position
    /// inside a transaction, the first one is the rest of it.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// while let Some(transaction) = reader.next_transaction() {
    ///     let mut transaction = transaction?;
    ///     // … begin …
    ///     for event in &mut transaction {
    ///         let event = event?;
    ///         // … write …
    ///     }
    ///     // … commit …
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of the iterator of events. If the reader is stopped in the middle of a
    /// transaction, the last item of the transaction is
    /// [`ErrorKind::Stopped`](crate::ErrorKind::Stopped), so that a part is not taken for the
    /// whole; the server sends the transaction again.
    pub fn next_transaction(&mut self) -> Option<Result<Transaction<'_>, Error>> {
        while self.in_transaction {
            if let Err(error) = self.next()? {
                return Some(Err(error));
            }
        }
        match self.next()? {
            Ok(first) => {
                let info = first.transaction().cloned();
                Some(Ok(Transaction { info, first: Some(first), reader: self }))
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns an iterator of whole transactions in memory, of at most `max_events` events each.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// for transaction in reader.transactions(10_000) {
    ///     let transaction = transaction?;
    ///     println!("{} events", transaction.events.len());
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// An item is an error if the transaction has more events
    /// ([`StreamError::TransactionTooLarge`]). Nothing of it is lost: read it from its first event
    /// on with [`next_transaction`](Self::next_transaction) or as events, or try again with a
    /// greater limit. All other errors are those of [`next_transaction`](Self::next_transaction),
    /// and the last item.
    pub fn transactions(&mut self, max_events: usize) -> OwnedTransactions<'_> {
        OwnedTransactions { reader: self, max_events }
    }

    /// Takes events back, which are then read again first.
    fn give_back(&mut self, events: Vec<ChangeEvent>) {
        for event in events.into_iter().rev() {
            self.returned.push_front(event);
        }
        self.in_transaction = false;
    }
}

/// A transaction lent by [`Reader::next_transaction`]: an iterator of its events.
#[derive(Debug)]
pub struct Transaction<'r> {
    info: Option<Arc<TransactionInfo>>,
    /// The first event, until it is read.
    first: Option<ChangeEvent>,
    reader: &'r mut Reader,
}

impl Transaction<'_> {
    /// Returns the transaction of the events; `None` for a message outside of transactions.
    pub fn info(&self) -> Option<&Arc<TransactionInfo>> {
        self.info.as_ref()
    }
}

impl Iterator for Transaction<'_> {
    type Item = Result<ChangeEvent, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if !self.reader.in_transaction {
            return None;
        }
        let next = self.reader.next();
        if !matches!(next, Some(Ok(_))) {
            // The rest of the transaction is missing.
            self.reader.in_transaction = false;
        }
        next.or_else(|| {
            let address = &self.reader.started.address;
            Some(Err(Error::stopped("reading a transaction from", address)))
        })
    }
}

impl FusedIterator for Transaction<'_> {}

/// A whole transaction in memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OwnedTransaction {
    /// The transaction; `None` for a message outside of transactions.
    pub info: Option<Arc<TransactionInfo>>,
    /// Its events, at least one.
    pub events: Vec<ChangeEvent>,
}

/// An iterator of whole transactions, from [`Reader::transactions`].
#[derive(Debug)]
pub struct OwnedTransactions<'r> {
    reader: &'r mut Reader,
    max_events: usize,
}

impl OwnedTransactions<'_> {
    /// Reads the events of a transaction. If there are too many, they are given back.
    fn read(&mut self) -> Option<Result<Vec<ChangeEvent>, Error>> {
        let transaction = match self.reader.next_transaction()? {
            Ok(transaction) => transaction,
            Err(error) => return Some(Err(error)),
        };
        let mut events = Vec::new();
        for event in transaction {
            match event {
                Ok(event) => events.push(event),
                Err(error) => return Some(Err(error)),
            }
            if events.len() > self.max_events {
                let commit_lsn = events[0].position().commit_lsn();
                self.reader.give_back(events);
                let max_events = self.max_events;
                return Some(Err(
                    StreamError::TransactionTooLarge { commit_lsn, max_events }.into()
                ));
            }
        }
        Some(Ok(events))
    }
}

impl Iterator for OwnedTransactions<'_> {
    type Item = Result<OwnedTransaction, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let events = match self.read()? {
            Ok(events) => events,
            Err(error) => return Some(Err(error)),
        };
        let info = events.first().and_then(ChangeEvent::transaction).cloned();
        Some(Ok(OwnedTransaction { info, events }))
    }
}
