//! Copies of whole tables while they are written to, and the stream after them.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use pgoutput_harness::servers;
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Error, ErrorKind, Next, Op, ReaderBuilder, SlotCreation, Snapshot,
    SnapshotError, StreamError, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, eventually, formats, is_idle_at};

use crate::replay::Rows;
use crate::scene::{Scene, is_end, is_marker, ops, read_until};

fn with_each(test: impl Fn(Scene<'_>, &str)) {
    for server in servers() {
        for is_binary in formats(server) {
            let context = format!("PostgreSQL {}, binary {is_binary}", server.major());
            println!("{context}");
            test(Scene::new(server, *is_binary), &context);
        }
    }
}

fn snapshot_error(error: Error) -> SnapshotError {
    match error.into_kind() {
        ErrorKind::Snapshot(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn copy_and_stream_amount_to_the_source() {
    with_each(|mut scene, context| {
        let before = scene.source();
        let mut reader = scene.reader();
        let mut events = scene.read_and_write(&mut reader, is_end);
        assert_eq!(ops(&events), "RZ", "{context}");
        Rows::replayed(&events).assert_eq(&before, context);
        for _ in 0..20 {
            scene.write();
        }
        // PostgreSQL 10 does not send TRUNCATE.
        let major = scene.fixture.major();
        let empty = if major >= 11 { "TRUNCATE empty, a" } else { "DELETE FROM a" };
        scene.fixture.run([empty, "INSERT INTO wide (id) VALUES (77)"]);
        events.extend(scene.read_and_write(&mut reader, is_marker));
        reader.stop().unwrap();
        let last = events.last().unwrap().position().to_string();
        let rest = scene.resume(&last);
        let all = events.iter().chain(&rest);
        Rows::replayed(all.clone()).assert_eq(&scene.source(), context);
        let ids: HashSet<_> = all.clone().map(ChangeEvent::message_id).collect();
        assert_eq!(ids.len(), events.len() + rest.len(), "{context}");
    });
}

#[test]
fn events_of_a_copy_have_a_table_a_row_and_no_transaction() {
    for server in servers() {
        let scene = Scene::new(server, false);
        let events = scene.read_with(|builder| builder);
        let (end, rows) = events.split_last().unwrap();
        let slot_start = scene.confirmed();
        for (event, next) in rows.iter().zip(&events[1..]) {
            assert_eq!(event.op(), Op::SnapshotRow);
            assert!(event.before().is_none() && event.after().is_some());
            assert!(event.transaction().is_none());
            let same = event.table().map(|table| table.relation().oid())
                == next.table().map(|table| table.relation().oid());
            assert_eq!(event.is_last(), !same);
        }
        assert!(end.table().is_none() && end.is_last() && end.after().is_none());
        assert!(events.iter().all(|event| event.lsn() == end.lsn()));
        assert!(slot_start >= end.lsn());
        let tables: Vec<_> = rows.iter().map(|event| event.table().unwrap()).collect();
        assert!(tables.is_sorted_by_key(|table| table.relation().oid()));
        // A row has the form of an insert.
        scene.fixture.run(["INSERT INTO types (id) VALUES (3)"]);
        let inserted = scene.resume(&end.position().to_string());
        let copied = tables.iter().find(|table| table.name() == "types").unwrap();
        let streamed = inserted[0].table().unwrap();
        assert_eq!(
            (copied.columns(), copied.relation()),
            (streamed.columns(), streamed.relation())
        );
    }
}

#[test]
fn a_completed_copy_is_not_repeated() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let mut reader = scene.reader();
        let mut events = scene.read_and_write(&mut reader, is_end);
        scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
        events.extend(read_until(&mut reader, is_marker));
        reader.next_timeout(Duration::ZERO).unwrap();
        reader.stop().unwrap();
        scene.fixture.database().wait_until_free(&scene.slot);
        assert!(!scene.confirmed().as_u64().is_multiple_of(8), "{}", scene.confirmed());
        // The slot moves on, without an event of this reader.
        let mut reader = scene.reader();
        let (_elsewhere, end) = scene.fixture.write_elsewhere();
        eventually("the slot to move", || {
            let next = reader.next_timeout(Duration::from_millis(50)).unwrap();
            assert!(matches!(next, Next::TimedOut), "{next:?}");
            is_idle_at(scene.confirmed(), end).then_some(())
        });
        reader.stop().unwrap();
        scene.write();
        let rest = scene.read_with(|builder| builder);
        assert!(!ops(&rest).contains(['R', 'T', 'Z']), "{}", ops(&rest));
        events.extend(rest);
        Rows::replayed(&events).assert_eq(&scene.source(), "");
    }
}

#[test]
fn without_acknowledgements_the_copy_is_repeated() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let mut events = Vec::new();
        for starts in 0..3 {
            let read = scene.read_with(|builder| builder.acknowledge(Acknowledge::Never));
            // Every table is emptied first.
            let first = if starts == 0 { "RZ" } else { "TRTR" };
            assert!(ops(&read).starts_with(first), "{}", ops(&read));
            events.extend(read);
            scene.write();
        }
        let last = scene.read_with(|builder| builder.acknowledge(Acknowledge::Manual));
        events.extend(last);
        Rows::replayed(&events).assert_eq(&scene.source(), "");
    }
}

