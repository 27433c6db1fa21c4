//! Hundreds of faults while transactions are piped. The log has every change once and in order.
//!
//! `PGOUTPUT_PIPE_FAULTS=200` sets the number of faults for each destination.
//! `PGOUTPUT_FAULTS_SEED` repeats the seed of a failure.

mod kinds;
mod log;
mod own_sink;
mod pgbench;
mod program;
mod sessions;
mod snapshot;
mod watch;

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{Database, Server, output, servers, skip, stage};
use pgoutput_tests::{Fixture, Network, PUBLICATION, Random, eventually};
use rustix::process::Signal;

use crate::destination::Destination;
use kinds::{Fault, Victims};
use log::{Content, Table, compare};
use own_sink::{Flaw, OwnSink};
use program::Program;
use watch::Watch;

/// The default number of faults for each destination, on all servers together.
const FAULTS: usize = 8;

const FAULTS_VARIABLE: &str = "PGOUTPUT_PIPE_FAULTS";

const SEED_VARIABLE: &str = "PGOUTPUT_FAULTS_SEED";

/// The topic of all records. A stream of NATS has the subjects below `t`.
const TOPIC: &str = "t.all";

/// Makes the program confirm often, and notice lost networks.
const FREQUENT_UPDATES: &str = "options='-c wal_sender_timeout=1s' connect_timeout=3";

/// The number of times that each fault may fail to happen, on average.
const TRIES_PER_FAULT: usize = 10;

/// The time without progress after which a test fails: shorter than that of every wait.
const STANDSTILL: Duration = Duration::from_secs(100);

/// The options of a run, so that a destination is continued with others.
const LIMITS: [&[&str]; 4] = [
    &[],
    &["--batch-size", "2kB", "--transaction-size", "10kB"],
    &["--batch-count", "3", "--transaction-size", "100kB", "--memory-limit", "64kB"],
    &["--batch-size", "60kB", "--batch-time", "0.02"],
];

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// A run of the program.
struct Run<'a> {
    number: usize,
    source: &'a str,
    slot: &'a str,
    to: String,
    /// The LSN at which it ends; a run without ends by a fault.
    until: Option<&'a str>,
    /// Whether it creates the slot, and copies the tables first.
    copies: bool,
}

/// Returns the command of a run.
type Launch<'a> = dyn Fn(&Run<'_>) -> Command + Sync + 'a;

/// Returns `pgoutput pipe`.
fn pipe(run: &Run<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    command.args(["pipe", "--dsn", run.source, "--slot", run.slot, "--to", &run.to]);
    command.args(["--publication", PUBLICATION, "--topic", TOPIC, "--messages"]);
    command.args(LIMITS[run.number % LIMITS.len()]);
    command.args(run.until.iter().flat_map(|lsn| ["--until-lsn", lsn]));
    if run.copies {
        command.args(["--create-slot", "--snapshot", "initial"]);
    }
    command
}

/// Pipes into the destinations that `start` returns, on each server.
fn with_each_server<D: Destination + Sync>(start: impl Fn() -> Option<D>) {
    let faults = number(FAULTS_VARIABLE).map_or(FAULTS, |all| usize::try_from(all).unwrap());
    let servers: Vec<_> = servers().into_iter().filter(|server| server.major() >= 15).collect();
    if servers.is_empty() {
        skip(format_args!("messages and streaming need PostgreSQL 15"));
    }
    for server in &servers {
        let Some(destination) = start() else { return };
        let faults = faults.div_ceil(servers.len());
        let report = disturbed(server.major(), &destination, &pipe, faults);
        println!("{}", report.unwrap_or_else(|error| panic!("{error}")));
    }
}

fn tables() -> Vec<Table> {
    let table = |name: String, columns, has_key| Table { name, columns, has_key };
    let bench = |name: &str, columns, has_key| table(format!("pgbench_{name}"), columns, has_key);
    let own = sessions::tables().map(|name| table(name, &["id", "n", "v"], true));
    let of_bench = [
        bench("accounts", &["aid", "bid", "abalance", "filler"], true),
        bench("tellers", &["tid", "bid", "tbalance", "filler"], true),
        bench("branches", &["bid", "bbalance", "filler"], true),
        bench("history", &["tid", "bid", "aid", "delta", "filler"], false),
    ];
    own.chain(of_bench).collect()
}

