//! The ordinary connection, with the bounds that the `postgres` crate has not: it waits for answers, and at its end for the server to
//! close the connection, for as long as they take.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use postgres::error::{DbError, Severity};
use postgres::types::ToSql;
use postgres::{Client, Row};

use crate::Error;
use crate::connection::Ordinary;
use crate::io::WakePipe;
use crate::stream::StopHandle;

const DOING: &str = "asking the catalogue of";

/// How long an answer may take once the end was asked for: what has arrived whole is still described where the server answers as it should.
const LAST: Duration = Duration::from_millis(250);

/// What a query is given.
pub(super) type Parameters = Vec<Box<dyn ToSql + Send + Sync>>;

/// What an answer is waited for on, and what ends that wait.
pub(crate) struct Waits {
    pub(crate) wake: WakePipe,
    pub(crate) stop: StopHandle,
}

/// Opened when it is first needed, and again when it was lost.
pub(super) struct Lazy {
    ordinary: Arc<Ordinary>,
    /// None while there is no stream yet that could be stopped.
    waits: Option<Waits>,
    client: Option<Client>,
}

impl Lazy {
    pub(super) fn new(ordinary: Ordinary) -> Self {
        Self { ordinary: Arc::new(ordinary), waits: None, client: None }
    }

    /// From now on answers are waited for like this.
    pub(super) fn wait_with(&mut self, waits: Waits) {
        self.waits = Some(waits);
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

    /// The rows of a query, asked on a thread of its own: after so long, and when the reader is stopped, nobody waits for it any more.
    pub(super) fn query_within(
        &mut self,
        limit: Option<Duration>,
        query: &'static str,
        parameters: Parameters,
    ) -> Result<Vec<Row>, Error> {
        let (ordinary, mut client) = (Arc::clone(&self.ordinary), self.client.take());
        let (sender, answer) = channel();
        let done = self.waits.as_ref().map(|waits| waits.wake.waker());
        thread::Builder::new()
            .name("pgoutput-catalog".into())
            .spawn(move || {
                let rows = ask(&ordinary, &mut client, query, &parameters);
                // Where nobody waits any more, the connection ends here.
                if sender.send((client, rows)).is_ok()
                    && let Some(done) = done
                {
                    done.wake();
                }
            })
            .map_err(|error| Error::io("starting a thread for", self.ordinary.address(), error))?;
        let (client, rows) = self.wait(&answer, limit)?;
        self.client = client;
        rows
    }

    fn wait<T>(&self, answer: &Receiver<T>, limit: Option<Duration>) -> Result<T, Error> {
        let address = self.ordinary.address();
        let Some(waits) = &self.waits else {
            let received = match limit {
                Some(limit) => answer.recv_timeout(limit).ok(),
                None => answer.recv().ok(),
            };
            return received.ok_or_else(|| Error::timeout(DOING, address));
        };
        let mut deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut stopped = false;
        loop {
            match answer.try_recv() {
                Ok(answer) => return Ok(answer),
                Err(TryRecvError::Disconnected) => return Err(Error::timeout(DOING, address)),
                Err(TryRecvError::Empty) => {}
            }
            let now = Instant::now();
            if !stopped && waits.stop.is_stopped() {
                stopped = true;
                let last = now + LAST;
                deadline = Some(deadline.map_or(last, |deadline| deadline.min(last)));
            }
            if deadline.is_some_and(|deadline| deadline <= now) {
                let ended = if stopped { Error::stopped } else { Error::timeout };
                return Err(ended(DOING, address));
            }
            waits.wake.wait(deadline).map_err(|error| Error::io("waiting for", address, error))?;
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
