//! Masked columns.

use std::fs;
use std::path::Path;

use pgoutput_harness::output;
use pgoutput_tests::{Fixture, formats};
use serde_json::Value;

use crate::program::{captures, printed, replayed};
use crate::with_servers;

/// Occurs in every value of a masked column, and nowhere else.
const SECRET: &str = "s3cr3t";

const SETUP: &str = "
    CREATE TYPE secret_pair AS (a int, b text);
    CREATE TABLE people (
        id int PRIMARY KEY, name text, email text NOT NULL, doc jsonb, tags text[],
        pair secret_pair,
        number int, bytes bytea, plain text);
    ALTER TABLE people REPLICA IDENTITY FULL;
    CREATE TABLE \"Keys\" (\"Key\" text PRIMARY KEY, v int);
    CREATE TABLE other (email text);";

fn statements() -> Vec<String> {
    let values = |id: usize| {
        format!(
            "{id}, 'name {id}', '{SECRET} {id}', '{{\"a\": \"{SECRET}\"}}', '{{x,{SECRET}}}',
             '(1,{SECRET})', 1936876915, '{SECRET}', 'plain'"
        )
    };
    let mut statements = vec![
        format!("INSERT INTO people VALUES ({})", values(1)),
        format!("UPDATE people SET email = '{SECRET} new', plain = 'changed' WHERE id = 1"),
        "ALTER TABLE people ADD more int".to_owned(),
        "DELETE FROM people WHERE id = 1".to_owned(),
        format!("INSERT INTO \"Keys\" VALUES ('{SECRET}', 1)"),
        format!("UPDATE \"Keys\" SET \"Key\" = '{SECRET} 2'"),
        "DELETE FROM \"Keys\"".to_owned(),
        "INSERT INTO other VALUES ('not masked')".to_owned(),
    ];
    // Enough for chunks.
    let many: Vec<_> = (10..400).map(|id| format!("({})", values(id))).collect();
    statements.push(format!("INSERT INTO people VALUES {}", many.join(", ")));
    statements
}

const MASKS: [&str; 7] = [
    "public.people.email",
    "people.DOC",
    "people.tags",
    "people.pair",
    "people.number",
    "people.bytes",
    "\"Keys\".\"Key\"",
];

#[test]
fn the_bytes_of_masked_values_are_not_in_the_file() {
    with_servers(|server| {
        for binary in formats(server) {
            let fixture = Fixture::new(server, SETUP);
            for statement in statements() {
                fixture.run([&*statement]);
            }
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("c");
            let end = fixture.end().to_string();
            let mut capture = captures(&fixture, &file);
            capture.args(["--until-lsn", &end]).args(binary.then_some("--binary"));
            printed(capture.args(MASKS.iter().flat_map(|mask| ["--mask", mask])));

            let bytes = fs::read(&file).unwrap();
            let contains = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            assert!(!contains(SECRET.as_bytes()), "PostgreSQL {}", server.major());
            // The number in both formats, and the bytes as hexadecimal digits.
            // "s3cr3t" as hexadecimal digits.
            for part in [&b"1936876915"[..], b"srus", b"733363723374"] {
                assert!(!contains(part), "{}", part.escape_ascii());
            }
            assert!(contains(b"not masked") && contains(b"name 1") && contains(b"changed"));
            check(&replayed(&[&file], &[]));
        }
    });
}

fn check(lines: &str) {
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |table: &str, op: &str| -> Vec<&Value> {
        let is_it = |event: &&Value| event["table_schema"]["table"] == table && event["op"] == op;
        events.iter().filter(is_it).collect()
    };
    let inserted = of("people", "I");
    assert_eq!(inserted.len(), 391);
    let masked = serde_json::json!({
        "id": 1, "name": "name 1", "email": "masked", "doc": {}, "tags": null, "pair": null,
        "number": 0, "bytes": "", "plain": "plain",
    });
    let mut row = inserted[0]["after"].clone();
    // The form of bytea in JSON is not the point here.
    row["bytes"] = "".into();
    assert_eq!(row, masked);
    assert_eq!(of("people", "U")[0]["before"]["email"], "masked");
    assert_eq!(of("people", "U")[0]["after"]["plain"], "changed");
    assert_eq!(of("people", "D")[0]["before"]["email"], "masked");
    assert_eq!(of("Keys", "U")[0]["before"]["Key"], "masked");
    assert_eq!(of("Keys", "D")[0]["before"]["Key"], "masked");
    assert_eq!(of("other", "I")[0]["after"]["email"], "not masked");
}

