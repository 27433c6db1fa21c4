//! `pgoutput tail --poll`: the same output as over a replication connection.

use pgoutput_harness::servers;
use pgoutput_reader::Lsn;
use rustix::process::Signal;

use crate::run::{Fixture, Running, assert_success, error_line, finished, wait};

/// Writes changes of several kinds.
fn write(fixture: &Fixture<'_>) {
    for id in 1..=20 {
        fixture.sql(&format!("INSERT INTO t VALUES ({id}, 'name ' || {id})"));
    }
    fixture.sql("UPDATE t SET name = NULL WHERE id < 5; DELETE FROM t WHERE id = 3");
    fixture.sql("ALTER TABLE t ADD at timestamptz; UPDATE t SET at = 'epoch', id = -id");
    fixture.sql("TRUNCATE t");
}

#[test]
fn the_output_is_that_of_a_replication_connection() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let twin = fixture.database.slot_name("twin");
        fixture.sql(&format!("SELECT pg_create_logical_replication_slot('{twin}', 'pgoutput')"));
        write(&fixture);
        let end = fixture.end();
        let options = ["--commits", "--schema-changes", "--schema", "once", "--until-lsn", &end];
        let expected = finished(&mut fixture.tail(&options));
        assert_success(&expected);
        let mut polling = fixture.tail(&options);
        polling.args(["--poll", "0.1", "--slot", &twin]);
        // The first --slot is that of the fixture.
        let mut arguments: Vec<_> = polling.get_args().map(ToOwned::to_owned).collect();
        let first = arguments.iter().position(|argument| argument == "--slot").unwrap();
        arguments.drain(first..first + 2);
        let found = finished(crate::run::program().args(arguments));
        assert_success(&found);
        assert!(expected.stdout.len() > 1000);
        assert_eq!(
            String::from_utf8(found.stdout).unwrap(),
            String::from_utf8(expected.stdout).unwrap(),
            "PostgreSQL {}",
            server.major()
        );
        let next = finished(&mut fixture.tail(&["--poll", "--until-lsn", &end]));
        assert_success(&next);
        assert!(next.stdout.is_empty(), "everything was confirmed");
    }
}

#[test]
fn it_follows_new_changes_and_ends_at_a_signal() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let mut running = Running::start(&mut fixture.tail(&["--poll", "0.05"]));
        for id in 1..=10 {
            fixture.sql(&format!("INSERT INTO t VALUES ({id})"));
            assert_eq!(running.line()["after"]["id"], id);
        }
        let end: Lsn = fixture.end().parse().unwrap();
        running.signal(Signal::TERM);
        let (rest, status) = running.end();
        assert_eq!((rest.as_str(), status), ("", Some(0)));
        let confirmed: Lsn = fixture.confirmed().parse().unwrap();
        assert!(confirmed.as_u64() + 1024 >= end.as_u64(), "{confirmed}, {end}");
    }
}

/// The connection of the polls may be lost, and the program says so.
#[test]
fn a_lost_connection_is_reported_and_replaced() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let mut running = Running::start(&mut fixture.tail_verbose(&["--poll", "0.05"]));
        fixture.sql("INSERT INTO t VALUES (1)");
        assert_eq!(running.line()["after"]["id"], 1);
        // In a transaction or between two.
        fixture.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        fixture.sql("INSERT INTO t VALUES (2)");
        assert_eq!(running.line()["after"]["id"], 2);
        running.signal(Signal::TERM);
        let (_, status, stderr) = running.end_with_stderr();
        assert_eq!(status, Some(0));
        assert!(stderr.contains("attempt 1 to reconnect"), "{stderr}");
        assert!(stderr.contains("again after"), "{stderr}");
    }
}

#[test]
fn what_polling_cannot_do_is_a_usage_error() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let output = finished(&mut fixture.tail(&["--poll", "--no-ack", "--start-lsn", "0/1"]));
        let line = error_line(&output, 2);
        assert!(line.contains("start_lsn"), "{line}");
    }
}

/// The limit for the whole program including its code, in KiB.
#[cfg(target_os = "linux")]
const LIMIT: u64 = 32 * 1024;

#[cfg(target_os = "linux")]
#[test]
fn a_large_transaction_is_polled_in_little_memory() {
    const ROWS: u64 = 1_000_000;
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap());
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n"));
    let mut running = Running::start(&mut fixture.tail(&["--poll"]));
    running.skip(ROWS - 1);
    assert_eq!(running.line()["after"]["id"], ROWS);
    let peak = running.peak_memory();
    // Everything is confirmed at the end, whatever was confirmed before.
    let end = fixture.end();
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
    wait("the slot to be free", || {
        let next = finished(&mut fixture.tail(&["--poll", "--until-lsn", &end]));
        next.status.success() && next.stdout.is_empty()
    });
    println!("{ROWS} rows, at most {peak} KiB");
    assert!(peak < LIMIT, "{peak} KiB");
}
