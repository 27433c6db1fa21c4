//! The ordinary connection, with the bounds that the `postgres` crate has not: it waits for answers, and at its end for the server to
//! close the connection, for as long as they take.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use postgres::error::{DbError, Severity};
use postgres::types::ToSql;
use postgres::{Client, Row};

use crate::Error;
use crate::connection::Ordinary;

/// What a query is given.
pub(super) type Parameters = Vec<Box<dyn ToSql + Send + Sync>>;

/// Opened when it is first needed, and again when it was lost.
pub(super) struct Lazy {
    ordinary: Arc<Ordinary>,
    client: Option<Client>,
}

impl Lazy {
    pub(super) fn new(ordinary: Ordinary) -> Self {
        Self { ordinary: Arc::new(ordinary), client: None }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// The rows of a query, within the time that a server may be silent.
    pub(super) fn query(
        &mut self,
        query: &'static str,
        parameters: Parameters,
    ) -> Result<Vec<Row>, Error> {
        self.query_within(self.ordinary.limit(), query, parameters)
    }

    /// The rows of a query, asked on a thread of its own: after so long nobody waits for it any more.
    pub(super) fn query_within(
        &mut self,
        limit: Option<Duration>,
        query: &'static str,
        parameters: Parameters,
    ) -> Result<Vec<Row>, Error> {
        const DOING: &str = "asking the catalogue of";
        let (ordinary, mut client) = (Arc::clone(&self.ordinary), self.client.take());
        let (sender, answer) = channel();
        thread::Builder::new()
            .name("pgoutput-catalog".into())
            .spawn(move || {
                let rows = ask(&ordinary, &mut client, query, &parameters);
                // Where nobody waits any more, the connection ends here.
                let _ = sender.send((client, rows));
            })
            .map_err(|error| Error::io("starting a thread for", self.ordinary.address(), error))?;
        let received = match limit {
            Some(limit) => answer.recv_timeout(limit),
            None => answer.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok((client, rows)) => {
                self.client = client;
                rows
            }
            Err(_) => Err(Error::timeout(DOING, self.ordinary.address())),
        }
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            // Without a thread to be had it is waited for here.
            let _ = thread::Builder::new().name("pgoutput-close".into()).spawn(|| drop(client));
        }
    }
}

fn ask(
    ordinary: &Ordinary,
    client: &mut Option<Client>,
    query: &str,
    parameters: &Parameters,
) -> Result<Vec<Row>, Error> {
    let parameters: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
    Ok(match open(ordinary, client)?.query(query, &parameters) {
        // An idle connection may have been ended meanwhile; a fresh one decides.
        Err(error) if is_lost(&error) => {
            *client = None;
            open(ordinary, client)?.query(query, &parameters)
        }
        result => result,
    }?)
}

fn open<'c>(ordinary: &Ordinary, client: &'c mut Option<Client>) -> Result<&'c mut Client, Error> {
    match client {
        Some(client) => Ok(client),
        empty => {
            let mut client = ordinary.connect()?;
            // Whether format_type qualifies a name depends on the search path, which roles and databases may set.
            client.batch_execute("SET search_path = \"$user\", public")?;
            Ok(empty.insert(client))
        }
    }
}

/// Anything but an answer of the server to the query, after which the connection would be of use.
fn is_lost(error: &postgres::Error) -> bool {
    let goes_on =
        |said: &DbError| !matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    !error.as_db_error().is_some_and(goes_on)
}
