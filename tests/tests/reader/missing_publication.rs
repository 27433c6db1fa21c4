//! A publication that did not exist at some point of the WAL, although it may exist when the WAL is
//! read.

use std::sync::{Arc, Mutex};

use pgoutput_decode::{Lsn, Message};
use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{
    Config, Connection, Error, ErrorKind, MissingPublication, Reader, ReaderBuilder,
    ReplicationStream, SkippedPublication, StartReplication, StreamError, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, stopped_in_time};

use super::reconnect::id;

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t";

/// Row 2 is committed while the publication `p` does not exist.
const BRIEFLY_MISSING: [[&str; 5]; 3] = [
    [
        "INSERT INTO t VALUES (1)",
        "ALTER PUBLICATION p RENAME TO q",
        "INSERT INTO t VALUES (2)",
        "ALTER PUBLICATION q RENAME TO p",
        "INSERT INTO t VALUES (3)",
    ],
    [
        "INSERT INTO t VALUES (1)",
        "DROP PUBLICATION p",
        "INSERT INTO t VALUES (2)",
        "CREATE PUBLICATION p FOR TABLE t",
        "INSERT INTO t VALUES (3)",
    ],
    // It does not exist again.
    [
        "INSERT INTO t VALUES (1)",
        "DROP PUBLICATION p",
        "INSERT INTO t VALUES (2)",
        "SELECT 1",
        "INSERT INTO t VALUES (3)",
    ],
];

fn builder(fixture: &Fixture<'_>) -> ReaderBuilder {
    Reader::builder(&fixture.database().dsn()).slot(fixture.slot_name()).publication("p")
}

fn stream(fixture: &Fixture<'_>, missing: MissingPublication) -> ReplicationStream {
    let config: Config = fixture.database().dsn().parse().unwrap();
    let start = StartReplication::new(fixture.slot_name(), ["p"])
        .options(StreamOptions::new().missing_publication(missing));
    Connection::connect(&config).unwrap().stream(&start).unwrap()
}

/// Returns the LSN at which the server found the publication missing, after a check of the advice.
pub(crate) fn missing_at(error: &Error, name: &str, major: u32) -> Lsn {
    let ErrorKind::Stream(StreamError::PublicationMissing { publication, lsn, .. }) = error.kind()
    else {
        panic!("{error:?}")
    };
    assert_eq!(publication, name);
    let text = error.to_string();
    let remedy = if major >= 18 { "--skip-missing-publication" } else { "--start-lsn" };
    for part in [&format!("\"{name}\"") as &str, &lsn.to_string(), "new slot", remedy] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(text.lines().count(), 1, "{text}");
    *lsn
}

/// Reads row 1, then the error. The confirmed LSN stays before the first skipped row. Older servers
/// end the connection with their error, so that row 1 cannot be confirmed after it.
fn assert_refused_after_one_row(fixture: &Fixture<'_>, mut reader: Reader, read: usize) {
    let before = fixture.slot().confirmed;
    for _ in read..1 {
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
    }
    let error = reader.next_in_time().unwrap().unwrap_err();
    let lsn = missing_at(&error, "p", fixture.major());
    assert!(reader.next_in_time().is_none());
    reader.stop().unwrap();
    fixture.wait_until_free();
    let confirmed = fixture.slot().confirmed;
    assert!(before <= confirmed && confirmed <= lsn, "{before} {confirmed} {lsn}");
    assert!(fixture.major() < 18 || before < confirmed, "{before} {confirmed}");
}

#[test]
fn a_missing_publication_ends_the_stream_before_later_changes_are_confirmed() {
    for server in servers() {
        for (number, statements) in BRIEFLY_MISSING.into_iter().enumerate() {
            let fixture = Fixture::new(server, SETUP);
            let [first, gone, lost, back, after] = statements;
            let mut reader = builder(&fixture).connect().unwrap();
            fixture.run([first]);
            assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
            fixture.run([gone, lost, back, after]);
            assert_refused_after_one_row(&fixture, reader, 1);
            // It exists again, and row 2 is still missing from the slot's changes.
            if number < 2 {
                for _ in 0..2 {
                    let mut reader = builder(&fixture).connect().unwrap();
                    let items: Vec<_> = reader.in_time().collect();
                    let (error, rows) = items.split_last().unwrap();
                    missing_at(error.as_ref().unwrap_err(), "p", server.major());
                    assert!(rows.iter().all(|row| id(row.as_ref().unwrap()) == 1));
                    drop(reader);
                    fixture.wait_until_free();
                }
            }
        }
        for statements in &BRIEFLY_MISSING[..2] {
            let fixture = Fixture::new(server, SETUP);
            fixture.run(*statements);
            let reader = builder(&fixture).connect().unwrap();
            assert_refused_after_one_row(&fixture, reader, 0);
        }
    }
}

#[test]
fn a_slot_older_than_its_publication_ends_at_the_first_earlier_change() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "CREATE PUBLICATION p FOR TABLE t",
            "INSERT INTO t VALUES (2)",
        ]);
        let before = fixture.slot().confirmed;
        let mut reader = builder(&fixture).connect().unwrap();
        let lsn = missing_at(&reader.next_in_time().unwrap().unwrap_err(), "p", server.major());
        reader.stop().unwrap();
        fixture.wait_until_free();
        let confirmed = fixture.slot().confirmed;
        assert!(before <= confirmed && confirmed <= lsn, "{before} {confirmed} {lsn}");
    }
}

