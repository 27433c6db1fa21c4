//! Names that are not UTF-8, which a SQL_ASCII database may contain: of published objects, and of
//! others.

use pgoutput_harness::{Server, servers, servers_from};
use pgoutput_reader::{
    Acknowledge, ColumnSchema, Connection, ErrorKind, ProtocolError, SlotCreation,
    StartReplication, StreamError, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, after, formats, json, stopped_in_time};

/// Returns statements with the byte `E9` for each `#`, for a session that may write it.
fn bytes(statements: &str) -> String {
    format!(
        r"SET client_encoding = SQL_ASCII; DO $do$ BEGIN
            EXECUTE pg_catalog.replace($q${statements}$q$, '#', E'\xe9'); END $do$"
    )
}

fn fixture<'s>(server: &'s Server, setup: &str) -> Fixture<'s> {
    let options = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
    Fixture::with_options(server, options, &bytes(setup))
}

const TYPES: &str = r#"
    CREATE SCHEMA "s#";
    CREATE TYPE "m#" AS ENUM ('ok');
    CREATE DOMAIN "s#".d AS int;
    CREATE TYPE c AS ("a#" int, m "m#");
    CREATE TYPE "r#" AS RANGE (SUBTYPE = int);
"#;

#[test]
fn type_names_are_shown_escaped_and_their_values_are_read() {
    for server in servers() {
        let table = r#"CREATE TABLE t
            (id int PRIMARY KEY, m "m#", a "m#"[], d "s#".d, c c, r "r#")"#;
        let fixture = fixture(server, &format!("{TYPES}{table}"));
        // A session in UTF8 writes to the tables whose names it can spell.
        fixture.run(["INSERT INTO t VALUES (1, 'ok', '{ok}', 5, '(7,ok)', '[1,3)')"]);
        for binary in formats(server) {
            let events = fixture.read_with(|builder| {
                builder
                    .options(StreamOptions::new().binary(*binary))
                    .acknowledge(Acknowledge::Never)
            });
            assert_eq!(
                after(&events[0]),
                r#"{"id":1,"m":"ok","a":["ok"],"d":5,"c":{"a\\xe9":7,"m":"ok"},"r":"[1,3)"}"#
            );
            let columns = events[0].table().unwrap().columns();
            let names: Vec<_> = columns.iter().map(ColumnSchema::type_name).collect();
            let expected =
                ["integer", r#""m\xe9""#, r#""m\xe9"[]"#, r#""s\xe9".d"#, "c", r#""r\xe9""#];
            assert_eq!(names, expected);
        }
    }
}

/// After a type is dropped, the stream is the only source of its name.
#[test]
fn a_dropped_type_has_the_name_of_the_stream() {
    for server in servers() {
        let fixture =
            fixture(server, r#"CREATE TYPE "m#" AS ENUM ('ok'); CREATE TABLE t (m "m#")"#);
        fixture.run(["INSERT INTO t VALUES ('ok')"]);
        fixture.run([&*bytes(r#"DROP TABLE t; DROP TYPE "m#""#)]);
        let events = fixture.read();
        assert_eq!(json(&events[0])["after"]["m"], "ok");
        let columns = events[0].table().unwrap().columns();
        assert_eq!(columns[0].type_name(), r"public.m\xe9");
    }
}

/// Every role may write messages.
#[test]
fn prefixes_and_origins_are_shown_escaped() {
    for server in servers_from(14) {
        let fixture = fixture(server, "CREATE TABLE t (id int)");
        let origin = fixture.database().slot_name("o#");
        fixture.run([&*bytes(&format!(
            "SELECT pg_catalog.pg_logical_emit_message(false, 'p#', 'content#');
             SELECT pg_catalog.pg_replication_origin_create('{origin}')"
        ))]);
        let from_origin = format!(
            r"SET client_encoding = SQL_ASCII;
              SELECT pg_catalog.pg_replication_origin_session_setup(
                  pg_catalog.replace('{origin}', '#', E'\xe9'));
              BEGIN; SELECT pg_catalog.pg_replication_origin_xact_setup('0/5', pg_catalog.now());
              INSERT INTO t VALUES (1); COMMIT;
              SELECT pg_catalog.pg_replication_origin_session_reset();
              SELECT pg_catalog.pg_replication_origin_drop(
                  pg_catalog.replace('{origin}', '#', E'\xe9'))"
        );
        fixture.run([&*from_origin]);
        let events =
            fixture.read_with(|builder| builder.options(StreamOptions::new().messages(true)));
        let message = events[0].logical_message().unwrap();
        assert_eq!((message.prefix, message.content), (r"p\xe9", &b"content\xe9"[..]));
        let name = events[1].transaction().unwrap().origin().unwrap().name.to_string();
        assert_eq!(name, origin.replace('#', r"\xe9"));
    }
}

/// Returns how many queries a reader has sent after it has read these tables.
fn queries_sent(fixture: &Fixture<'_>) -> u64 {
    let builder = fixture.builder().acknowledge(Acknowledge::Never);
    let mut reader = builder.until_lsn(fixture.end()).connect().unwrap();
    let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
    assert_eq!(events.len(), 40);
    let shown = format!("{reader:?}");
    let (_, queries) = shown.split_once("queries: ").unwrap();
    let queries = queries.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    reader.stop().unwrap();
    queries
}

#[test]
fn other_tables_are_still_queried_together() {
    for server in servers() {
        let tables = |body: &str| {
            let tables: Vec<String> = (0..40).map(|i| body.replace("$i", &i.to_string())).collect();
            tables.join(";")
        };
        let others = r#"CREATE TABLE other ("c#" int); CREATE TABLE "s#"."t#" (m "m#", c c);"#;
        let fixture = fixture(
            server,
            &format!("{TYPES}{others}{}", tables("CREATE TABLE t$i (id int PRIMARY KEY, c c)")),
        );
        fixture.run([&*tables("INSERT INTO t$i VALUES ($i, '(1,ok)')")]);
        let queries = queries_sent(&fixture);
        // One by one, each table takes a query for its columns and two for its types.
        assert!(queries < 60, "{queries} queries: each table was queried alone");
    }
}

#[test]
fn tables_without_an_identity_are_reported_escaped() {
    for server in servers() {
        let fixture = fixture(
            server,
            r#"CREATE SCHEMA "s#"; CREATE TABLE "s#"."t#" (a int); CREATE TABLE t (a int)"#,
        );
        let mut reader = fixture.reader();
        let published = reader.published().unwrap();
        let expected = [("public", "t"), (r"s\xe9", r"t\xe9")];
        let expected = expected.map(|(schema, table)| (schema.to_owned(), table.to_owned()));
        assert_eq!(published.refused[0].names, expected);
        reader.stop().unwrap();
    }
}

/// Reads a table whose names are not text, and returns the error.
fn refused(server: &Server, table: &str, insert: &str) -> (StreamError, String) {
    let fixture = fixture(server, table);
    fixture.run([&*bytes(insert)]);
    let mut reader = fixture.reader();
    let error = reader.in_time().next().unwrap().unwrap_err();
    drop(reader);
    fixture.wait_until_free();

    // The stream itself returns the same error, and the message undecoded.
    let start = StartReplication::new(fixture.slot_name(), [pgoutput_tests::PUBLICATION]);
    let config = fixture.database().dsn().parse().unwrap();
    let mut stream = Connection::connect(&config).unwrap().stream(&start).unwrap();
    let of_stream = stream.in_time().find_map(Result::err).unwrap();
    assert_eq!(of_stream.to_string(), error.to_string());
    drop(stream);
    fixture.wait_until_free();
    let mut stream = Connection::connect(&config).unwrap().stream(&start).unwrap();
    let mut position = pgoutput_decode::Lsn::ZERO;
    let wait = stopped_in_time("a table with a name that is not UTF-8", stream.stop_handle());
    loop {
        let frame = stream.next_frame().unwrap().unwrap();
        position = position.max(frame.wal_start);
        if frame.data.first() == Some(&b'R') {
            assert!(frame.data.contains(&0xe9));
            break;
        }
    }
    wait.done();
    drop(stream);
    fixture.wait_until_free();
    let ErrorKind::Stream(kind) = error.kind() else { panic!("{error}") };
    assert!(
        matches!(kind, StreamError::NameNotUtf8 { lsn, .. } if *lsn == position && !lsn.is_zero())
    );
    (kind.clone(), error.to_string())
}

#[test]
fn a_published_table_is_reported_escaped_with_its_column() {
    for server in servers() {
        for (setup, insert, field, name, table) in [
            (
                r#"CREATE TABLE t (id int, "c#" int)"#,
                "INSERT INTO t VALUES (1, 2)",
                "column name",
                r"c\xe9",
                "public.t",
            ),
            (
                r#"CREATE TABLE "t#" (id int)"#,
                r#"INSERT INTO "t#" VALUES (1)"#,
                "relation name",
                r"t\xe9",
                r"public.t\xe9",
            ),
            (
                r#"CREATE SCHEMA "s#"; CREATE TABLE "s#".t (id int)"#,
                r#"INSERT INTO "s#".t VALUES (1)"#,
                "namespace",
                r"s\xe9",
                r"s\xe9.t",
            ),
        ] {
            let (error, shown) = refused(server, setup, insert);
            let StreamError::NameNotUtf8 { lsn, .. } = error else { panic!("{error}") };
            let expected = StreamError::NameNotUtf8 {
                field,
                name: name.into(),
                table: Some(table.into()),
                type_name: None,
                lsn,
            };
            assert_eq!(error, expected);
            let start = format!("{field} \"{name}\" of table {table} at WAL {lsn} is not UTF-8: ");
            assert!(shown.starts_with(&start), "{shown}");
        }
    }
}

#[test]
fn a_blocking_session_is_reported_escaped() {
    for server in servers() {
        let fixture = fixture(server, "CREATE TABLE t (id int)");
        let role = fixture.database().slot_name("role");
        fixture.run([&format!("CREATE ROLE {role} SUPERUSER LOGIN") as &str]);
        let mut config: postgres::Config = fixture.database().dsn().parse().unwrap();
        let mut blocking = config.user(&role).connect(postgres::NoTls).unwrap();
        blocking.batch_execute("BEGIN; INSERT INTO t VALUES (1)").unwrap();
        fixture.run([&*bytes(&format!(r#"ALTER ROLE {role} RENAME TO "{role}#""#))]);

        let (sender, users) = std::sync::mpsc::channel();
        let (database, slot) = (fixture.database().dsn(), fixture.database().slot_name("new"));
        let builder = pgoutput_reader::Reader::builder(&database)
            .slot(&slot)
            .publication(pgoutput_tests::PUBLICATION)
            .slot_creation(SlotCreation::IfMissing)
            .slot_wait_limit(std::time::Duration::from_secs(4))
            .on_slot_wait(move |wait| {
                let users: Vec<_> =
                    wait.sessions.iter().map(|session| session.user.clone()).collect();
                sender.send(users).unwrap();
            });
        let error = builder.connect().unwrap_err().to_string();
        assert_eq!(users.try_recv().unwrap(), [Some(format!(r"{role}\xe9"))]);
        assert!(error.contains(&format!(r"user {role}\xe9")), "{error}");
        drop(blocking);
        fixture.run([&*bytes(&format!(r#"DROP ROLE "{role}#""#))]);
    }
}

#[test]
fn an_answer_that_is_not_utf8_is_an_error_with_its_column() {
    for server in servers() {
        let fixture = fixture(server, "");
        let config = fixture.database().dsn().parse().unwrap();
        let mut connection = Connection::connect(&config).unwrap();
        connection.simple_query("SET client_encoding TO SQL_ASCII").unwrap();
        let as_hex = "SELECT pg_catalog.encode(pg_catalog.textsend(E'\\xe9'), 'hex') AS hex";
        let answer = connection.simple_query(as_hex).unwrap();
        assert_eq!(answer[0].rows[0].get("hex"), Some("e9"));
        let error = connection.simple_query("SELECT 1 AS a, E'\\xe9' AS b").unwrap_err();
        let expected = ProtocolError::ValueNotUtf8 { column: "b".into() };
        assert!(matches!(error.kind(), ErrorKind::Protocol(kind) if *kind == expected), "{error}");
    }
}
