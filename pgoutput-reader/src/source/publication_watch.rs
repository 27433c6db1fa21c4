//! The search for tables that join the publications while the stream is open.

use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use super::open::StreamOpener;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, is_transient};
use crate::io::worker;
use crate::proto::MissingPublication;
use crate::snapshot::PublishedNow;

/// The time between two queries.
const INTERVAL: Duration = Duration::from_secs(3);

/// The time after which an answer is expected.
const ANSWER: Duration = Duration::from_millis(100);

/// The time between two queries, in durations of one, if it is longer.
const QUIET: u32 = 20;

/// The session that is kept for the next query, and the names that were found.
type Answer = (Option<Connection>, Result<PublishedNow, Error>);

/// A query that is repeated, each time on a thread, so that nothing waits for it.
#[derive(Debug)]
pub(crate) struct PublicationWatch {
    session: Option<Connection>,
    answer: Option<Receiver<Answer>>,
    asked_at: Instant,
    due_at: Instant,
}

impl PublicationWatch {
    /// The query is due after an interval. It uses this session.
    pub(super) fn new(session: Option<Connection>, now: Instant) -> Self {
        Self { session, answer: None, asked_at: now, due_at: now + INTERVAL }
    }

    /// Returns the time of the next query, or of a look for its answer.
    pub(super) fn due_at(&self) -> Instant {
        self.due_at
    }

    /// Starts the interval again, without the answer that is on its way.
    pub(super) fn restart(&mut self, now: Instant) {
        (self.answer, self.due_at) = (None, now + INTERVAL);
    }

    /// Returns the published tables once in each interval. A query that fails because of the
    /// connection is repeated later.
    ///
    /// # Errors
    /// Others.
    pub(super) fn poll(
        &mut self,
        opener: &StreamOpener,
        now: Instant,
    ) -> Result<Option<PublishedNow>, Error> {
        if now < self.due_at {
            return Ok(None);
        }
        let Some(answer) = &self.answer else {
            let (opener, mut session) = (opener.clone(), self.session.take());
            let query = move || {
                let names = opener.published_now(&mut session);
                (session, names)
            };
            let answer = worker::start("pgoutput-watch", "the publications", None, query)?;
            (self.answer, self.asked_at, self.due_at) = (Some(answer), now, now + ANSWER);
            return Ok(None);
        };
        let answer = match answer.try_recv() {
            Err(TryRecvError::Empty) => {
                self.due_at = now + ANSWER;
                return Ok(None);
            }
            answer => answer.ok(),
        };
        self.answer = None;
        self.due_at = now + INTERVAL.max(QUIET * now.duration_since(self.asked_at));
        let Some((session, names)) = answer else {
            return Err(ErrorKind::ThreadPanicked { doing: "finding added tables" }.into());
        };
        match names {
            Ok(names) => {
                self.session = session;
                Ok(Some(names))
            }
            Err(error) if is_transient(&error) || is_skipped(opener, &error) => {
                log::warn!("tables that join the publications cannot be found: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns whether the stream goes on without a publication that does not exist.
fn is_skipped(opener: &StreamOpener, error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Setup(_))
        && opener.start.options.missing_publication == MissingPublication::Skip
}

impl StreamOpener {
    /// Queries the published tables, over a session that is opened if there is none.
    pub(crate) fn published_now(
        &self,
        session: &mut Option<Connection>,
    ) -> Result<PublishedNow, Error> {
        if let Some(session) = session {
            return session.published_now(&self.start.publications);
        }
        let Self { config, .. } = self.with_connect_timeout();
        // The settings may name several hosts.
        let connection = Connection::connect(&config)?;
        let opened = session.insert(connection.session_opener(&config).open()?);
        opened.published_now(&self.start.publications)
    }
}
