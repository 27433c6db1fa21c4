//! A slot that another tool created with TWO_PHASE. It sends prepared transactions regardless of
//! the options.

use pgoutput_decode::Message;
use pgoutput_harness::{Server, servers};
use pgoutput_reader::{Config, Connection, Error, ErrorKind, SetupError, StartReplication};
use pgoutput_tests::{Fixture, stopped_in_time};

use super::reconnect::id;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY)";

/// Starts a server that allows prepared transactions, for each major version with such slots.
fn preparing(test: impl Fn(&Server)) {
    for major in servers().iter().map(|server| server.major()).filter(|major| *major >= 14) {
        let server = Server::builder().setting("max_prepared_transactions", "5");
        test(&server.start(major).unwrap());
    }
}

fn create(fixture: &Fixture<'_>, two_phase: bool) {
    let slot = fixture.slot_name();
    let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
    let create = format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput', false, {two_phase})"
    );
    fixture.run([&drop, &create]);
}

fn write(fixture: &Fixture<'_>) {
    fixture.run([
        "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'",
        "INSERT INTO t VALUES (2)",
        "COMMIT PREPARED 'one'",
    ]);
}

fn check(error: &Error, fixture: &Fixture<'_>) {
    let ErrorKind::Setup(SetupError::SlotTwoPhase { slot }) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(slot, fixture.slot_name());
    let text = error.to_string();
    assert!(
        text.contains("without TWO_PHASE") && text.contains("with ReplicationStream"),
        "{text}"
    );
}

#[test]
fn a_two_phase_slot_is_rejected_before_reading_and_the_remedies_work() {
    preparing(|server| {
        let fixture = Fixture::new(server, SETUP);
        create(&fixture, true);
        write(&fixture);
        if server.major() == 14 {
            // Its pgoutput has no messages for prepared transactions.
            let events = fixture.read();
            assert_eq!(events.iter().map(id).collect::<Vec<_>>(), [2, 1]);
            return;
        }
        for _ in 0..2 {
            check(&fixture.builder().connect().unwrap_err(), &fixture);
        }
        // A stream can still read every message.
        let config: Config = fixture.database().dsn().parse().unwrap();
        let start = StartReplication::new(fixture.slot_name(), [pgoutput_tests::PUBLICATION]);
        let mut stream = Connection::connect(&config).unwrap().stream(&start).unwrap();
        let wait = stopped_in_time("the commit of a prepared transaction", stream.stop_handle());
        let (mut begins, mut rows) = (0, 0);
        loop {
            match stream.next_event().unwrap().unwrap().message {
                Message::BeginPrepare(_) => begins += 1,
                Message::Insert(_) => rows += 1,
                Message::CommitPrepared(_) => break,
                _ => {}
            }
        }
        drop(wait);
        assert_eq!((begins, rows), (1, 2));
        stream.stop().unwrap();
        fixture.wait_until_free();
        if server.major() >= 18 {
            let alter = format!("ALTER_REPLICATION_SLOT {} (TWO_PHASE false)", fixture.slot_name());
            Connection::connect(&config).unwrap().simple_query(&alter).unwrap();
        } else {
            create(&fixture, false);
        }
        fixture.run(["INSERT INTO t VALUES (3)"]);
        let ids: Vec<i64> = fixture.read().iter().map(id).collect();
        assert_eq!(ids.last(), Some(&3));
    });
}
