//! Runs of the program that are killed, or asked to end, at any moment.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Server, TIMEOUT, Wait};
use pgoutput_tests::{Fixture, PUBLICATION, Random};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::delivered::{Delivered, Succession};
use crate::reading::FREQUENT_UPDATES;
use crate::transactions::setup;
use crate::with_each_server;
use crate::writer::Writer;

/// The most transactions that the writer may be ahead of the printed ones.
const LEAD: u64 = 40;

/// A run of the program: its end, and what it had printed.
struct Run {
    end: End,
    delivered: Vec<Delivered>,
    /// The confirmed LSN of the slot at its end.
    confirmed: Lsn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It confirmed everything that it had printed.
    InOrder,
    /// It gave up confirming: the server did not answer in time.
    TooSlow,
    /// The signal ended it directly, or before it was connected.
    Abrupt,
}

/// The most runs that may be too slow for an orderly end, on a very busy machine.
const SLOW_RUNS: usize = 2;

/// The program. Dropping it kills it, also when a check fails.
struct Tail(Child);

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

impl Tail {
    fn start(fixture: &Fixture<'_>, arguments: &[&str]) -> Self {
        // It is `pgoutput tail`, built for this package.
        let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        let more = if fixture.major() >= 12 { FREQUENT_UPDATES } else { "" };
        let dsn = format!("{} {more}", fixture.database().dsn());
        command.args(["tail", "--dsn", &dsn, "--slot", fixture.slot_name()]);
        command.args(["--publication", PUBLICATION]).args(arguments);
        if fixture.major() >= 14 {
            command.args(["--messages", "--memory-limit", "50kB"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Ends the program by `signal` after a number of lines and a pause. Returns everything that it
    /// has printed, and its exit status.
    fn end(
        mut self,
        lines: usize,
        pause: Duration,
        signal: Option<Signal>,
        seen: &AtomicU64,
    ) -> (String, End) {
        let wait = Wait::killing("what the program prints and its end", TIMEOUT, &self.0);
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        let mut printed = String::new();
        for _ in 0..lines {
            let start = printed.len();
            assert_ne!(stdout.read_line(&mut printed).unwrap(), 0, "{}", self.error_output());
            // The writer continues after these lines.
            if let Some(number) = number(&printed[start..]) {
                seen.fetch_max(number, Ordering::AcqRel);
            }
        }
        thread::sleep(pause);
        if let Some(signal) = signal {
            kill_process(Pid::from_child(&self.0), signal).unwrap();
        }
        let start = printed.len();
        stdout.read_to_string(&mut printed).unwrap();
        // The next run may start after these transactions. A writer that did not count them would
        // wait for their lines, and the run would wait for more transactions.
        let last = printed[start..].lines().filter_map(number).max();
        seen.fetch_max(last.unwrap_or(0), Ordering::AcqRel);
        let status = self.0.wait().unwrap();
        wait.done();
        if status.success() {
            return (printed, End::InOrder);
        }
        if signal == Some(Signal::KILL) {
            return (printed, End::Abrupt);
        }
        let error_output = self.error_output();
        if error_output.contains("could not end in an orderly way within") {
            return (printed, End::TooSlow);
        }
        // Before the program handles signals, a signal ends it like any program. A signal before it
        // was connected is an error.
        let too_early = printed.is_empty() && error_output.contains("before it was connected");
        assert!(status.code().is_none() || too_early, "{error_output}");
        (printed, End::Abrupt)
    }

    fn error_output(&mut self) -> String {
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

/// Returns the number of the transaction that begins with this line.
fn number(line: &str) -> Option<u64> {
    if !line.contains(r#""table":"journal""#) {
        return None;
    }
    let event: Value = serde_json::from_str(line).ok()?;
    event["after"]["id"].as_u64()
}

/// Parses whole lines. A killed program may have printed a partial line after them.
fn delivered(printed: &str) -> Vec<Delivered> {
    let whole = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| Delivered::printed(&serde_json::from_str(line).unwrap())).collect()
}

fn run(server: &'static Server, seed: u64, faults: usize) {
    let fixture = Fixture::new(server, &setup(server));
    let writer = Writer::new(fixture.database());
    let seen = AtomicU64::new(0);
    let runs = thread::scope(|scope| {
        let ending = Ending(&writer);
        scope.spawn(|| writer.run(seed, |number| number <= seen.load(Ordering::Acquire) + LEAD));
        let mut random = Random::new(seed);
        let runs: Vec<_> = (0..faults).map(|_| one(&fixture, &mut random, &seen)).collect();
        drop(ending);
        runs
    });
    let too_slow = runs.iter().filter(|run| run.end == End::TooSlow).count();
    assert!(too_slow <= SLOW_RUNS, "{too_slow} runs did not end in order");
    let end = fixture.end().to_string();
    let rest = Tail::start(&fixture, &["--until-lsn", &end]);
    let (printed, end) = rest.end(0, Duration::ZERO, None, &seen);
    assert_eq!(end, End::InOrder);
    check(&writer, &runs, &delivered(&printed));
}

/// Ends the writer also when a check fails.
struct Ending<'a>(&'a Writer<'a>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Runs the program once and ends it somewhere.
fn one(fixture: &Fixture<'_>, random: &mut Random, seen: &AtomicU64) -> Run {
    let signal = *random.one_of(&[Signal::KILL, Signal::KILL, Signal::TERM]);
    let lines = *random.one_of(&[0, 1, 30, 300, 3000]);
    let lines = random.below(lines + 1);
    // Sometimes the run is long enough for a status update.
    let longest = if random.one_in(4) { 500 } else { 60 };
    let pause = Duration::from_millis(random.below(longest) as u64);
    let (printed, end) = Tail::start(fixture, &[]).end(lines, pause, Some(signal), seen);
    if end == End::InOrder {
        assert!(printed.is_empty() || printed.ends_with('\n'));
    }
    fixture.wait_until_free();
    Run { end, delivered: delivered(&printed), confirmed: fixture.slot().confirmed }
}

fn check(writer: &Writer<'_>, runs: &[Run], rest: &[Delivered]) {
    let journal = writer.journal();
    let units = &journal.units;
    let all = runs.iter().flat_map(|run| &run.delivered).chain(rest);
    let commits: HashMap<_, _> = all.map(|one| (&one.event, one.commit_lsn)).collect();
    let mut succession = Succession::default();
    // The start of a run after an orderly end, which does not even repeat whole transactions.
    let mut starts = None;
    for (number, run) in runs.iter().enumerate() {
        let received = succession.process(units, &run.delivered);
        if let (Some(starts), Some(received)) = (starts, &received) {
            assert_eq!(received.start, starts, "run {number}, after an orderly end");
        }
        if let Some(received) = received {
            starts = (run.end == End::InOrder).then_some(received.end);
        }
        if let Some(next) = units.get(succession.whole()) {
            let commit_lsn = commits[&next.events[0]];
            assert!(
                run.confirmed <= commit_lsn,
                "run {number}: {} confirmed, {next:?} at {commit_lsn}",
                run.confirmed
            );
        }
    }
    succession.process(units, rest);
    assert_eq!(succession.whole(), units.len(), "the last transactions are missing");
}

#[test]
fn a_killed_program_repeats_whole_transactions_and_loses_none() {
    with_each_server(28, run);
}