#[test]
fn each_table_is_a_transaction() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let source = scene.source();
        let mut reader = scene.reader();
        let mut events = Vec::new();
        let mut tables = Vec::new();
        while let Some(transaction) = reader.next_transaction() {
            let mut transaction = transaction.unwrap();
            assert!(transaction.info().is_none());
            let before = events.len();
            for event in &mut transaction {
                events.push(event.unwrap());
            }
            let Some(table) = events[before].table() else { break };
            tables.push(table.name().to_owned());
        }
        assert_eq!(tables[..2], ["a", "big"]);
        assert_eq!(tables.len(), 7, "{tables:?}");
        Rows::replayed(&events).assert_eq(&source, "");
        // After the copy come ordinary transactions.
        scene.fixture.run(["UPDATE a SET v = 'x' WHERE id IN (1001, 1002)"]);
        let next = reader.transactions(100).next().unwrap().unwrap();
        assert_eq!((next.events.len(), next.info.is_some()), (2, true));
        reader.stop().unwrap();
    }
}

#[test]
fn a_table_with_more_rows_than_fit_is_given_back() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let source = scene.source();
        let mut reader = scene.reader();
        let error = reader.transactions(10).next().unwrap().unwrap_err();
        let is_large = |kind: &ErrorKind| {
            matches!(kind, ErrorKind::Stream(StreamError::TransactionTooLarge { .. }))
        };
        assert!(is_large(error.kind()), "{error:?}");
        let mut events = Vec::new();
        while !events.last().is_some_and(is_end) {
            events.extend(reader.transactions(1000).next().unwrap().unwrap().events);
        }
        Rows::replayed(&events).assert_eq(&source, "");
    }
}

#[test]
fn a_slot_that_was_never_read_is_copied() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let slot = scene.slot.clone();
        scene.fixture.create_slot(&slot);
        // The slot has these changes too.
        scene.fixture.write_message();
        scene.write();
        let with_messages = StreamOptions::new().messages(scene.fixture.major() >= 14);
        let events = scene
            .read_with(|builder| builder.slot_creation(SlotCreation::Never).options(with_messages));
        let expected = if scene.fixture.major() >= 14 { "ZM" } else { "Z" };
        assert!(ops(&events).ends_with(expected), "{}", ops(&events));
        assert!(ops(&events).starts_with("TRTR"), "{}", ops(&events));
        Rows::replayed(&events).assert_eq(&scene.source(), "");
    }
}

#[test]
fn readers_that_start_at_once_share_no_change() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        let source = scene.source();
        let read = |builder: ReaderBuilder| {
            let mut reader = builder.connect()?;
            let mut events: Vec<ChangeEvent> = Vec::new();
            while !events.last().is_some_and(is_end) {
                events.push(reader.next_in_time().expect("an event")?);
            }
            Ok::<_, Error>(events)
        };
        let builder = || scene.builder().acknowledge(Acknowledge::Never);
        let results: Vec<_> = thread::scope(|scope| {
            let threads = [(); 3].map(|()| {
                let builder = builder();
                scope.spawn(move || read(builder))
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for result in results {
            match result {
                Ok(events) => Rows::replayed(&events).assert_eq(&source, ""),
                Err(error) => panic!("{error}"),
            }
        }
        scene.fixture.database().wait_until_free(&scene.slot);
        Rows::replayed(&read(builder()).unwrap()).assert_eq(&source, "");
    }
}

/// The row that was read last is delivered before the table starts again.
#[test]
fn a_table_whose_connection_was_lost_starts_again_with_an_event_that_empties_it() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        // More than the buffers of a connection hold.
        let rows = "SELECT i, i, repeat('0123456789', 2000) FROM generate_series(10001, 11500) i";
        scene.fixture.run([&*format!("INSERT INTO big {rows}")]);
        let mut reader = scene.reader();
        let is_of_big = |event: &ChangeEvent| event.table().unwrap().name() == "big";
        let mut events = read_until(&mut reader, is_of_big);
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()";
        assert_eq!(scene.fixture.client().query(terminate, &[]).unwrap().len(), 1);
        scene.write();
        events.extend(read_until(&mut reader, is_end));
        assert_eq!(reader.health().reconnects, 1);
        assert_eq!(ops(&events), "RTRZ");
        let at = events.iter().position(|event| event.op() == Op::Truncate).unwrap();
        let (before, again) = (&events[at - 1], &events[at]);
        assert!(is_of_big(before) && is_of_big(again));
        assert!(!before.is_last() && before.lsn() < again.lsn());
        scene.write();
        scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
        events.extend(read_until(&mut reader, is_marker));
        Rows::replayed(&events).assert_eq(&scene.source(), "");
        reader.stop().unwrap();
    }
}

