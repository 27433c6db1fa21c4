//! A slot that another tool created with TWO_PHASE. It sends prepared transactions regardless of
//! the options.

use pgoutput_harness::{Server, servers};
use pgoutput_reader::StreamOptions;
use pgoutput_tests::{Fixture, line};

use super::reconnect::id;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY)";

/// Starts a server that allows prepared transactions, for each major version with such slots.
fn preparing(test: impl Fn(&Server)) {
    for major in servers().iter().map(|server| server.major()).filter(|major| *major >= 14) {
        let server = Server::builder().setting("max_prepared_transactions", "5");
        test(&server.start(major).unwrap());
    }
}

fn create(fixture: &Fixture<'_>) {
    let slot = fixture.slot_name();
    let drop = format!("SELECT pg_drop_replication_slot('{slot}')");
    let create =
        format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput', false, true)");
    fixture.run([&drop, &create]);
}

#[test]
fn its_flag_is_obeyed_whatever_the_options_are() {
    preparing(|server| {
        let fixture = Fixture::new(server, SETUP);
        create(&fixture);
        fixture.run([
            "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'",
            "INSERT INTO t VALUES (2)",
            "COMMIT PREPARED 'one'",
        ]);
        if server.major() == 14 {
            // Its pgoutput has no messages for prepared transactions.
            let events = fixture.read();
            assert_eq!(events.iter().map(id).collect::<Vec<_>>(), [2, 1]);
            return;
        }
        let read = |options: StreamOptions| {
            fixture.read_with(|builder| {
                builder.options(options).acknowledge(pgoutput_reader::Acknowledge::Never)
            })
        };
        let events = read(StreamOptions::new());
        let ops: String = events.iter().map(|event| event.op().code()).collect();
        assert_eq!(ops, "IPIK");
        let lines: Vec<_> = events.iter().map(line).collect();
        for version in 1..=3 {
            let again = read(StreamOptions::new().proto_version(version));
            assert_eq!(again.iter().map(line).collect::<Vec<_>>(), lines, "version {version}");
            let positions = [&events, &again].map(|events| events[3].position());
            assert_eq!(positions[0], positions[1]);
        }
        // Acknowledged before COMMIT PREPARED, and only that is left.
        assert_eq!(fixture.read().len(), 4);
        fixture.run(["BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'two'"]);
        let prepared: String = fixture.read().iter().map(|event| event.op().code()).collect();
        assert_eq!(prepared, "IP");
        fixture.run(["ROLLBACK PREPARED 'two'"]);
        let ended: String = fixture.read().iter().map(|event| event.op().code()).collect();
        assert_eq!(ended, "A");
        assert!(fixture.read().is_empty());
    });
}