/// PostgreSQL 18 still sends the changes of the other publications: here the rows that pass another
/// one's filter.
#[test]
fn one_missing_publication_of_several_ends_the_stream() {
    for server in servers_from(15) {
        let setup = "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t; \
                     CREATE PUBLICATION small FOR TABLE t WHERE (id < 10)";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "DROP PUBLICATION p",
            "INSERT INTO t VALUES (2), (20)",
            "CREATE PUBLICATION p FOR TABLE t",
            "INSERT INTO t VALUES (30)",
        ]);
        let reader = builder(&fixture).publication("small").connect().unwrap();
        assert_refused_after_one_row(&fixture, reader, 0);
        if server.major() >= 18 {
            let (reader, reports) = skipping(builder(&fixture).publication("small"));
            assert_eq!(rest(reader, &fixture), [2, 30]);
            assert_eq!(reports.lock().unwrap().len(), 1);
        }
    }
}

type Reports = Arc<Mutex<Vec<SkippedPublication>>>;

fn skipping(builder: ReaderBuilder) -> (ReaderBuilder, Reports) {
    let reports = Reports::default();
    let recorder = Arc::clone(&reports);
    let builder = builder
        .options(StreamOptions::new().missing_publication(MissingPublication::Skip))
        .on_skipped_publication(move |skipped| recorder.lock().unwrap().push(skipped.clone()));
    (builder, reports)
}

fn rest(builder: ReaderBuilder, fixture: &Fixture<'_>) -> Vec<i64> {
    let mut reader = builder.until_lsn(fixture.end()).connect().unwrap();
    let ids = reader.in_time().map(|event| id(&event.unwrap())).collect();
    reader.stop().unwrap();
    fixture.wait_until_free();
    ids
}

#[test]
fn a_missing_publication_may_be_skipped_and_is_reported() {
    for server in servers_from(18) {
        for statements in &BRIEFLY_MISSING[..2] {
            let fixture = Fixture::new(server, SETUP);
            fixture.run(*statements);
            let reader = builder(&fixture).connect().unwrap();
            assert_refused_after_one_row(&fixture, reader, 0);
            let (reader, reports) = skipping(builder(&fixture));
            assert_eq!(rest(reader, &fixture), [3]);
            let reports = std::mem::take(&mut *reports.lock().unwrap());
            let [skipped] = &reports[..] else { panic!("{reports:?}") };
            assert_eq!(skipped.publication, "p");
            assert!(skipped.to_string().contains(&skipped.lsn.to_string()));
            // The slot is beyond that now.
            fixture.run(["INSERT INTO t VALUES (4)"]);
            assert_eq!(rest(builder(&fixture), &fixture), [4]);
        }
    }
}

#[test]
fn older_servers_cannot_skip_it_and_continue_from_a_later_position() {
    for server in servers() {
        if server.major() >= 18 {
            continue;
        }
        let fixture = Fixture::new(server, SETUP);
        fixture.run(BRIEFLY_MISSING[1]);
        let (reader, _) = skipping(builder(&fixture));
        let error = reader.connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { needed: 18, .. }), "{error:?}");
        let reader = builder(&fixture).connect().unwrap();
        assert_refused_after_one_row(&fixture, reader, 0);
        // This follows the advice of the error.
        let later = fixture.client().query_one("SELECT pg_current_wal_lsn()::text", &[]).unwrap();
        let later: Lsn = later.get::<_, &str>(0).parse().unwrap();
        fixture.run(["INSERT INTO t VALUES (4)"]);
        assert_eq!(rest(builder(&fixture).start_lsn(later), &fixture), [4]);
        fixture.run(["INSERT INTO t VALUES (5)"]);
        assert_eq!(rest(builder(&fixture), &fixture), [5]);
    }
}

#[test]
fn a_missing_publication_ends_a_stream_of_messages_too() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(BRIEFLY_MISSING[0]);
        let mut messages = stream(&fixture, MissingPublication::Refuse);
        let wait = stopped_in_time("the error", messages.stop_handle());
        let mut rows = 0;
        let error = loop {
            match messages.next_event().unwrap() {
                Ok(event) => rows += usize::from(matches!(event.message, Message::Insert(_))),
                Err(error) => break error,
            }
        };
        missing_at(&error, "p", server.major());
        drop(wait);
        assert_eq!(rows, 1);
        assert!(messages.next_event().is_none());
        drop(messages);
        fixture.wait_until_free();
        if server.major() < 18 {
            continue;
        }
        let mut messages = stream(&fixture, MissingPublication::Skip);
        let _wait = stopped_in_time("two rows", messages.stop_handle());
        for rows in 1..=2 {
            assert!(messages.take_skipped_publications().is_empty());
            while !matches!(messages.next_event().unwrap().unwrap().message, Message::Insert(_)) {}
            let skipped = messages.take_skipped_publications();
            assert_eq!(skipped.len(), rows - 1, "{skipped:?}");
        }
    }
}
