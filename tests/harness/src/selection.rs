//! The servers that tests run on, each started once per process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::search::Search;
use crate::server::Server;
use crate::skip::skip;
use crate::version::MAJORS;
use crate::wait::{Wait, stage, stage_within};

const VARIABLE: &str = "PGOUTPUT_TEST_SERVERS";
const NEWEST: u32 = *MAJORS.end();

/// The time limit for the start of a server, including fetching it.
const FETCHED: Duration = Duration::from_secs(3600);

/// Returns the process's server of this major with the default settings. The first call starts it.
///
/// It lives until the process ends, and a watchdog stops it then. Tests that stop a server start
/// one of their own.
///
/// # Errors
///
/// Those of [`ServerBuilder::start`](crate::ServerBuilder::start). A failure is remembered and not
/// tried again.
pub fn shared(major: u32) -> Result<&'static Server, Error> {
    type Slot = Arc<OnceLock<Result<&'static Server, Error>>>;
    static SERVERS: Mutex<BTreeMap<u32, Slot>> = Mutex::new(BTreeMap::new());
    let slot = {
        let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(major).or_default())
    };
    // It may have to be fetched. Other majors can start meanwhile.
    let started = slot.get().cloned().unwrap_or_else(|| {
        let what = format!("the start of the shared server, PostgreSQL {major}");
        let wait = Wait::new(&what, FETCHED);
        stage_within(&what, FETCHED);
        let start = || Server::of_major(major).map(|server| &*Box::leak(Box::new(server)));
        let started = slot.get_or_init(start).clone();
        drop(wait);
        started
    });
    stage(format_args!("the shared server, PostgreSQL {major}"));
    started
}

/// Returns the servers to test on, oldest first. `PGOUTPUT_TEST_SERVERS` names them: `all`, or a
/// list of majors such as `13,15,18`. The default is the newest installed one before 18, and 18.
///
/// If only one of these two is available, the result is that one, and standard error says so.
///
/// # Errors
///
/// If none is available, or a named one is not.
pub fn test_servers() -> Result<Vec<&'static Server>, Error> {
    static INSTALLED: OnceLock<Option<u32>> = OnceLock::new();
    if let Ok(value) = std::env::var(VARIABLE)
        && !value.trim().is_empty()
    {
        let majors = parse(&value).ok_or(Error::Selection { value })?;
        return start(majors).into_iter().collect();
    }
    let installed = *INSTALLED.get_or_init(|| {
        let installed = Search::from_env().installed();
        installed.into_keys().rfind(|major| MAJORS.contains(major) && *major != NEWEST)
    });
    let mut results = start(installed.into_iter().chain([NEWEST])).into_iter();
    let other = installed.and_then(|_| results.next());
    match (other, results.next().unwrap_or_else(|| shared(NEWEST))) {
        (Some(Ok(other)), Ok(newest)) => Ok(vec![other, newest]),
        (None, Ok(newest)) => {
            print_once(&format!("testing on PostgreSQL {NEWEST} only: no other one is installed"));
            Ok(vec![newest])
        }
        (Some(Err(error)), Ok(newest)) => {
            print_once(&format!("testing on PostgreSQL {NEWEST} only: {error}"));
            Ok(vec![newest])
        }
        (Some(Ok(other)), Err(error)) => {
            print_once(&format!("testing on PostgreSQL {} only: {error}", other.major()));
            Ok(vec![other])
        }
        (_, Err(error)) => Err(error),
    }
}

/// Returns [`test_servers`] for tests, which cannot run without a server.
///
/// # Panics
///
/// If there is none. The message lists the remedies.
pub fn servers() -> Vec<&'static Server> {
    test_servers().unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the servers to test on that are of this major or newer, for tests of newer features.
///
/// If that leaves none, the result is PostgreSQL 18, whatever `PGOUTPUT_TEST_SERVERS` says.
/// [`skip`] reports the servers left out.
///
/// # Panics
///
/// If there is none. The message lists the remedies.
pub fn servers_from(major: u32) -> Vec<&'static Server> {
    let (fit, old): (Vec<_>, Vec<_>) =
        servers().into_iter().partition(|server| server.major() >= major);
    for server in old {
        skip(format_args!("on PostgreSQL {}, since it needs {major}", server.major()));
    }
    if fit.is_empty() {
        print_once(&format!("no server from {major} on was chosen: using {NEWEST}"));
        return vec![shared(NEWEST).unwrap_or_else(|error| panic!("{error}"))];
    }
    fit
}

/// Returns the servers to test on that are older than this major, for tests of how a missing
/// feature is reported.
///
/// If that leaves none, [`skip`] reports that.
///
/// # Panics
///
/// If there is no server at all. The message lists the remedies.
pub fn servers_before(major: u32) -> Vec<&'static Server> {
    let old: Vec<_> = servers().into_iter().filter(|server| server.major() < major).collect();
    if old.is_empty() {
        skip(format_args!("it needs a server older than PostgreSQL {major}"));
    }
    old
}

/// Starts them at the same time.
fn start(majors: impl IntoIterator<Item = u32>) -> Vec<Result<&'static Server, Error>> {
    std::thread::scope(|scope| {
        let starting: Vec<_> =
            majors.into_iter().map(|major| (major, scope.spawn(move || shared(major)))).collect();
        // A start that panicked is tried again here, for its message.
        starting
            .into_iter()
            .map(|(major, thread)| thread.join().unwrap_or_else(|_| shared(major)))
            .collect()
    })
}

fn parse(value: &str) -> Option<BTreeSet<u32>> {
    if value.trim() == "all" {
        return Some(MAJORS.collect());
    }
    let major = |item: &str| item.trim().parse().ok().filter(|major| MAJORS.contains(major));
    value.split(',').map(major).collect()
}

/// Prints past the test runner's capture, and only once per process.
fn print_once(line: &str) {
    static PRINTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if PRINTED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
        let _ = writeln!(std::io::stderr(), "pgoutput-harness: {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn the_variable_is_a_list_or_all() {
        let majors = |value| parse(value).map(|set| set.into_iter().collect::<Vec<_>>());
        assert_eq!(majors("all"), Some((10..=18).collect()));
        assert_eq!(majors("18, 13,15,13"), Some(vec![13, 15, 18]));
        for wrong in ["9", "19", "13,", "13 15", "ALL", "all,13", "-13"] {
            assert_eq!(majors(wrong), None, "{wrong}");
        }
    }
}
