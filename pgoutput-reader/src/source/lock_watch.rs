//! A session that waits for the locks of tables, watched from another thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::catalog::{Catalog, TableLockWait};
use crate::error::{Error, ErrorKind, SnapshotError, listed};
use crate::io::{StopHandle, Waker};
use crate::snapshot::table_name;

/// The interval of checks for a stop.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The interval of queries for what the session waits for. It is shorter if the wait is limited to
/// less, so that the last lock that it waits for is known.
const QUERY_INTERVAL: Duration = Duration::from_secs(5);

/// The time before the first query and report.
const FIRST_QUERY: Duration = Duration::from_secs(1);

/// The interval of reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(30);

/// The maximum time the server has to end a command after it was cancelled.
const CANCEL: Duration = Duration::from_secs(2);

const DOING: &str = "locking tables on";

/// The session that waits.
pub(super) struct WaitingSession<'a> {
    /// Its server process.
    pub(super) pid: i32,
    /// The handle that ends its waits.
    pub(super) waker: Waker,
    pub(super) address: &'a str,
}

/// Watches a session that waits for locks.
pub(super) struct LockWatch<'a> {
    pub(super) catalog: &'a mut Catalog,
    pub(super) stop: Option<&'a StopHandle>,
    /// The longest wait for a lock; zero is no limit.
    pub(super) limit: Duration,
}

impl LockWatch<'_> {
    /// Runs `work`, which waits for locks. A stop ends it: the server is asked to cancel the
    /// command, and if it does not, the connection is given up.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`]; [`SnapshotError::LockTimeout`] with what was waited for; those of
    /// `work`.
    pub(super) fn run<T>(
        mut self,
        session: &WaitingSession<'_>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let address = session.address;
        let (result, found) = thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let watch = move || self.watch(session, &ended);
            let watcher = thread::Builder::new().name("pgoutput-locks".into());
            let watcher = watcher
                .spawn_scoped(scope, watch)
                .map_err(|error| Error::io("starting a thread for", DOING, error))?;
            let result = work();
            drop(done);
            let panicked = ErrorKind::ThreadPanicked { doing: DOING };
            Ok::<_, Error>((result, watcher.join().map_err(|_| panicked)?))
        })?;
        match (result.map_err(Error::into_kind), found) {
            (Ok(done), _) => Ok(done),
            (Err(_), Found { is_stopped: true, .. }) => Err(Error::stopped(DOING, address)),
            (
                Err(ErrorKind::Snapshot(SnapshotError::LockTimeout { limit, cause, .. })),
                Found { wait: Some(TableLockWait { schema, table, sessions }), .. },
            ) => {
                let tables = vec![table_name(&schema, &table)];
                Err(SnapshotError::LockTimeout { tables, limit, sessions, cause }.into())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Watches until the work has ended.
    fn watch(&mut self, session: &WaitingSession<'_>, ended: &Receiver<()>) -> Found {
        let interval = match self.limit {
            Duration::ZERO => QUERY_INTERVAL,
            limit => QUERY_INTERVAL.min(limit / 2),
        };
        let since = Instant::now();
        let mut query_at = since + FIRST_QUERY.min(interval);
        let mut report_at = since + FIRST_QUERY;
        let mut stopped_at = None;
        let mut wait = None;
        while ended.recv_timeout(CHECK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            let now = Instant::now();
            if self.stop.is_some_and(StopHandle::is_stopped) {
                if now.saturating_duration_since(*stopped_at.get_or_insert(now)) > CANCEL {
                    session.waker.wake();
                    continue;
                }
                // Again and again: there may be several commands.
                if let Err(error) = self.catalog.cancel(session.pid) {
                    log::warn!("cancelling the wait for a lock: {error}");
                }
            } else if now >= query_at {
                query_at = now + interval;
                match self.catalog.table_lock_wait(session.pid) {
                    Ok(found) => wait = found.or(wait),
                    Err(error) => log::warn!("querying what a copy waits for: {error}"),
                }
                if let Some(wait) = wait.as_ref().filter(|_| now >= report_at) {
                    report_at = now + REPORT_INTERVAL;
                    let (table, waited) = (table_name(&wait.schema, &wait.table), since.elapsed());
                    let sessions = listed(&wait.sessions);
                    log::warn!("the copy waits for a lock on {table} ({waited:.0?}): {sessions}");
                }
            }
        }
        Found { is_stopped: stopped_at.is_some(), wait }
    }
}

/// What a watcher has found.
struct Found {
    /// Whether it has ended the wait.
    is_stopped: bool,
    /// The last lock that was waited for.
    wait: Option<TableLockWait>,
}
