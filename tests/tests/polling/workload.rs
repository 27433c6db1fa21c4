//! Changes of every kind that a server of each version can send.

use std::io::Write as _;

use pgoutput_harness::Server;
use pgoutput_reader::{Origin, StreamOptions, Streaming};
use pgoutput_tests::Fixture;

pub(crate) const SETUP: &str = r#"
    CREATE TYPE feeling AS ENUM ('sad', 'so so', 'happy');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN code AS varchar(8);
    CREATE TABLE t (id int PRIMARY KEY, n numeric, v text);
    CREATE TABLE kinds (id int PRIMARY KEY, f feeling, p pair, c code, m money, ts timestamptz,
        iv interval, fl float8, by bytea, js jsonb, ar int[], rg int4range, o oid, rc regclass);
    CREATE TABLE full_row (id int, note text);
    ALTER TABLE full_row REPLICA IDENTITY FULL;
    CREATE TABLE toasted (id int PRIMARY KEY, large text, small text);
    ALTER TABLE toasted ALTER large SET STORAGE EXTERNAL;
    CREATE TABLE "Añ ""o" ("Id" int PRIMARY KEY, "groß" text);
    CREATE TABLE no_columns ();
    CREATE TABLE large (id int PRIMARY KEY, note text);
    ALTER TABLE large ALTER note SET STORAGE PLAIN"#;

/// A row that makes a transaction large with `logical_decoding_work_mem = 64kB`.
const FILL: &str = "INSERT INTO large SELECT $ * 100 + n, repeat('f', 7900) \
                    FROM generate_series(1, 20) AS n";

/// Writes everything.
pub(crate) fn write(fixture: &Fixture<'_>) {
    fixture.run([
        "INSERT INTO t VALUES (1, 1.50, 'one'), (2, NULL, E'two\\nlines'), (3, 'NaN', '')",
        "UPDATE t SET v = 'changed' WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2",
        "BEGIN; INSERT INTO t VALUES (30, 1, 'kept'); SAVEPOINT a; INSERT INTO t VALUES (31, 1, \
         ''); ROLLBACK TO a; SAVEPOINT b; INSERT INTO t VALUES (32, 1, 'kept'); RELEASE b; COMMIT",
        "BEGIN; DELETE FROM t; ROLLBACK",
        "INSERT INTO kinds VALUES (1, 'so so', (1, 'a, \"b\"'), 'x', '12.34', \
         '2020-02-29 12:34:56.789+02', '1 mon 2 days 03:04:05', 0.1, '\\xdeadbeef', \
         '{\"a\": [1, null]}', '{1,NULL,3}', '[1,5)', 7, 'pg_catalog.pg_class'), \
         (2, NULL, NULL, NULL, NULL, 'infinity', '-1 year', 'NaN', '', 'null', '{}', \
         'empty', 0, NULL)",
        "INSERT INTO full_row VALUES (1, 'a'), (2, NULL); UPDATE full_row SET note = 'b' WHERE id \
         = 1; DELETE FROM full_row WHERE id = 2",
        "INSERT INTO toasted VALUES (1, repeat('large ', 2000), 'a'); \
         UPDATE toasted SET small = 'b'; UPDATE toasted SET id = 2",
        "INSERT INTO \"Añ \"\"o\" VALUES (1, 'ü'); UPDATE \"Añ \"\"o\" SET \"Id\" = 2",
        "INSERT INTO no_columns DEFAULT VALUES",
    ]);
    let mut client = fixture.client();
    let mut copy = client.copy_in("COPY t FROM STDIN").unwrap();
    copy.write_all(b"40\t4.0\tforty\n41\t\\N\t\\N\n42\t42\ta\\tb\n").unwrap();
    copy.finish().unwrap();
    fixture.run([
        "ALTER TABLE t ADD added date",
        "INSERT INTO t VALUES (50, 1, 'new column', '2020-02-29')",
        "ALTER TABLE t RENAME n TO amount; ALTER TABLE t DROP v",
        "UPDATE t SET amount = 3 WHERE id = 50",
        "ALTER TABLE t ALTER amount TYPE text; INSERT INTO t VALUES (51, 'text', NULL)",
        "TRUNCATE full_row, toasted",
        "CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1); \
         DROP TABLE no_columns",
    ]);
    if fixture.major() >= 14 {
        fixture.run([
            "SELECT pg_logical_emit_message(false, 'outside', 'text ü')",
            "BEGIN; INSERT INTO made VALUES (2); SELECT pg_logical_emit_message(true, 'in', \
             '\\x00ff'); SELECT pg_logical_emit_message(false, 'beside', ''); ROLLBACK",
            "BEGIN; INSERT INTO made VALUES (3); \
             SELECT pg_logical_emit_message(true, 'in', 'it'); COMMIT",
        ]);
    }
    origin(fixture);
    large(fixture);
    prepared(fixture);
    fixture.run(["INSERT INTO made VALUES (99)"]);
}

