//! The program, started again whenever it ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pgoutput_tests::eventually;
use rustix::process::{Pid, Signal, kill_process};

/// The interval of checks whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The delay before the next run after an error.
const AFTER_ERROR: Duration = Duration::from_millis(60);

/// The program under test, its runs and their ends.
pub(super) struct Program<'a> {
    /// Returns the command of the run with this number.
    command: &'a (dyn Fn(usize) -> Command + Sync),
    /// Standard error of the runs.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    child: Option<Child>,
    runs: usize,
    /// The signals that were sent to the current run.
    sent: Vec<i32>,
    /// The number of ends of each kind.
    ends: BTreeMap<String, usize>,
    /// Ends and messages that the faults do not explain.
    unexpected: Vec<String>,
    peak_kib: u64,
}

/// Messages that faults explain, by what they contain.
const EXPECTED: &[&str] = &[
    // Normal reports.
    "PostgreSQL ",
    "storing in ",
    "created slot ",
    "the server keeps WAL for slot",
    "copied ",
    // pgbench_history has no key.
    "UPDATE and DELETE will fail on 1 published table",
    "is reached again after",
    ", at attempt ",
    "again after",
    // Lost connections and servers that are down.
    "; attempt ",
    "the last records of an earlier run arrived late",
    "onnection refused",
    "onnection reset",
    "roken pipe",
    "onnection was closed",
    "onnection closed",
    "closed the connection",
    "nexpected end of",
    "timed out",
    "did not answer",
    "the database system is",
    "is loading its data",
    "terminating connection",
    "server ended the",
    "not yet accepting connections",
    "the published tables could not be queried",
    // A predecessor's connection that the server has not given up yet.
    "is active for PID",
    "is in use",
    // After SIGTERM.
    "before it was connected",
    "could not end in an orderly way within",
    "stopped by a signal after an error of the destination",
];

impl<'a> Program<'a> {
    pub(super) fn new(command: &'a (dyn Fn(usize) -> Command + Sync), folder: PathBuf) -> Self {
        Self { command, folder, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the program, and again whenever it ends, until `done`.
    pub(super) fn run(&self, done: &AtomicBool) {
        while !done.load(Ordering::Acquire) {
            let mut pause = PAUSE;
            let mut state = self.lock();
            if state.child.is_none() {
                state.runs += 1;
                state.sent.clear();
                let mut command = (self.command)(state.runs);
                for (name, _) in std::env::vars_os() {
                    if name.to_string_lossy().starts_with("PG") {
                        command.env_remove(name);
                    }
                }
                command.stdin(Stdio::null()).stdout(Stdio::null());
                command.stderr(File::create(self.errors(state.runs)).unwrap());
                state.child = Some(command.spawn().unwrap());
            }
            state.peak_kib = state.peak_kib.max(peak_kib(state.child.as_ref()));
            if let Some(status) = state.child.as_mut().and_then(|c| c.try_wait().unwrap()) {
                state.child = None;
                self.ended(&mut state, status);
                pause = AFTER_ERROR;
            }
            drop(state);
            thread::sleep(pause);
        }
    }

    fn errors(&self, run: usize) -> PathBuf {
        self.folder.join(format!("{run}.err"))
    }

    /// Judges the end of a run.
    fn ended(&self, state: &mut State, status: ExitStatus) {
        let run = state.runs;
        let text = fs::read_to_string(self.errors(run)).unwrap_or_default();
        let was_asked = !state.sent.is_empty();
        let kind = match (status.code(), status.signal()) {
            (Some(0), _) if was_asked => "in order".to_owned(),
            (Some(1), _) => "with an error".to_owned(),
            (None, Some(signal)) if state.sent.contains(&signal) => format!("by signal {signal}"),
            _ => {
                state.unexpected.push(format!("run {run} ended with {status}: {text}"));
                format!("unexpectedly: {status}")
            }
        };
        *state.ends.entry(kind).or_default() += 1;
        for line in text.lines() {
            if !EXPECTED.iter().any(|expected| line.contains(expected)) {
                state.unexpected.push(format!("run {run} printed: {line}"));
            }
        }
    }

    /// Sends a signal to the current run, and waits until it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let run = {
            let mut state = self.lock();
            let Some(pid) = state.child.as_ref().map(Pid::from_child) else { return };
            state.sent.push(signal.as_raw());
            // It may have ended already.
            let _ = kill_process(pid, signal);
            state.runs
        };
        eventually("the program to end after a signal", || {
            let state = self.lock();
            (state.runs > run || state.child.is_none()).then_some(())
        });
    }

    /// Returns the number of the current run, from 1.
    pub(super) fn runs(&self) -> usize {
        self.lock().runs
    }

    /// Returns an error if a run ended, or printed something, without a reason.
    pub(super) fn check(&self) -> Result<(), String> {
        let state = self.lock();
        if state.unexpected.is_empty() { Ok(()) } else { Err(state.unexpected.join("\n")) }
    }

    /// Returns what the last two runs printed.
    pub(super) fn printed(&self) -> String {
        let runs = self.runs();
        let read = |run| fs::read_to_string(self.errors(run)).unwrap_or_default();
        format!("{}\n(next run)\n{}", read(runs.saturating_sub(1)), read(runs))
    }

    /// Returns a line about the runs.
    pub(super) fn summary(&self) -> String {
        let state = self.lock();
        format!("{} runs, ended {:?}, at most {} KiB", state.runs, state.ends, state.peak_kib)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.lock().child {
            let _ = (child.kill(), child.wait());
        }
    }
}

/// Returns the largest resident memory so far; 0 if it is not known.
pub(super) fn peak_kib(child: Option<&Child>) -> u64 {
    let peak = |child: &Child| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse().ok()
    };
    child.and_then(peak).unwrap_or(0)
}
