//! Law 14: the replay of a capture equals the live run, byte for byte.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgoutput_harness::Server;
use pgoutput_reader::{Reader, ReplayBuilder};
use pgoutput_tests::{Fixture, Forward, Proxy, line};

use crate::program::{assert_same, printed, reads, replayed, reported};
use crate::with_servers;
use crate::workload::{Workload, setup};

const TYPES: &str = "
    CREATE TYPE pair AS (n int, label text);
    CREATE TYPE list AS (pairs pair[], at timestamptz);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE TYPE span AS RANGE (subtype = float8);
    CREATE TABLE types (
        id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric,
        n2 numeric(8,3),
        m money, t text, v varchar(9), c char(4), q \"char\", nm name, by bytea, u uuid, d date,
        ti time,
        tz timetz, ts timestamp, tsz timestamptz, iv interval, j json, jb jsonb, ip inet,
        mac macaddr,
        bits bit varying, pt point, bx box, r regclass, ia int[], ta text[], ir int4range,
        tv tsvector,
        e mood, ea mood[], p pair, pa pair[], l list, dom positive, sp span);
    CREATE TABLE wide (id int PRIMARY KEY, large text, small text);
    ALTER TABLE wide ALTER large SET STORAGE EXTERNAL;
    CREATE TABLE full_identity (a int, b text);
    ALTER TABLE full_identity REPLICA IDENTITY FULL;
    CREATE TABLE gone (id int PRIMARY KEY, p pair);
    CREATE TABLE \"Of All \"\" Names\" (\"Id\" int PRIMARY KEY, \"a b\" text);";

/// Each is a transaction.
const STATEMENTS: &[&str] = &[
    "INSERT INTO types VALUES (1, true, -7, 1e15, 1.5, 'NaN', 1234.5600, -1.5, 12.34,
        E'\\'\"\\\\\ttab ü\u{1F600}',
        'abc', 'ab', 'x', 'a name', '\\x00ff27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
        '-infinity', '24:00',
        '12:34:56+02', 'infinity', '2024-02-29 12:34:56.789+02', '1 year -3 days 04:05:06',
        '{\"a\":[1,null]}',
        '[]', '192.168.0.1/24', '08:00:2b:01:02:03', '10101', '(1,-2.5)', '(1,1),(0,0)', 'pg_class',
        '[0:1][-1:0]={{1,2},{3,4}}', '{a,NULL,\"NULL\"}', '[1,5)', 'fat:2,4B', 'ok', '{ok,sad}',
        '(1,one)',
        '{\"(2,two)\",\"(3,)\"}', '(\"{\"\"(4,four)\"\"}\",2024-01-01 00:00:00+00)', 7,
        '[0.5,1.5)')",
    "INSERT INTO types (id) VALUES (2), (3)",
    "UPDATE types SET m = 99.99, e = 'sad', id = 30 WHERE id = 3",
    "INSERT INTO wide VALUES (1, repeat('0123456789', 3000), 'a')",
    "UPDATE wide SET small = 'b'",
    "INSERT INTO full_identity VALUES (1, 'x'), (1, 'x'), (NULL, NULL)",
    "UPDATE full_identity SET b = 'y' WHERE a = 1; DELETE FROM full_identity WHERE a IS NULL",
    "INSERT INTO gone VALUES (1, '(1,g)'); INSERT INTO \"Of All \"\" Names\" VALUES (1, 'x')",
    "DROP TABLE gone",
    "ALTER TYPE pair ADD ATTRIBUTE more numeric CASCADE",
    "INSERT INTO types (id, p, pa) VALUES (4, '(1,x,2.50)', '{\"(1,y,3.0)\"}')",
    "ALTER TABLE wide ADD extra mood DEFAULT 'ok'; INSERT INTO wide VALUES (2, 'l', 's')",
    "ALTER TABLE wide DROP small; UPDATE wide SET extra = 'sad' WHERE id = 2",
    "ALTER TABLE wide RENAME extra TO other; ALTER TABLE wide ALTER id TYPE bigint;
        DELETE FROM wide WHERE id = 2",
    "ALTER TYPE mood ADD VALUE 'new'",
    "INSERT INTO types (id, e) VALUES (5, 'new')",
    "BEGIN; SAVEPOINT a; INSERT INTO wide VALUES (3, 'rolled back'); ROLLBACK TO a;
        INSERT INTO wide VALUES (4, 'kept'); COMMIT",
    "DROP TYPE list CASCADE",
    "INSERT INTO types (id) VALUES (6)",
    "DELETE FROM types WHERE id = 1",
    "TRUNCATE types, wide CASCADE",
];

const MESSAGES: &str = "SELECT pg_logical_emit_message(false, 'alone', 'content');
    BEGIN; SELECT pg_logical_emit_message(true, 'in', ''); INSERT INTO shared VALUES (-1, 'm');
    COMMIT";

