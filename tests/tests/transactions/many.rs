//! Many subtransactions, many transactions in progress, and one that is large.
//!
//! `PGOUTPUT_STREAMED_ROWS=10000000` sets the number of rows of the large one.

use pgoutput_harness::Server;
use pgoutput_reader::SpillOptions;
use pgoutput_tests::{Fixture, Random};

use super::streamed::assert_streamed;
use super::with_streaming_servers;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

#[test]
fn ten_thousand_subtransactions_of_which_a_third_is_rolled_back() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["DO $$ BEGIN
            FOR n IN 1..10000 LOOP
                BEGIN
                    INSERT INTO t VALUES (n, repeat('x', 100));
                    IF n % 3 = 0 THEN RAISE EXCEPTION 'rolled back'; END IF;
                EXCEPTION WHEN raise_exception THEN NULL;
                END;
            END LOOP;
        END $$"]);
        let events =
            fixture.read_with(|builder| builder.spill(SpillOptions::new().memory_limit(100_000)));
        let ids = events.iter().map(|event| event.after().unwrap().get::<i32>("id").unwrap());
        assert!(ids.eq((1..=10_000).filter(|n| n % 3 != 0)));
        assert_streamed(&fixture, 1);
    });
}

/// The number of transactions in progress at a time.
const OPEN: usize = 200;

/// Rows that each of them inserts.
const ROWS: usize = 60;

/// Prepared transactions are in progress for a plain slot, and need no session each.
#[test]
fn two_hundred_transactions_in_progress() {
    for major in pgoutput_harness::servers().iter().map(|server| server.major()) {
        if major < 14 {
            continue;
        }
        let builder = Server::builder().small_decoding_memory();
        let server = builder.setting("max_prepared_transactions", "250").start(major).unwrap();
        let fixture = Fixture::new(&server, TABLE);
        let mut client = fixture.client();
        for n in 0..OPEN {
            let first = n * ROWS;
            client
                .batch_execute(&format!(
                    "BEGIN; INSERT INTO t SELECT n, repeat('x', 1500)
                     FROM generate_series({first}, {}) n; PREPARE TRANSACTION 'g{n}'",
                    first + ROWS - 1
                ))
                .unwrap();
        }
        let mut order: Vec<usize> = (0..OPEN).collect();
        let mut random = Random::new(7);
        for n in (1..OPEN).rev() {
            order.swap(n, random.below(n + 1));
        }
        for n in &order {
            client.batch_execute(&format!("COMMIT PREPARED 'g{n}'")).unwrap();
        }
        for limit in [4_000_000, 0] {
            let events = fixture.read_with(|builder| {
                builder
                    .acknowledge(pgoutput_reader::Acknowledge::Never)
                    .spill(SpillOptions::new().memory_limit(limit))
            });
            let ids = events.iter().map(|event| event.after().unwrap().get::<i32>("id").unwrap());
            let expected = order.iter().flat_map(|n| n * ROWS..(n + 1) * ROWS);
            assert!(ids.eq(expected.map(|id| i32::try_from(id).unwrap())), "{limit}");
        }
        assert_streamed(&fixture, i64::try_from(2 * OPEN).unwrap());
    }
}

/// The memory limit of the program, in MiB.
const LIMIT: u64 = 2;

/// What the program takes in addition, in KiB.
const ADDITIONAL: u64 = 32 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn a_large_transaction_takes_no_more_memory_than_the_limit() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use pgoutput_harness::TIMEOUT;

    let rows: u64 =
        std::env::var("PGOUTPUT_STREAMED_ROWS").map_or(300_000, |rows| rows.parse().unwrap());
    let servers = pgoutput_harness::servers();
    let Some(major) = servers.iter().map(|server| server.major()).rfind(|major| *major >= 14)
    else {
        return;
    };
    let server = Server::builder().small_decoding_memory().start(major).unwrap();
    let fixture = Fixture::new(&server, "CREATE TABLE t (id int, v text)");
    let folder = tempfile::tempdir().unwrap();
    // Without the limit they would take twice the memory.
    fixture.run([&format!(
        "INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, {rows}) n"
    )]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    command.args(["tail", "--quiet", "--dsn", &fixture.database().dsn()]);
    command.args(["--slot", fixture.slot_name(), "--publication", pgoutput_tests::PUBLICATION]);
    command.args(["--memory-limit", &format!("{LIMIT}MB"), "--spill-dir"]).arg(folder.path());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let limit = TIMEOUT * (1 + u32::try_from(rows / 300_000).unwrap());
    let wait = pgoutput_harness::Wait::killing("all rows", limit, &child);
    for _ in 0..rows {
        assert_ne!(stdout.skip_until(b'\n').unwrap(), 0);
    }
    wait.done();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    println!("{rows} rows in one transaction, at most {peak} KiB");
    assert!(peak < LIMIT * 1024 + ADDITIONAL, "{peak} KiB");
    assert_streamed(&fixture, 1);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "a file is left");
}