#[test]
fn a_mask_that_does_not_apply_is_reported() {
    with_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE people (id int, email text)");
        fixture.run([&*format!("INSERT INTO people VALUES (1, '{SECRET}')")]);
        let folder = tempfile::tempdir().unwrap();
        let end = fixture.end().to_string();
        let capture = |name: &str, mask: &str| {
            fixture.wait_until_free();
            let file = folder.path().join(name);
            let mut capture = captures(&fixture, &file);
            let output = output(capture.args(["--until-lsn", &end, "--no-ack", "--mask", mask]));
            let stderr = String::from_utf8(output.stderr).unwrap();
            (output.status.code(), stderr, fs::read(file).unwrap_or_default())
        };
        // A misspelled column ends the capture before a row of its table is written.
        let (status, stderr, bytes) = capture("column", "people.e_mail");
        assert_eq!(status, Some(1), "{stderr}");
        assert!(stderr.contains("column e_mail is to be masked"), "{stderr}");
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
        let (status, stderr, _) = capture("text", "email");
        assert_eq!(status, Some(2), "{stderr}");
        assert!(stderr.contains("public.people.email"), "{stderr}");
    });
}

fn contains_secret(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// Runs a capture with these masks up to the current end. Returns its exit status, what it said,
/// and its file.
fn masked(fixture: &Fixture<'_>, file: &Path, masks: &[&str]) -> (Option<i32>, String, Vec<u8>) {
    fixture.wait_until_free();
    let end = fixture.end().to_string();
    let mut capture = captures(fixture, file);
    capture.args(["--until-lsn", &end]).args(masks.iter().flat_map(|mask| ["--mask", mask]));
    let output = output(&mut capture);
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr, fs::read(file).unwrap_or_default())
}

#[test]
fn a_table_that_was_renamed_between_two_runs_is_not_written_in_clear_text() {
    with_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE people (id int, email text)");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c");
        let insert = |table: &str| format!("INSERT INTO {table} VALUES (1, '{SECRET}')");
        fixture.run([&*insert("people")]);
        let (status, stderr, _) = masked(&fixture, &file, &["people.email"]);
        assert_eq!((status, &*stderr), (Some(0), ""));
        fixture.run([&*insert("people"), "ALTER TABLE people RENAME TO persons"]);
        fixture.run([&*insert("persons")]);
        // No table has the name any more.
        let (status, stderr, bytes) = masked(&fixture, &file, &["people.email"]);
        assert_eq!(status, Some(1), "{stderr}");
        assert!(stderr.contains("the mask people.email names no table"), "{stderr}");
        assert!(!contains_secret(&bytes));
        // Another table has it.
        fixture.run(["CREATE TABLE people (id int, email text)"]);
        let (status, stderr, bytes) = masked(&fixture, &file, &["people.email"]);
        assert_eq!(status, Some(1), "{stderr}");
        assert!(
            stderr.contains(
                "public.people, masked by people.email, is now public.persons: nothing more is \
                 captured to this file; capture to another file with the mask public.persons.email"
            ),
            "{stderr}"
        );
        assert!(!contains_secret(&bytes));
        // The advice also masks what was written under the former name.
        fixture.run(["DROP TABLE people"]);
        let other = folder.path().join("other");
        let (status, stderr, bytes) = masked(&fixture, &other, &["public.persons.email"]);
        assert_eq!((status, &*stderr), (Some(0), ""));
        assert!(!contains_secret(&bytes) && bytes.windows(6).any(|window| window == b"masked"));
    });
}

#[test]
fn a_mask_of_a_table_that_is_not_published_under_its_name_is_refused() {
    with_servers(|server| {
        let setup = "
            CREATE TABLE parted (id int, email text) PARTITION BY RANGE (id);
            CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
            CREATE TABLE part2 PARTITION OF parted FOR VALUES FROM (10) TO (20);";
        let fixture = Fixture::new(server, setup);
        fixture.run([&*format!("INSERT INTO parted VALUES (1, '{SECRET}'), (11, '{SECRET}')")]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c");
        for (masks, expected) in [
            (&["pepole.email"][..], "the mask pepole.email names no table that the publications"),
            (&["public.parted.email"], "mask these too: public.part1.email, public.part2.email;"),
            (&["part1.email", "parted.email"], "mask these too: public.part2.email;"),
        ] {
            let (status, stderr, bytes) = masked(&fixture, &file, masks);
            assert_eq!(status, Some(1), "{stderr}");
            assert!(stderr.contains(expected), "{stderr}");
            assert!(bytes.is_empty());
        }
        let (status, stderr, bytes) =
            masked(&fixture, &file, &["parted.email", "part1.email", "part2.email"]);
        assert_eq!(status, Some(0), "{stderr}");
        assert!(!contains_secret(&bytes));
    });
}