/// The options of the stream.
fn streams(major: u32) -> Vec<&'static [&'static str]> {
    let mut streams: Vec<&[&str]> = vec![&[]];
    if major >= 14 {
        streams.push(&["--streaming", "off", "--binary"]);
        streams.push(&["--streaming", "on", "--messages"]);
    }
    if major >= 15 {
        streams.push(&["--two-phase", "--binary"]);
    }
    if major >= 16 {
        streams.push(&["--streaming", "parallel", "--messages", "--origin", "none"]);
    }
    streams
}

/// The options of the output.
const OUTPUTS: [&[&str]; 4] = [
    &[],
    &["--schema", "once", "--lsn-format", "hex", "--position"],
    &["--commits", "--schema-changes", "--numeric-strings", "--bigint-strings"],
    &["--format", "json", "--limit", "25"],
];

/// Closes the connection in the middle of some of the messages.
fn cutting(server: &Server) -> Proxy {
    let seen = AtomicUsize::new(0);
    Proxy::before(server.port(), move |payload| {
        let at = seen.fetch_add(1, Ordering::SeqCst);
        if !matches!(at, 17 | 60 | 61 | 150 | 400) {
            return Forward::Pass;
        }
        let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
        let whole = [&b"d"[..], &length, payload].concat();
        Forward::Close(whole[..whole.len() * (at % 4) / 4].to_vec())
    })
}

fn write(fixture: &Fixture<'_>) {
    for statement in STATEMENTS {
        fixture.run([statement]);
    }
    if fixture.major() >= 14 {
        fixture.run([MESSAGES]);
    }
    let mut workload = Workload::new(fixture, 7);
    workload.run(250);
}

fn create_slot(fixture: &Fixture<'_>, two_phase: bool) -> String {
    let name = fixture.database().slot_name("equal");
    let two_phase = if two_phase { ", false, true" } else { "" };
    fixture.run([&format!(
        "SELECT pg_create_logical_replication_slot('{name}', 'pgoutput'{two_phase})"
    )]);
    name
}

#[test]
fn a_replay_prints_what_the_live_run_printed() {
    with_servers(|server| {
        let fixture = Fixture::new(server, &format!("{} {TYPES}", setup()));
        let streams = streams(server.major());
        let slots: Vec<_> = streams
            .iter()
            .map(|stream| create_slot(&fixture, stream.contains(&"--two-phase")))
            .collect();
        write(&fixture);
        let end = fixture.end().to_string();
        let folder = tempfile::tempdir().unwrap();
        for (stream, slot) in streams.iter().zip(&slots) {
            let context = format!("PostgreSQL {} {stream:?}", server.major());
            let file = folder.path().join(slot);
            let proxy = cutting(server);
            let own = format!("port={}", server.port());
            let dsn = fixture.database().dsn_tcp().replace(&own, &format!("port={}", proxy.port()));
            let mut capture = reads("capture", &format!("{dsn} sslmode=disable"), slot);
            capture.args(["--no-ack", "--until-lsn", &end]).args(*stream);
            let messages = reported(capture.arg(&file));
            assert!(messages.contains("again after"), "{context}: it was cut: {messages}");
            for output in OUTPUTS {
                fixture.database().wait_until_free(slot);
                let mut tail = reads("tail", &fixture.database().dsn(), slot);
                tail.args(["--quiet", "--no-ack", "--until-lsn", &end]);
                let live = printed(tail.args(*stream).args(output));
                assert!(live.lines().count() > 24, "{context}");
                assert_same(&replayed(&[&file], output), &live, &format!("{context} {output:?}"));
            }
            parts_follow_each_other(&file, &context);
        }
    });
}

/// What is replayed up to a transaction, and from there on, is everything.
fn parts_follow_each_other(file: &Path, context: &str) {
    let read = |builder: ReplayBuilder| -> Vec<String> {
        builder.open().unwrap().map(|event| line(&event.unwrap())).collect()
    };
    let events: Vec<_> = Reader::replay(file).open().unwrap().map(Result::unwrap).collect();
    let whole: Vec<_> = events.iter().map(line).collect();
    let commits = events.iter().filter_map(|event| Some(event.transaction()?.commit_lsn()));
    let mut commits: Vec<_> = commits.collect();
    commits.dedup();
    assert!(commits.len() > 20, "{context}");
    for lsn in commits.into_iter().step_by(3) {
        let mut parts = read(Reader::replay(file).until_lsn(lsn));
        assert!(parts.len() < whole.len());
        parts.extend(read(Reader::replay(file).from_lsn(lsn)));
        assert_same(&parts.join("\n"), &whole.join("\n"), &format!("{context}: parts at {lsn}"));
    }
}
