//! The behaviour of `pgoutput tail` when its connection is lost.

use pgoutput_harness::servers;
use rustix::process::Signal;

use crate::run::{Fixture, PUBLICATION, Running, program, wait};

/// Ends the walsender of the fixture's slot.
fn terminate(fixture: &Fixture<'_>) {
    let query =
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name =";
    assert_eq!(fixture.text(&format!("{query} '{}'", fixture.slot)), "true");
}

#[test]
fn a_lost_connection_is_reported_and_reading_continues() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut running = Running::start(&mut fixture.tail_verbose(&["--reconnect-for", "60"]));
        assert_eq!(running.line()["after"]["id"], 1);
        terminate(&fixture);
        fixture.sql("INSERT INTO t VALUES (2)");
        assert_eq!(running.line()["after"]["id"], 2);
        running.signal(Signal::TERM);
        let (rest, status, stderr) = running.end_with_stderr();
        assert_eq!((rest.as_str(), status), ("", Some(0)));
        let lines: Vec<&str> = stderr.lines().skip(1).collect();
        let [lost, .., back] = lines.as_slice() else { panic!("{stderr}") };
        assert!(lost.contains("57P01") && lost.contains("attempt 1 to reconnect in"), "{stderr}");
        assert!(back.contains("connected to ") && back.contains(" again after "), "{stderr}");
        assert!(fixture.lines(&[]).is_empty());
    }
}

#[test]
fn without_reconnection_the_first_error_ends_it() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut running = Running::start(&mut fixture.tail(&["--no-reconnect"]));
        assert_eq!(running.line()["after"]["id"], 1);
        terminate(&fixture);
        let (_, status, stderr) = running.end_with_stderr();
        assert_eq!(status, Some(1));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("57P01") && !stderr.contains("attempt"), "{stderr}");
    }
}

#[test]
fn a_temporary_slot_lost_with_its_connection_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let slot = fixture.database.slot_name("short");
        let dsn = fixture.database.dsn();
        let mut tail = program();
        tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        let mut running = Running::start(tail.args(["--create-slot", "--temporary", "--quiet"]));
        let slots = "SELECT count(*) FROM pg_replication_slots
                     WHERE confirmed_flush_lsn IS NOT NULL AND slot_name =";
        wait("the slot to be there", || fixture.text(&format!("{slots} '{slot}'")) == "1");
        fixture.sql("INSERT INTO t VALUES (1)");
        assert_eq!(running.line()["after"]["id"], 1);
        let query =
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name =";
        assert_eq!(fixture.text(&format!("{query} '{slot}'")), "true");
        let (_, status, stderr) = running.end_with_stderr();
        assert_eq!(status, Some(1));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(
            stderr.contains("57P01") && stderr.contains(" is gone with its connection"),
            "{stderr}"
        );
    }
}
