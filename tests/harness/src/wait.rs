//! Bounds on waiting: no test waits indefinitely.
//!
//! Code that waits registers a [`Wait`] with a description and a time limit. A thread of this
//! process watches all of them. An overdue wait first gets its remedy, such as killing the child
//! process that is waited for, so that the test fails by itself. A wait that is still there after
//! [`GRACE`] ends the process, and so does a test that stays too long in one [`stage`]. Standard
//! error then names the test and what every thread waits for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A limit that no wait of a test reaches, on a busy machine too.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// The time that an overdue wait has to end after its remedy.
pub const GRACE: Duration = Duration::from_secs(30);

/// The variable with the seconds that a test may spend in one stage.
const LIMIT_VARIABLE: &str = "PGOUTPUT_TEST_LIMIT";

pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_secs(600);

/// The interval of checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

type Remedy = Box<dyn FnOnce() + Send>;

struct Entry {
    thread: String,
    what: String,
    since: Instant,
    deadline: Instant,
    is_stage: bool,
    remedy: Option<Remedy>,
    is_over: bool,
}

struct Waits {
    next: u64,
    all: BTreeMap<u64, Entry>,
    /// Whether the watching thread has been started.
    watched: bool,
}

static WAITS: Mutex<Waits> = Mutex::new(Waits { next: 0, all: BTreeMap::new(), watched: false });

thread_local! {
    static STAGE: RefCell<Option<Wait>> = const { RefCell::new(None) };
}

fn waits() -> MutexGuard<'static, Waits> {
    // No code that holds the lock can panic in the middle of a change.
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wait of the current thread, until it is dropped.
#[derive(Debug)]
pub struct Wait {
    id: u64,
    limit: Duration,
}

impl Wait {
    /// Registers a wait for `what` that ends the process after `limit`.
    pub fn new(what: impl Display, limit: Duration) -> Self {
        Self::register(&what, limit, false, None)
    }

    /// Registers a wait that `remedy` ends after `limit`. The process ends if that takes longer
    /// than [`GRACE`].
    pub fn with_remedy(
        what: impl Display,
        limit: Duration,
        remedy: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self::register(&what, limit, false, Some(Box::new(remedy)))
    }

    /// Registers a wait for `what` from a child process, which is killed after `limit`.
    pub fn killing(what: impl Display, limit: Duration, child: &Child) -> Self {
        let pid = Pid::from_child(child);
        Self::with_remedy(what, limit, move || {
            // The child may have ended already.
            let _ = kill_process(pid, Signal::KILL);
        })
    }

    fn register(
        what: &dyn Display,
        limit: Duration,
        is_stage: bool,
        remedy: Option<Remedy>,
    ) -> Self {
        let since = Instant::now();
        let entry = Entry {
            thread: thread::current().name().unwrap_or("a thread without a name").to_owned(),
            what: what.to_string(),
            since,
            deadline: since + limit,
            is_stage,
            remedy,
            is_over: false,
        };
        let stage = STAGE.try_with(|stage| stage.borrow().as_ref().map(|stage| stage.id));
        let mut waits = waits();
        // A longer operation, such as a build, extends the stage.
        if !is_stage
            && limit > DEFAULT_LIMIT
            && let Some(stage) = stage.ok().flatten().and_then(|id| waits.all.get_mut(&id))
        {
            stage.deadline = stage.deadline.max(since + limit + GRACE);
        }
        if !waits.watched {
            let watch = thread::Builder::new().name("pgoutput-harness waits".to_owned());
            waits.watched = watch.spawn(watch_all).is_ok();
        }
        let id = waits.next;
        waits.next += 1;
        waits.all.insert(id, entry);
        Self { id, limit }
    }

    /// Returns whether it took too long.
    pub fn is_over(&self) -> bool {
        waits().all.get(&self.id).is_some_and(|entry| entry.is_over)
    }