/// Writes and pipes while faults happen, then pipes the rest and compares the log with the source.
/// Returns a line about it.
fn disturbed(
    major: u32,
    destination: &(dyn Destination + Sync),
    launch: &Launch<'_>,
    faults: usize,
) -> Result<String, String> {
    let seed = number(SEED_VARIABLE).unwrap_or(1);
    let context = format!("PostgreSQL {major}, {SEED_VARIABLE}={seed}, {faults} faults");
    // Shown when a check fails.
    println!("{context}");
    let server = Server::of_major(major).unwrap();
    let fixture = Fixture::new(&server, &format!("{} {}", sessions::setup(), pgbench::SETUP));
    let twin = fixture.database().slot_name("twin");
    fixture.create_slot(&twin);
    let mut content = Content::read(&mut fixture.client(), &tables());

    let networks = Networks::before(fixture.database(), destination.port());
    let launch = |number: usize, until| {
        let (source, to) = (&networks.dsn, networks.url(destination, number));
        let slot = fixture.slot_name();
        launch(&Run { number, source, slot, to, until, copies: false })
    };
    let command = |number: usize| launch(number, None);
    let folder = tempfile::tempdir().unwrap();
    let program = Program::new(&command, folder.path().into());
    let watch = Watch::new(&fixture);
    let victims = networks.victims(&program, &server, destination);
    let (watched, stopped) = (AtomicBool::new(false), AtomicBool::new(false));
    let happened = thread::scope(|scope| {
        let _ending = Ending(&watch, [&watched, &stopped]);
        scope.spawn(|| watch.run(&watched));
        scope.spawn(|| program.run(&stopped));
        let mut writers = vec![scope.spawn(|| pgbench::run(fixture.database(), &watch, seed))];
        for number in 0..sessions::SESSIONS {
            let watch = &watch;
            let database = fixture.database();
            writers.push(scope.spawn(move || sessions::run(database, watch, number, seed)));
        }
        let happened = disturb(&victims, &watch, seed, faults)?;
        watch.end();
        for writer in writers {
            writer.join().unwrap();
        }
        catch_up(&watch, &program, "all faults")?;
        program.signal(Signal::TERM);
        Ok::<_, String>(happened)
    })?;
    program.check()?;

    // To the end, without faults.
    let end = fixture.end().to_string();
    fixture.wait_until_free();
    let ended = output(&mut launch(program.runs() + 1, Some(&end)));
    if !ended.status.success() {
        return Err(format!("{context}: {}", String::from_utf8_lossy(&ended.stderr)));
    }
    let log = destination.values(TOPIC);
    compare(&events(&fixture, &twin, &end), &log).map_err(|error| format!("{context}: {error}"))?;
    for record in &log {
        content.apply(&tables(), record)?;
    }
    content.equals(&Content::read(&mut fixture.client(), &tables()))?;
    Ok(format!("{context}: {} records, {}; {happened}", log.len(), program.summary()))
}

/// The networks between the program and its servers.
struct Networks {
    /// The connection string through the network before PostgreSQL.
    dsn: String,
    source: Network,
    engine: Option<[Network; 2]>,
}

impl Networks {
    fn before(database: &Database<'_>, engine: Option<u16>) -> Self {
        let port = database.server().port();
        let source = Network::before(port);
        let (own, new) = (format!("port={port}"), format!("port={}", source.port()));
        let dsn = database.dsn_tcp().replace(&own, &new);
        Self {
            dsn: format!("{dsn} sslmode=disable {FREQUENT_UPDATES}"),
            source,
            engine: engine.map(|port| [Network::before(port), Network::before(port)]),
        }
    }

    /// Returns the destination of the run with this number.
    fn url(&self, destination: &dyn Destination, run: usize) -> String {
        let port = self.engine.as_ref().map_or(0, |networks| networks[run % 2].port());
        destination.url(port)
    }

    fn victims<'a>(
        &'a self,
        program: &'a Program<'a>,
        server: &'a Server,
        destination: &'a (dyn Destination + Sync),
    ) -> Victims<'a> {
        let (source, engine) = (&self.source, self.engine.as_ref());
        Victims { program, server, destination, source, engine, restart: Mutex::new(()) }
    }
}

/// Ends the threads, also when a test fails.
struct Ending<'a>(&'a Watch<'a>, [&'a AtomicBool; 2]);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
        self.1.iter().for_each(|done| done.store(true, Ordering::Release));
    }
}

