//! The options of a reader, and their errors on servers without support.

use pgoutput_decode::Lsn;
use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{ErrorKind, Origin, ReaderBuilder, SetupError, SlotCreation, StreamOptions};
use pgoutput_tests::{Fixture, InTime as _, eventually, json};
use serde_json::json;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

#[test]
fn publication_names_are_used_literally() {
    for server in servers() {
        let names = [
            "Capitals",
            "with space",
            "com,ma",
            "dou\"ble",
            "sin'gle",
            "back\\slash",
            " ",
            "ünï",
            "E'\\'",
            "a\nb",
        ];
        let fixture = Fixture::new(server, TABLE);
        for name in names {
            let quoted = name.replace('"', "\"\"");
            fixture.run([&format!("CREATE PUBLICATION \"{quoted}\" FOR TABLE t") as &str]);
        }
        fixture.run(["DROP PUBLICATION everything"]);
        let slot = fixture.database().slot_name("names");
        fixture.create_slot(&slot);
        for (id, name) in names.iter().enumerate() {
            fixture.run([&format!("INSERT INTO t VALUES ({id})") as &str]);
            let mut reader = pgoutput_reader::Reader::builder(&fixture.database().dsn())
                .slot(&slot)
                .publication(*name)
                .until_lsn(fixture.end())
                .connect()
                .unwrap_or_else(|e| panic!("{name:?}: {e}"));
            let found: Vec<_> =
                reader.in_time().map(|event| json(&event.unwrap())["after"].clone()).collect();
            assert_eq!(found, [json!({"id": id})], "{name:?}");
            reader.stop().unwrap();
        }
    }
}

#[test]
fn several_publications_publish_the_tables_of_all() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int);
             CREATE PUBLICATION \"of a\" FOR TABLE a;
             CREATE PUBLICATION \"of,b\" FOR TABLE b WITH (publish = 'insert')",
        );
        fixture.run([
            "INSERT INTO a VALUES (1)",
            "INSERT INTO c VALUES (1)",
            "INSERT INTO b VALUES (1)",
        ]);
        let mut reader = pgoutput_reader::Reader::builder(&fixture.database().dsn())
            .slot(fixture.slot_name())
            .publication("of a")
            .publication("of,b")
            .until_lsn(fixture.end())
            .connect()
            .unwrap();
        let tables: Vec<_> = reader
            .in_time()
            .map(|event| event.unwrap().table().unwrap().name().to_owned())
            .collect();
        assert_eq!(tables, ["a", "b"]);
    }
}

fn refusal(builder: ReaderBuilder) -> pgoutput_reader::Error {
    let error = builder.connect().unwrap_err();
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    error
}

#[test]
fn a_missing_slot_is_created_only_on_request() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("missing");
        let error = refusal(fixture.builder().slot(&slot));
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Setup(SetupError::SlotMissing { slot: named }) if *named == slot
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains("--create-slot"), "{error}");
        assert!(error.to_string().contains(&slot), "{error}");

        let reader =
            fixture.builder().slot(&slot).slot_creation(SlotCreation::IfMissing).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        reader.stop().unwrap();
        // The slot remains, and is used unchanged the next time.
        let events =
            fixture.read_with(|builder| builder.slot(&slot).slot_creation(SlotCreation::IfMissing));
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn a_slot_name_is_never_taken_as_sql() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let name = fixture.database().name();
        fixture
            .run([&format!("ALTER DATABASE {name} SET standard_conforming_strings = off") as &str]);
        for slot in ["it's", "back\\", "\\'; DROP TABLE t; --", "Capital"] {
            let error = refusal(fixture.builder().slot(slot));
            assert!(
                matches!(error.kind(), ErrorKind::Setup(SetupError::SlotMissing { .. })),
                "{slot}: {error}"
            );
            let error =
                refusal(fixture.builder().slot(slot).slot_creation(SlotCreation::IfMissing));
            assert_eq!(error.sqlstate(), Some("42602"), "{slot}: {error}");
            assert!(error.to_string().contains("lower-case letters"), "{error}");
        }
        fixture.run(["INSERT INTO t VALUES (1)"]);
    }
}

#[test]
fn a_missing_publication_is_named_with_advice_on_every_version() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("none");
        let error = refusal(
            fixture
                .builder()
                .slot(&slot)
                .slot_creation(SlotCreation::IfMissing)
                .publication("ab,sent")
                .publication("x"),
        );
        let ErrorKind::Setup(SetupError::PublicationMissing { missing, existing, database }) =
            error.kind()
        else {
            panic!("{error:?}")
        };
        assert_eq!(
            (&missing[..], &existing[..]),
            (&["ab,sent".into(), "x".into()][..], &["everything".into()][..])
        );
        assert_eq!(database, fixture.database().name());
        let text = error.to_string();
        assert!(
            text.contains("ab,sent")
                && text.contains("CREATE PUBLICATION")
                && text.contains("everything"),
            "{text}"
        );
        let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
        assert_eq!(fixture.number(&slots), 0, "a slot remains");
    }
}