#[test]
fn a_temporary_slot_is_copied_and_streamed() {
    for server in servers() {
        let mut scene = Scene::new(server, false);
        scene.fixture.create_slot(&scene.slot);
        let temporary = |slot: &str| {
            let builder = scene.fixture.builder().slot(slot);
            builder.slot_creation(SlotCreation::Temporary).snapshot(Snapshot::initial()).connect()
        };
        // Not a permanent slot of this name.
        assert_eq!(temporary(&scene.slot).unwrap_err().sqlstate(), Some("42710"));
        let name = scene.fixture.database().slot_name("passing");
        let mut reader = temporary(&name).unwrap();
        let mut events = scene.read_and_write(&mut reader, is_end);
        scene.write();
        scene.fixture.run(["INSERT INTO wide (id) VALUES (77)"]);
        events.extend(read_until(&mut reader, is_marker));
        Rows::replayed(&events).assert_eq(&scene.source(), "");
        reader.stop().unwrap();
        let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{name}'");
        eventually("the slot to be dropped", || (scene.fixture.number(&slots) == 0).then_some(()));
    }
}

#[test]
fn other_encodings_are_copied_as_they_are_streamed() {
    for server in servers() {
        for (encoding, insert) in [
            ("LATIN1", "INSERT INTO t VALUES (1, E'caf\\xe9'), (2, 'plain')"),
            ("SQL_ASCII", "INSERT INTO t VALUES (1, E'caf\\xe9'), (2, 'plain')"),
        ] {
            let options = format!("ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
            let setup = "CREATE TABLE t (id int PRIMARY KEY, v text)";
            for is_binary in formats(server) {
                let scene = Scene::with_setup(server, &options, setup, *is_binary);
                scene.fixture.run([insert]);
                let copied = scene.read_with(|builder| builder);
                scene.fixture.run(["DELETE FROM t", insert]);
                let streamed = scene.resume(&copied.last().unwrap().position().to_string());
                assert_eq!((ops(&copied), ops(&streamed)), ("RZ".into(), "DI".into()));
                let rows = |events: &[ChangeEvent]| -> Vec<String> {
                    let rows = events.iter().filter(|event| event.after().is_some());
                    rows.map(|event| format!("{:?}", event.after())).collect()
                };
                assert_eq!(rows(&copied), rows(&streamed), "{encoding}");
            }
        }
    }
}

#[test]
fn what_a_copy_cannot_do_is_refused() {
    for server in servers() {
        let scene = Scene::new(server, false);
        let error = scene.builder().start_lsn("0/1".parse().unwrap()).connect().unwrap_err();
        let error = snapshot_error(error);
        assert!(matches!(error, SnapshotError::Excluded { option: "start_lsn", .. }), "{error}");
        let mut reader = scene.reader();
        let position = reader.next_in_time().unwrap().unwrap().position();
        reader.stop().unwrap();
        let builder = scene.fixture.builder().slot(&scene.slot);
        let error = snapshot_error(builder.resume(position).connect().unwrap_err());
        assert!(matches!(error, SnapshotError::NotRequested), "{error}");
        let stages = scene.builder().acknowledge(Acknowledge::Stages);
        let error = snapshot_error(stages.connect().unwrap_err());
        assert!(matches!(error, SnapshotError::Unknown { .. }), "{error}");
    }
}

#[test]
fn an_empty_database_has_only_an_end() {
    for server in servers() {
        let scene = Scene::with_setup(server, "", "CREATE TABLE t (id int PRIMARY KEY)", false);
        assert_eq!(ops(&scene.read_with(|builder| builder)), "Z");
        let fixture: &Fixture<'_> = &scene.fixture;
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let events = scene.read_with(|builder| builder);
        // Nothing was confirmed if nothing was written between the snapshot and the end.
        assert!(["I", "TRZ"].contains(&ops(&events).as_str()), "{}", ops(&events));
    }
}
