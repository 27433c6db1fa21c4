//! A publication that did not exist at a point of the WAL.

use std::sync::mpsc;

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{ChangeEvent, ErrorKind, MissingPublication, StreamError, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION one FOR TABLE t";

fn write(fixture: &Fixture<'_>) {
    fixture.run([
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t VALUES (2)",
        "DROP PUBLICATION one",
        "INSERT INTO t VALUES (3)",
        "CREATE PUBLICATION one FOR TABLE t",
        "INSERT INTO t VALUES (4)",
    ]);
}

fn id(event: &ChangeEvent) -> i32 {
    event.after().unwrap().get("id").unwrap()
}

/// The server returns nothing of a batch with an error, so the transactions before it are read one
/// by one.
#[test]
fn everything_before_it_is_delivered_and_then_it_is_an_error() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        write(&fixture);
        let builder = || {
            let reader = pgoutput_reader::Reader::builder(&fixture.database().dsn());
            reader.slot(fixture.slot_name()).publication("one").poll(crate::INTERVAL)
        };
        let mut reader = builder().connect().unwrap();
        for expected in [1, 2] {
            assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), expected);
        }
        let error = reader.next_in_time().unwrap().unwrap_err();
        let is_missing =
            matches!(error.kind(), ErrorKind::Stream(StreamError::PublicationMissing { .. }));
        assert!(is_missing, "PostgreSQL {}: {error}", server.major());
        assert!(reader.next_in_time().is_none());
        assert_eq!(reader.health().reconnects, 0);
        reader.stop().unwrap();
        // It is still there for the next run.
        let mut again = builder().connect().unwrap();
        assert!(again.next_in_time().unwrap().is_err());
    }
}

#[test]
fn it_is_skipped_and_reported_on_request() {
    for server in servers_from(18) {
        let fixture = Fixture::new(server, SETUP);
        write(&fixture);
        let (sender, skipped) = mpsc::channel();
        let options = StreamOptions::new().missing_publication(MissingPublication::Skip);
        let events: Vec<_> = pgoutput_reader::Reader::builder(&fixture.database().dsn())
            .slot(fixture.slot_name())
            .publication("one")
            .options(options)
            .on_skipped_publication(move |skipped| {
                let _ = sender.send(skipped.publication.clone());
            })
            .poll(crate::INTERVAL)
            .until_lsn(fixture.end())
            .connect()
            .unwrap()
            .in_time()
            .map(|event| id(&event.unwrap()))
            .collect();
        assert_eq!(events, [1, 2, 4]);
        assert_eq!(skipped.try_recv().as_deref(), Ok("one"));
    }
}