#[test]
fn a_temporary_slot_is_dropped_with_its_reader() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("temporary");
        let count = || {
            let slots =
                format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
            fixture.number(&slots)
        };
        let mut reader =
            fixture.builder().slot(&slot).slot_creation(SlotCreation::Temporary).connect().unwrap();
        assert_eq!(count(), 1);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(json(&reader.next_in_time().unwrap().unwrap())["after"], json!({"id": 1}));
        reader.stop().unwrap();
        eventually("the slot to be dropped", || (count() == 0).then_some(()));

        // An existing slot is not used instead.
        let error = refusal(fixture.builder().slot_creation(SlotCreation::Temporary));
        assert_eq!(error.sqlstate(), Some("42710"), "{error}");
    }
}

#[test]
fn start_lsn_skips_earlier_commits() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let start = fixture.end();
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let ids = |events: Vec<_>| -> Vec<_> {
            events.iter().map(|e| json(e)["after"]["id"].clone()).collect()
        };
        assert_eq!(ids(fixture.read_with(|builder| builder.start_lsn(start))), [2]);
        // A position before the slot's confirmed LSN has no effect.
        fixture.run(["INSERT INTO t VALUES (3)"]);
        assert_eq!(ids(fixture.read_with(|builder| builder.start_lsn(Lsn::new(1)))), [3]);
    }
}

#[test]
fn until_lsn_ends_after_earlier_commits_and_without_changes() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        assert!(fixture.read().is_empty());
        fixture.run(["INSERT INTO t VALUES (1), (2)", "INSERT INTO t VALUES (3)"]);
        let until = fixture.end();
        fixture.run(["INSERT INTO t VALUES (4)", "INSERT INTO t VALUES (5)"]);
        let builder = fixture.builder().until_lsn(until);
        let mut reader = builder.connect().unwrap();
        let ids: Vec<_> =
            reader.in_time().map(|e| json(&e.unwrap())["after"]["id"].clone()).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(reader.next_in_time().is_none());
        reader.stop().unwrap();
        let rest: Vec<_> = fixture.read_json().iter().map(|e| e["after"]["id"].clone()).collect();
        assert_eq!(rest, [4, 5]);
    }
}

#[test]
fn until_lsn_at_a_commit_record_excludes_it_and_after_it_includes_it() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2)"]);
        let all =
            fixture.read_with(|builder| builder.acknowledge(pgoutput_reader::Acknowledge::Never));
        let commit = all[1].transaction().unwrap().commit_lsn();
        for (until, expected) in [(commit, 1), (Lsn::new(commit.as_u64() + 1), 2)] {
            let mut reader = fixture
                .builder()
                .acknowledge(pgoutput_reader::Acknowledge::Never)
                .until_lsn(until)
                .connect()
                .unwrap();
            assert_eq!(reader.in_time().map(Result::unwrap).count(), expected);
            drop(reader);
            fixture.wait_until_free();
        }
    }
}

#[test]
fn origin_none_skips_replicated_changes() {
    for server in servers_from(16) {
        let fixture = Fixture::new(server, TABLE);
        let origin = fixture.database().slot_name("origin");
        fixture.run([
            "INSERT INTO t VALUES (1)",
            &format!("SELECT pg_replication_origin_create('{origin}')"),
        ]);
        let mut client = fixture.client();
        client
            .batch_execute(&format!("SELECT pg_replication_origin_session_setup('{origin}')"))
            .unwrap();
        client
            .batch_execute(
                "BEGIN; SELECT pg_replication_origin_xact_setup('AB/CD', now());
                 INSERT INTO t VALUES (2); COMMIT",
            )
            .unwrap();
        drop(client);
        let read = |origin| {
            let events = fixture.read_with(|builder| {
                builder
                    .options(StreamOptions::new().origin(origin))
                    .acknowledge(pgoutput_reader::Acknowledge::Never)
            });
            events.iter().map(json).collect::<Vec<_>>()
        };
        let own = read(Origin::None);
        assert_eq!(own.len(), 1);
        assert_eq!(own[0].get("origin"), None);
        let all = read(Origin::Any);
        assert_eq!(all.len(), 2);
        assert_eq!(all[1]["origin"], json!({"name": origin, "commit_lsn": 0xAB_0000_00CD_u64}));
        let drop = format!("SELECT pg_replication_origin_drop('{origin}')");
        eventually("the session to release its origin", || {
            fixture.client().batch_execute(&drop).ok()
        });
    }
}

