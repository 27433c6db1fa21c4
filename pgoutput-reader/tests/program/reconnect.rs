//! What `pgoutput tail` does when its connection is lost.

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
fn goes_on_where_it_was_and_says_so() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut running = Running::start(&mut fixture.tail_aloud(&["--reconnect-for", "60"]));
        assert_eq!(running.line()["after"]["id"], 1);
        terminate(&fixture);
        fixture.sql("INSERT INTO t VALUES (2)");
        assert_eq!(running.line()["after"]["id"], 2);
        running.signal(Signal::TERM);
        let (rest, status, said) = running.end_with_complaints();
        assert_eq!((rest.as_str(), status), ("", Some(0)));
        let lines: Vec<&str> = said.lines().skip(1).collect();
        let [lost, .., back] = lines.as_slice() else { panic!("{said}") };
        assert!(lost.contains("57P01") && lost.contains("attempt 1 to reconnect in"), "{said}");
        assert!(back.contains("connected to ") && back.contains(" again after "), "{said}");
        assert!(fixture.lines(&[]).is_empty());
    }
}

#[test]
fn ends_with_the_first_error_where_that_is_wanted() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut running = Running::start(&mut fixture.tail(&["--no-reconnect"]));
        assert_eq!(running.line()["after"]["id"], 1);
        terminate(&fixture);
        let (_, status, said) = running.end_with_complaints();
        assert_eq!(status, Some(1));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("57P01") && !said.contains("attempt"), "{said}");
    }
}

#[test]
fn a_temporary_slot_is_gone_with_its_connection_and_the_complaint_says_so() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let slot = fixture.database.slot_name("short");
        let dsn = fixture.database.dsn();
        let mut tail = program();
        tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        let mut running = Running::start(tail.args(["--create-slot", "--temporary", "--quiet"]));
        let slots = "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL AND slot_name =";
        wait("the slot to be there", || fixture.text(&format!("{slots} '{slot}'")) == "1");
        fixture.sql("INSERT INTO t VALUES (1)");
        assert_eq!(running.line()["after"]["id"], 1);
        let query =
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name =";
        assert_eq!(fixture.text(&format!("{query} '{slot}'")), "true");
        let (_, status, said) = running.end_with_complaints();
        assert_eq!(status, Some(1));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("57P01") && said.contains(" is gone with its connection"), "{said}");
    }
}
