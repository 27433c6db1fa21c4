//! The transactions of pgbench.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pgoutput_harness::Database;
use pgoutput_tests::{Random, eventually};
use postgres::Client;

use super::watch::Watch;

/// The interval of checks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// Transactions per second.
const RATE: u64 = 40;

/// The tables of scale 1, as `pgbench -i` creates them.
pub(super) const SETUP: &str = "
    CREATE TABLE pgbench_history
        (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
    CREATE TABLE pgbench_tellers
        (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
    CREATE TABLE pgbench_accounts
        (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
    CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
    INSERT INTO pgbench_branches VALUES (1, 0);
    INSERT INTO pgbench_tellers SELECT i, 1, 0 FROM generate_series(1, 10) i;
    INSERT INTO pgbench_accounts SELECT i, 1, 0, '' FROM generate_series(1, 100000) i;";

/// A process that is killed at the end, also when a check fails.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Runs pgbench until the end, and again after each crash of the server.
pub(super) fn run(database: &Database<'_>, watch: &Watch<'_>, seed: u64) {
    let program = database.server().install().bin().join("pgbench");
    let program = if program.is_file() { Some(program) } else { on_path() };
    let Some(program) = program else { return by_sessions(database, watch, seed) };
    let mut running: Option<Killed> = None;
    while !watch.has_ended() {
        let ended = running.as_mut().is_none_or(|child| child.0.try_wait().unwrap().is_some());
        if ended {
            let mut command = Command::new(&program);
            // No VACUUM at the start, two clients.
            command.args(["-n", "-c", "2", "-T", "3600", "-R", &RATE.to_string()]);
            command.args(["-h", "127.0.0.1", "-U", "postgres"]);
            command.args(["-p", &database.server().port().to_string(), database.name()]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            running = Some(Killed(command.spawn().unwrap()));
        }
        thread::sleep(PAUSE);
    }
}

fn on_path() -> Option<std::path::PathBuf> {
    pgoutput_harness::engine::on_path("pgbench")
}

/// The same transactions without the program.
fn by_sessions(database: &Database<'_>, watch: &Watch<'_>, seed: u64) {
    let mut random = Random::new(seed);
    let connect = || eventually("the server to take connections", || database.try_client().ok());
    let mut client = connect();
    while !watch.has_ended() {
        if transaction(&mut client, &mut random).is_err() {
            client = connect();
        }
        thread::sleep(Duration::from_millis(1000 / RATE));
    }
}

fn transaction(client: &mut Client, random: &mut Random) -> Result<(), postgres::Error> {
    let (aid, tid) = (1 + random.below(100_000), 1 + random.below(10));
    let delta = format!("({} - 5000)", random.below(10_001));
    client.batch_execute(&format!(
        "BEGIN;
         UPDATE pgbench_accounts SET abalance = abalance + {delta} WHERE aid = {aid};
         SELECT abalance FROM pgbench_accounts WHERE aid = {aid};
         UPDATE pgbench_tellers SET tbalance = tbalance + {delta} WHERE tid = {tid};
         UPDATE pgbench_branches SET bbalance = bbalance + {delta} WHERE bid = 1;
         INSERT INTO pgbench_history (tid, bid, aid, delta, mtime)
             VALUES ({tid}, 1, {aid}, {delta}, CURRENT_TIMESTAMP);
         END;"
    ))
}