/// Causes faults. Returns how many there were of each kind.
fn disturb(
    victims: &Victims<'_>,
    watch: &Watch<'_>,
    seed: u64,
    faults: usize,
) -> Result<String, String> {
    let mut random = Random::new(seed);
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    let (mut happened, mut tried) = (0, 0);
    while happened < faults {
        thread::sleep(Duration::from_millis(random.below(200) as u64));
        let fault = Fault::any(&mut random, victims.engine.is_some());
        stage(format_args!("{fault:?}, after {happened} faults"));
        tried += 1;
        if fault.happen(victims) {
            happened += 1;
            let name = format!("{fault:?}");
            let kind = name.split(['(', ' ']).next().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        // Sometimes the next fault comes before everything is in order again.
        if !random.one_in(3) {
            catch_up(watch, victims.program, &format!("fault {happened}, {fault:?}"))?;
        }
        assert!(tried <= faults * TRIES_PER_FAULT, "{happened} of {tried} faults have happened");
    }
    Ok(format!("{kinds:?}"))
}

/// Waits until everything that is committed now is confirmed.
fn catch_up(watch: &Watch<'_>, program: &Program<'_>, after: &str) -> Result<(), String> {
    let (lsn, since) = (watch.flushed(), Instant::now());
    eventually(&format!("what was committed before or within {after}"), || {
        if let Err(error) = program.check() {
            return Some(Err(format!("after {after}: {error}")));
        }
        if since.elapsed() > STANDSTILL {
            let printed = program.printed();
            return Some(Err(format!("no progress after {after}; the program printed: {printed}")));
        }
        watch.is_confirmed(lsn).then_some(Ok(()))
    })
}

/// Reads the events of a slot up to `end`, as records.
fn events(fixture: &Fixture<'_>, slot: &str, end: &str) -> Vec<String> {
    let mut tail = Command::new(env!("CARGO_BIN_EXE_tail"));
    tail.args(["tail", "--quiet", "--dsn", &fixture.database().dsn(), "--slot", slot]);
    tail.args(["--publication", PUBLICATION, "--no-ack", "--messages", "--until-lsn", end]);
    let ended = output(&mut tail);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Copies into the destination that `start` returns, on the newest server.
fn with_a_copy<D: Destination + Sync>(start: impl Fn() -> Option<D>) {
    let faults = number(FAULTS_VARIABLE).map_or(FAULTS / 2, |all| usize::try_from(all).unwrap());
    let server = servers().pop().expect("a server");
    let Some(destination) = start() else { return };
    let report = snapshot::copied(server.major(), &destination, &pipe, faults);
    println!("{}", report.unwrap_or_else(|error| panic!("{error}")));
}

/// Pipes with the library into a sink of this program.
fn with_own_sink(flaw: Flaw, faults: usize) -> Result<String, String> {
    let server = servers().pop().expect("a server");
    let sink = OwnSink::start(flaw);
    disturbed(server.major(), &sink, &|run| sink.command(run), faults)
}

#[test]
fn a_sink_of_the_library_has_each_change_once_whatever_fails() {
    let faults = number(FAULTS_VARIABLE).map_or(FAULTS / 2, |all| usize::try_from(all).unwrap());
    println!("{}", with_own_sink(Flaw::None, faults).unwrap_or_else(|error| panic!("{error}")));
}

#[test]
fn a_copy_into_a_sink_of_the_library_amounts_to_the_source_whatever_fails() {
    let server = servers().pop().expect("a server");
    let sink = OwnSink::start(Flaw::None);
    let faults = number(FAULTS_VARIABLE).map_or(FAULTS / 2, |all| usize::try_from(all).unwrap());
    let report = snapshot::copied(server.major(), &sink, &|run| sink.command(run), faults);
    println!("{}", report.unwrap_or_else(|error| panic!("{error}")));
}

#[test]
fn sinks_that_lose_or_repeat_changes_are_noticed() {
    for (flaw, missing) in [(Flaw::Early, true), (Flaw::Keeps, false)] {
        let error = with_own_sink(flaw, 10).expect_err("the flaw is noticed");
        println!("{flaw:?}: {error}");
        assert_eq!(error.contains(" 0 are missing"), !missing, "{flaw:?}: {error}");
    }
}

#[test]
fn files_have_each_change_once_whatever_fails() {
    with_each_server(|| Some(crate::file::FileDestination::new()));
}

#[test]
#[cfg(feature = "redis")]
fn redis_has_each_change_once_whatever_fails() {
    with_each_server(crate::redis::RedisServer::start);
}

#[test]
#[cfg(feature = "redis")]
fn a_copy_into_redis_amounts_to_the_source_whatever_fails() {
    with_a_copy(crate::redis::RedisServer::start);
}

#[test]
#[cfg(feature = "nats")]
fn nats_has_each_change_once_whatever_fails() {
    use crate::nats::running::{Batches, server};
    with_each_server(|| server(Batches::Atomic));
}

#[test]
#[cfg(feature = "nats")]
fn nats_without_batches_has_each_change_once_whatever_fails() {
    use crate::nats::running::{Batches, server};
    with_each_server(|| server(Batches::Single));
}

#[test]
#[cfg(feature = "kafka")]
fn kafka_has_each_change_once_whatever_fails() {
    with_each_server(|| Some(crate::kafka::Broker::start()));
}
