//! The SQL connection, with time limits. The `postgres` crate has none: it waits indefinitely for
//! answers, and for the server to close the connection.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres::error::{DbError, Severity};
use postgres::types::{ToSql, Type};
use postgres::{Client, Row, Statement};

use crate::connection::SqlConnector;
use crate::error::{Error, ErrorKind};
use crate::io::{Waits, worker};

/// The name of the thread that queries.
const THREAD: &str = "pgoutput-catalog";

const DOING: &str = "querying the catalogue of";

/// The maximum wait for an answer after a stop. Messages that have arrived whole are still
/// described if the server answers normally.
const WAIT_AFTER_STOP: Duration = Duration::from_millis(250);

/// The parameters of a query.
pub(crate) type SqlParameters = Vec<Box<dyn ToSql + Send + Sync>>;

/// A connection for queries. It is opened for the first query, or [before it](Self::make_ready),
/// and again after it was lost.
pub(super) struct SqlClient {
    connector: Arc<SqlConnector>,
    /// None while there is no stream yet that could be stopped.
    waits: Option<Waits>,
    session: Option<SqlSession>,
    /// The preparation that `make_ready` did not wait for, until its result is needed.
    opening: Option<Receiver<Option<SqlSession>>>,
    /// The number of queries.
    queries: u64,
}

impl SqlClient {
    pub(super) fn new(connector: SqlConnector) -> Self {
        Self {
            connector: Arc::new(connector),
            waits: None,
            session: None,
            opening: None,
            queries: 0,
        }
    }

    /// Connects and runs this query on a thread of its own, so that it is answered sooner the next
    /// time. If that takes longer than `limit`, the next query waits for it, and reports its error.
    pub(super) fn make_ready(
        &mut self,
        limit: Duration,
        query: &'static str,
        parameters: SqlParameters,
    ) {
        let (connector, mut session) = (Arc::clone(&self.connector), self.session.take());
        let (waits, address) = (self.waits.as_ref(), self.connector.address());
        let done = waits.map(|waits| waits.wake.waker());
        let Ok(opening) = worker::start(THREAD, address, done, move || {
            let _ = run(&connector, &mut session, query, &parameters);
            session
        }) else {
            return;
        };
        match wait(&opening, waits, Some(limit), address) {
            Ok(session) => self.session = session,
            Err(_) => self.opening = Some(opening),
        }
    }

    /// Sets how answers are waited for.
    pub(super) fn wait_with(&mut self, waits: Waits) {
        self.waits = Some(waits);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn queries(&self) -> u64 {
        self.queries
    }

    /// Returns the rows of a query, within the time that the server may be silent.
    pub(super) fn query(
        &mut self,
        query: &'static str,
        parameters: SqlParameters,
    ) -> Result<Vec<Row>, Error> {
        self.query_within(self.connector.limit(), query, parameters)
    }

    /// Returns the rows of a query, which runs on its own thread. After `limit`, and when the
    /// reader is stopped, it no longer waits for the result.
    pub(super) fn query_within(
        &mut self,
        limit: Option<Duration>,
        query: &'static str,
        parameters: SqlParameters,
    ) -> Result<Vec<Row>, Error> {
        self.queries += 1;
        let (connector, mut session) = (Arc::clone(&self.connector), self.session.take());
        let opening = self.opening.take();
        let (waits, address) = (self.waits.as_ref(), self.connector.address());
        let done = waits.map(|waits| waits.wake.waker());
        let answer = worker::start(THREAD, address, done, move || {
            if let Some(opening) = opening {
                session = opening.recv().ok().flatten();
            }
            let rows = run(&connector, &mut session, query, &parameters);
            (session, rows)
        })?;
        let (session, rows) = wait(&answer, waits, limit, address)?;
        self.session = session;
        rows
    }
}

impl Drop for SqlClient {
    fn drop(&mut self) {
        let held = (self.session.take(), self.opening.take());
        if held.0.is_some() || held.1.is_some() {
            // If no thread can be started, this one waits.
            let _ = thread::Builder::new().name("pgoutput-close".into()).spawn(|| drop(held));
        }
    }
}

/// Waits for the answer, for at most `limit`.
fn wait<T>(
    answer: &Receiver<T>,
    waits: Option<&Waits>,
    limit: Option<Duration>,
    address: &str,
) -> Result<T, Error> {
    let Some(waits) = waits else {
        return match limit {
            Some(limit) => answer.recv_timeout(limit).map_err(|error| match error {
                RecvTimeoutError::Timeout => Error::timeout(DOING, address),
                RecvTimeoutError::Disconnected => died(),
            }),
            None => answer.recv().map_err(|_| died()),
        };
    };
    let mut deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut stopped = false;
    loop {
        match answer.try_recv() {
            Ok(answer) => return Ok(answer),
            Err(TryRecvError::Disconnected) => return Err(died()),
            Err(TryRecvError::Empty) => {}
        }
        let now = Instant::now();
        if !stopped && waits.stop.is_stopped() {
            stopped = true;
            let last = now + WAIT_AFTER_STOP;
            deadline = Some(deadline.map_or(last, |deadline| deadline.min(last)));
        }
        if deadline.is_some_and(|deadline| deadline <= now) {
            let ended = if stopped { Error::stopped } else { Error::timeout };
            return Err(ended(DOING, address));
        }
        waits.wake.wait(deadline).map_err(|error| Error::io("waiting for", address, error))?;
    }
}

/// The error for a thread that has panicked.
fn died() -> Error {
    ErrorKind::ThreadPanicked { doing: "querying the catalogue" }.into()
}

/// An open connection with its prepared queries: a repeated one takes one round trip, not two.
struct SqlSession {
    client: Client,
    prepared: Vec<(&'static str, Statement)>,
}

impl SqlSession {
    fn open(connector: &SqlConnector) -> Result<Self, Error> {
        let mut client = connector.connect()?;
        if !connector.is_pooled() {
            // Before any other query: until then the search path is the role's.
            client.batch_execute(connector.pins()).map_err(Error::sql)?;
        }
        Ok(Self { client, prepared: Vec::new() })
    }