    /// Ends the wait.
    ///
    /// # Panics
    ///
    /// If it took too long, with the description.
    #[track_caller]
    pub fn done(self) {
        let waits = waits();
        let over = waits.all.get(&self.id).filter(|entry| entry.is_over);
        let what = over.map(|entry| entry.what.clone());
        drop(waits);
        if let Some(what) = what {
            panic!("waited {} s for {what} in vain", self.limit.as_secs());
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        waits().all.remove(&self.id);
    }
}

/// Runs `work`, which waits for `what` and may take up to [`TIMEOUT`].
pub fn waiting<T>(what: impl Display, work: impl FnOnce() -> T) -> T {
    let _wait = Wait::new(what, TIMEOUT);
    work()
}

/// Calls `check` until it returns a value, and returns that.
///
/// # Panics
///
/// If it does not within [`TIMEOUT`].
#[track_caller]
pub fn eventually<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    within(TIMEOUT, what, check)
}

/// Like [`eventually`], with a limit that the tested code promises.
///
/// # Panics
///
/// If there is no value in that time.
#[track_caller]
pub fn within<T>(time: Duration, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let _wait = Wait::new(what, time + TIMEOUT);
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts the next stage of the current test. A stage may take `PGOUTPUT_TEST_LIMIT` seconds, 600
/// by default.
///
/// The harness calls it for each database and each server of a test. Outside of test programs it
/// does nothing.
pub fn stage(what: impl Display) {
    static LIMIT: OnceLock<Duration> = OnceLock::new();
    let limit = *LIMIT.get_or_init(|| {
        let seconds = std::env::var(LIMIT_VARIABLE).ok().and_then(|text| text.parse().ok());
        seconds.map_or(DEFAULT_LIMIT, Duration::from_secs)
    });
    stage_within(&what, limit);
}

/// Starts a stage with a limit of its own.
pub(crate) fn stage_within(what: &dyn Display, limit: Duration) {
    if is_test_program() {
        let stage = Wait::register(what, limit, true, None);
        // A thread that is about to end has no next stage.
        let _ = STAGE.try_with(|current| drop(current.replace(Some(stage))));
    }
}

/// Cargo puts test programs into a folder of this name, and no other programs that use servers.
fn is_test_program() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let program = std::env::current_exe().ok();
        program.is_some_and(|program| program.parent().is_some_and(|dir| dir.ends_with("deps")))
    })
}

fn watch_all() {
    loop {
        thread::sleep(CHECK_INTERVAL);
        let (remedies, report) = overdue(&mut waits().all, Instant::now());
        for remedy in remedies {
            remedy();
        }
        if let Some(report) = report {
            let _ = std::io::stderr().write_all(report.as_bytes());
            std::process::abort();
        }
    }
}

/// Returns the remedies that are due now, and the final message of the process if a wait cannot be
/// ended.
fn overdue(all: &mut BTreeMap<u64, Entry>, now: Instant) -> (Vec<Remedy>, Option<String>) {
    let mut remedies = Vec::new();
    let mut expired = None;
    for (id, entry) in all.iter_mut().filter(|(_, entry)| entry.deadline <= now) {
        entry.is_over = true;
        match entry.remedy.take() {
            Some(remedy) => {
                entry.deadline = now + GRACE;
                remedies.push(remedy);
            }
            None => expired = expired.or(Some(*id)),
        }
    }
    (remedies, expired.map(|id| report(all, id, now)))
}

fn report(all: &BTreeMap<u64, Entry>, expired: u64, now: Instant) -> String {
    let seconds = |entry: &Entry| now.duration_since(entry.since).as_secs();
    let entry = &all[&expired];
    let verb = if entry.is_stage { "has been in" } else { "has waited for" };
    let mut text = format!(
        "\npgoutput-harness: {} {verb} {} for {} s, which is too long: \
        this test program ends here. \
         {LIMIT_VARIABLE} sets the seconds of a stage.\n",
        entry.thread,
        entry.what,
        seconds(entry)
    );
    for entry in all.values() {
        let verb = if entry.is_stage { "is in" } else { "waits for" };
        let _ =
            writeln!(text, "  {} {verb} {}, since {} s", entry.thread, entry.what, seconds(entry));
    }
    text
}