fn origin(fixture: &Fixture<'_>) {
    // Origins belong to the cluster. Servers before 15 send an empty message for one that does not
    // exist when a transaction starts, so it stays, and is not created by one that has it.
    let name = fixture.database().name().to_owned();
    let mut client = fixture.client();
    for function in ["create", "session_setup"] {
        let statement = format!("SELECT pg_replication_origin_{function}('{name}')");
        client.batch_execute(&statement).unwrap();
    }
    client
        .batch_execute(
            "BEGIN; SELECT pg_replication_origin_xact_setup('1/ABCDEF', '2020-01-01 00:00+00'); \
             INSERT INTO made VALUES (4); COMMIT",
        )
        .unwrap();
}

/// Transactions larger than the server's decoding memory, one inside of the time of another.
fn large(fixture: &Fixture<'_>) {
    let fill = |number: u32| FILL.replace('$', &number.to_string());
    let (mut first, mut second) = (fixture.client(), fixture.client());
    let mut run = |client: u8, statement: &str| {
        let client = if client == 1 { &mut first } else { &mut second };
        client.batch_execute(statement).unwrap();
    };
    run(1, "BEGIN");
    run(1, &fill(1));
    run(2, "BEGIN");
    run(2, &fill(2));
    run(1, "SAVEPOINT lost");
    run(1, &fill(3));
    run(1, "ROLLBACK TO lost");
    run(2, "UPDATE large SET note = 'u' WHERE id = 201; COMMIT");
    run(1, "ALTER TABLE large ADD more int");
    run(1, "INSERT INTO large VALUES (400, 'three columns', 1)");
    run(1, "COMMIT");
    run(1, "BEGIN");
    run(1, "INSERT INTO large SELECT 500 + n, repeat('g', 7900), n FROM generate_series(1, 20) n");
    run(1, "ROLLBACK");
}

fn prepared(fixture: &Fixture<'_>) {
    let gid = fixture.database().name().to_owned();
    for (id, rows, end) in [(601, 1, "COMMIT"), (701, 1, "ROLLBACK"), (801, 20, "COMMIT")] {
        let mut client = fixture.client();
        client
            .batch_execute(&format!(
                "BEGIN; INSERT INTO large SELECT {id} + n, repeat('p', 7900), n \
                 FROM generate_series(1, {rows}) AS n; PREPARE TRANSACTION '{gid}'"
            ))
            .unwrap();
        client.batch_execute(&format!("{end} PREPARED '{gid}'")).unwrap();
    }
}

/// A set of options, with a name for messages.
pub(crate) type Variant = (&'static str, StreamOptions);

/// Returns the sets of options that a server has.
pub(crate) fn variants(server: &Server) -> Vec<Variant> {
    let new = StreamOptions::new;
    let all = [
        (10, "protocol 1", new().proto_version(1).streaming(Streaming::Off)),
        (10, "default", new()),
        (14, "messages", new().messages(true).streaming(Streaming::Off)),
        (14, "binary", new().binary(true).messages(true)),
        (14, "streaming", new().messages(true).streaming(Streaming::On)),
        (15, "two_phase", new().two_phase(true).streaming(Streaming::Off)),
        (15, "streaming, two_phase", new().two_phase(true).streaming(Streaming::On)),
        (16, "parallel", new().two_phase(true).streaming(Streaming::Parallel)),
        (16, "origin", new().origin(Origin::None)),
    ];
    all.into_iter()
        .filter(|(since, ..)| server.major() >= *since)
        .map(|(_, name, options)| (name, options))
        .collect()
}

/// Starts a server of each selected version that streams transactions from 64 kB on.
pub(crate) fn with_each_server(test: impl Fn(&Server)) {
    for shared in pgoutput_harness::servers() {
        if shared.major() < 14 {
            test(shared);
            continue;
        }
        let own = Server::builder().small_decoding_memory().start(shared.major()).unwrap();
        test(&own);
    }
}