    fn query(
        &mut self,
        connector: &SqlConnector,
        query: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, postgres::Error> {
        if connector.is_pooled() {
            return self.query_alone(connector.pins(), query, parameters);
        }
        let known = self.prepared.iter().find(|(text, _)| *text == query);
        let statement = if let Some((_, statement)) = known {
            statement.clone()
        } else {
            let statement = self.client.prepare(query)?;
            self.prepared.push((query, statement.clone()));
            statement
        };
        self.client.query(&statement, parameters)
    }

    /// Runs a query in a transaction of its own with these settings, without a named statement.
    fn query_alone(
        &mut self,
        pins: &str,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, postgres::Error> {
        let typed: Vec<_> =
            parameters.iter().map(|parameter| (*parameter, type_of(*parameter))).collect();
        let mut transaction = self.client.transaction()?;
        transaction.batch_execute(pins)?;
        let rows = transaction.query_typed(query, &typed)?;
        transaction.commit()?;
        Ok(rows)
    }
}

/// Returns the type of a parameter. Queries cast each one, so any type that it can be sent as fits.
fn type_of(parameter: &(dyn ToSql + Sync)) -> Type {
    let types = [
        Type::TEXT,
        Type::INT4,
        Type::OID,
        Type::INT8,
        Type::BOOL,
        Type::TEXT_ARRAY,
        Type::INT4_ARRAY,
        Type::OID_ARRAY,
    ];
    let fits = |wanted: &Type| parameter.to_sql_checked(wanted, &mut BytesMut::new()).is_ok();
    types.into_iter().find(fits).unwrap_or(Type::UNKNOWN)
}

fn run(
    connector: &SqlConnector,
    session: &mut Option<SqlSession>,
    query: &'static str,
    parameters: &SqlParameters,
) -> Result<Vec<Row>, Error> {
    let parameters: Vec<&(dyn ToSql + Sync)> =
        parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect();
    match open(connector, session)?.query(connector, query, &parameters) {
        // An idle connection may have been closed meanwhile. The query is repeated on a new one.
        Err(error) if is_lost(&error) => {
            *session = None;
            open(connector, session)?.query(connector, query, &parameters)
        }
        result => result,
    }
    .map_err(Error::sql)
}

fn open<'s>(
    connector: &SqlConnector,
    session: &'s mut Option<SqlSession>,
) -> Result<&'s mut SqlSession, Error> {
    match session {
        Some(session) => Ok(session),
        empty => Ok(empty.insert(SqlSession::open(connector)?)),
    }
}

/// Returns whether the error ends the connection. Only an answer of the server to the query does
/// not.
fn is_lost(error: &postgres::Error) -> bool {
    let keeps_connection = |answer: &DbError| {
        !matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
    };
    !error.as_db_error().is_some_and(keeps_connection)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::io::{StopHandle, WakePipe};

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// The error from a thread that panics while it is waited for, with a limit that must not be
    /// reached.
    fn of_a_panic(waits: Option<&Waits>) -> Error {
        let begun = Instant::now();
        let done = waits.map(|waits| waits.wake.waker());
        let answer = worker::start(THREAD, "db:5432", done, || panic!("on purpose")).unwrap();
        let error = wait::<()>(&answer, waits, Some(TIMEOUT), "db:5432").unwrap_err();
        assert!(begun.elapsed() < TIMEOUT, "nobody was woken");
        error
    }

    #[test]
    fn a_thread_that_panics_ends_the_wait_and_is_no_timeout() {
        let wake = WakePipe::new().unwrap();
        let waits = Waits { stop: StopHandle::new(wake.waker()), wake };
        for waits in [None, Some(&waits)] {
            let error = of_a_panic(waits);
            assert!(matches!(error.kind(), ErrorKind::ThreadPanicked { .. }), "{error}");
        }
    }

    #[test]
    fn a_stop_ends_the_wait_for_an_answer_that_does_not_come() {
        let wake = WakePipe::new().unwrap();
        let waits = Waits { stop: StopHandle::new(wake.waker()), wake };
        let (_sender, answer) = channel::<()>();
        waits.stop.stop();
        let error = wait(&answer, Some(&waits), Some(TIMEOUT), "db:5432").unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
    }
}