#[test]
fn messages_are_delivered_in_and_outside_of_transactions() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, TABLE);
        fixture.run([
            "INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'in', 'text')",
            "SELECT pg_logical_emit_message(false, 'out', '\\x00ff'::bytea)",
            "INSERT INTO t VALUES (2)",
        ]);
        let found = fixture.read_with(|builder| {
            builder
                .options(StreamOptions::new().messages(true))
                .acknowledge(pgoutput_reader::Acknowledge::Never)
        });
        let events: Vec<_> = found.iter().map(json).collect();
        let ops: Vec<_> = events.iter().map(|event| event["op"].as_str().unwrap()).collect();
        assert_eq!(ops, ["I", "M", "M", "I"]);
        assert_eq!(
            events[1]["message"],
            json!({"transactional": true, "prefix": "in", "content": "text"})
        );
        assert_eq!(events[1]["transaction"], events[0]["transaction"]);
        assert_eq!(events[1]["table_schema"], json!(null));
        assert_eq!(
            events[2]["message"],
            json!({"transactional": false, "prefix": "out", "content_hex": "00ff"})
        );
        assert_eq!(events[2]["transaction"], json!(null));
        let mut ids: Vec<_> = found.iter().map(pgoutput_reader::ChangeEvent::message_id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4);
        // Without the option, messages are not delivered, and the rest is the same.
        let rows: Vec<_> = fixture.read().iter().map(json).collect();
        assert_eq!(rows, [events[0].clone(), events[3].clone()]);
    }
}

#[test]
fn a_message_outside_of_transactions_beyond_until_lsn_is_not_delivered() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let until = fixture.end();
        fixture
            .run(["SELECT pg_logical_emit_message(false, 'late', '')", "INSERT INTO t VALUES (2)"]);
        let mut reader = fixture
            .builder()
            .options(StreamOptions::new().messages(true))
            .until_lsn(until)
            .connect()
            .unwrap();
        assert_eq!(reader.in_time().map(Result::unwrap).count(), 1);
    }
}

#[test]
fn a_message_whose_record_ends_at_until_lsn_is_delivered() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, TABLE);
        let emit = "SELECT pg_logical_emit_message(false, 'last', 'word')::text";
        let until: String = fixture.database().client().query_one(emit, &[]).unwrap().get(0);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let until = until.parse().unwrap();
        let mut reader = fixture
            .builder()
            .options(StreamOptions::new().messages(true))
            .until_lsn(until)
            .connect()
            .unwrap();
        let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].logical_message().unwrap().content, b"word");
    }
}

#[test]
fn start_lsn_ahead_of_the_log_is_rejected_and_loses_nothing() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let error = fixture.builder().start_lsn(Lsn::MAX).connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
        assert_eq!(fixture.read().len(), 1);
    }
}

#[test]
fn an_option_of_newer_servers_names_their_version_and_leaves_no_slot() {
    type Set = fn(ReaderBuilder) -> ReaderBuilder;
    let options: [(&str, u32, Set); 6] = [
        ("binary", 14, |builder| builder.options(StreamOptions::new().binary(true))),
        ("messages", 14, |builder| builder.options(StreamOptions::new().messages(true))),
        ("origin", 16, |builder| builder.options(StreamOptions::new().origin(Origin::None))),
        ("proto_version 2", 14, |builder| builder.options(StreamOptions::new().proto_version(2))),
        ("proto_version 3", 15, |builder| builder.options(StreamOptions::new().proto_version(3))),
        ("proto_version 4", 16, |builder| builder.options(StreamOptions::new().proto_version(4))),
    ];
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("unsupported");
        for (name, needs, set) in options {
            let builder = set(fixture.builder().slot(&slot).slot_creation(SlotCreation::IfMissing));
            if server.major() >= needs {
                builder.connect().unwrap_or_else(|e| panic!("{name}: {e}")).stop().unwrap();
                pgoutput_reader::Connection::connect(&fixture.database().dsn().parse().unwrap())
                    .unwrap()
                    .drop_slot(&slot, true)
                    .unwrap();
                continue;
            }
            let error = refusal(builder);
            assert!(
                matches!(
                    error.kind(),
                    ErrorKind::Unsupported { option, needed, .. }
                        if *option == name && *needed == needs
                ),
                "{error:?}"
            );
            assert!(error.to_string().contains(&format!("PostgreSQL {needs}")), "{error}");
            let slots =
                format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
            assert_eq!(fixture.number(&slots), 0, "{name} left a slot");
        }
    }
}

#[test]
fn every_protocol_version_delivers_the_same_events() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run([
            "INSERT INTO t VALUES (1), (2)",
            "UPDATE t SET id = 3 WHERE id = 1",
            "DELETE FROM t",
        ]);
        let newest = match server.major() {
            ..=13 => 1,
            14 => 2,
            15 => 3,
            _ => 4,
        };
        let read = |version| {
            let events = fixture.read_with(|builder| {
                builder
                    .options(StreamOptions::new().proto_version(version))
                    .acknowledge(pgoutput_reader::Acknowledge::Never)
            });
            events.iter().map(pgoutput_tests::line).collect::<Vec<_>>()
        };
        let first = read(1);
        assert_eq!(first.len(), 5);
        for version in 2..=newest {
            assert_eq!(read(version), first, "protocol version {version}");
        }
    }
}
