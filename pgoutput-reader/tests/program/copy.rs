//! `pgoutput snapshot`, and the reports of an initial copy.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pgoutput_harness::{servers, servers_from};
use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Fixture, PUBLICATION, Running, assert_success, error_line, finished, program};

/// A database with three tables of a thousand rows, and a slot.
fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let fixture = Fixture::new(server);
    fixture.sql(
        "CREATE TABLE u (id int PRIMARY KEY, name text);
         CREATE TABLE \"V 2\" (id int PRIMARY KEY, name text);
         INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n;
         INSERT INTO u SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n;
         INSERT INTO \"V 2\" SELECT n, 'name ' || n FROM generate_series(1, 1000) AS n;
         ANALYZE t; ANALYZE u; ANALYZE \"V 2\"",
    );
    fixture
}

fn snapshot(fixture: &Fixture<'_>, arguments: &[&str]) -> Command {
    let mut command = program();
    let dsn = fixture.database.dsn();
    command.args(["snapshot", "--dsn", &dsn, "--publication", PUBLICATION]).args(arguments);
    command
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn table(object: &Value) -> &str {
    object["table_schema"]["table"].as_str().unwrap_or_default()
}

fn slots(fixture: &Fixture<'_>) -> String {
    let of = "FROM pg_replication_slots WHERE database = current_database()";
    fixture.text(&format!("SELECT count(*) {of}"))
}

#[test]
fn all_rows_are_printed_with_one_lsn_and_no_slot_remains() {
    for server in servers() {
        let fixture = fixture(server);
        for jobs in ["1", "3"] {
            let output = finished(&mut snapshot(&fixture, &["--jobs", jobs]));
            assert_success(&output);
            let all = objects(&output);
            let (end, rows) = all.split_last().unwrap();
            assert_eq!((rows.len(), &end["op"]), (3000, &Value::from("Z")));
            assert!(rows.iter().all(|row| row["op"] == "R" && row["lsn"] == end["lsn"]));
            assert_eq!(slots(&fixture), "1");
            let lsn: u64 = end["lsn"].as_u64().unwrap();
            let lsn = format!("{:X}/{:X}", lsn >> 32, lsn & 0xFFFF_FFFF);
            let lines = stderr(&output);
            let lines: Vec<&str> = lines.lines().collect();
            let [start, copied, complete] = lines[..] else { panic!("{lines:?}") };
            assert!(start.starts_with("pgoutput: PostgreSQL "), "{start}");
            assert!(start.ends_with(&format!("snapshot at {lsn}, 3 published tables")), "{start}");
            assert!(copied.contains("copied 3 of 3 tables, 3000 rows, "), "{copied}");
            assert!(!copied.contains('\x1b'), "{copied}");
            assert!(complete.ends_with(&format!("--start-lsn {lsn}")), "{complete}");
        }
        // Nothing on standard error; a form of its own.
        let arguments = ["--quiet", "--lsn-format", "hex", "--schema", "once"];
        let output = finished(&mut snapshot(&fixture, &arguments));
        assert_eq!(stderr(&output), "");
        let all = objects(&output);
        assert_eq!(all.len(), 3004);
        assert!(all[3003]["lsn"].as_str().unwrap().contains('/'), "{}", all[3003]);
    }
}

#[test]
fn a_slot_that_existed_before_the_copy_continues_at_its_lsn() {
    for server in servers() {
        let fixture = fixture(server);
        for jobs in ["1", "2"] {
            let is_ended = AtomicBool::new(false);
            let (copy, changes) = thread::scope(|scope| {
                scope.spawn(|| {
                    let mut client = fixture.client();
                    let mut id = fixture.text("SELECT max(id) FROM t").parse::<i64>().unwrap();
                    while !is_ended.load(Ordering::Acquire) {
                        id += 1;
                        let statements = format!(
                            "BEGIN; INSERT INTO t VALUES ({id}); INSERT INTO u VALUES ({id});
                             UPDATE t SET name = '{id}' WHERE id = {id} % 900; COMMIT"
                        );
                        client.batch_execute(&statements).unwrap();
                    }
                });
                let copy = finished(&mut snapshot(&fixture, &["--jobs", jobs]));
                is_ended.store(true, Ordering::Release);
                assert_success(&copy);
                let copy = objects(&copy);
                let lsn = copy.last().unwrap()["lsn"].to_string();
                let changes = fixture.lines(&["--no-ack", "--start-lsn", &lsn]);
                (copy, changes)
            });
            let mut rows: BTreeMap<(String, i64), Option<String>> = BTreeMap::new();
            for object in copy.iter().chain(&changes).filter(|object| object["op"] != "Z") {
                let row = &object["after"];
                let name = row["name"].as_str().map(str::to_owned);
                let key = (table(object).to_owned(), row["id"].as_i64().unwrap());
                let before = rows.insert(key, name);
                assert_eq!(before.is_some(), object["op"] == "U", "{object}");
            }
            let mut client = fixture.client();
            for name in ["t", "u", "V 2"] {
                for row in
                    client.query(&format!("SELECT id::int8, name FROM \"{name}\""), &[]).unwrap()
                {
                    let found = rows.remove(&(name.to_owned(), row.get(0)));
                    assert_eq!(found, Some(row.get(1)), "{name} {}", row.get::<_, i64>(0));
                }
            }
            assert!(rows.is_empty(), "{rows:?}");
        }
    }
}

#[test]
fn only_the_tables_and_rows_that_are_named_are_printed() {
    for server in servers() {
        let fixture = fixture(server);
        let tables =
            ["--table", "public.t", "--table", "public.\"V 2\" WHERE id > 990 AND name LIKE '%9'"];
        let output = finished(&mut snapshot(&fixture, &tables));
        assert_success(&output);
        let all = objects(&output);
        let count = |name| all.iter().filter(|object| table(object) == name).count();
        assert_eq!((count("t"), count("u"), count("V 2"), all.len()), (1000, 0, 1, 1002));
        assert!(stderr(&output).contains("copied 2 of 2 tables, 1001 rows"));

        let line =
            error_line(&finished(&mut snapshot(&fixture, &["--table", "public.no_such_table"])), 1);
        assert!(line.contains("\"public\".\"no_such_table\" is not published"), "{line}");
        let refused = ["--table", "public.t", "--table", "public.u WHERE nothing = 1"];
        let line = error_line(&finished(&mut snapshot(&fixture, &refused)), 1);
        assert!(line.contains("\"public\".\"u\"") && line.contains("nothing"), "{line}");
        // Changes are those of the same tables, and of all their rows.
        let slot = fixture.database.slot_name("some");
        let mut tail = program();
        let dsn = fixture.database.dsn();
        tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        tail.args(["--create-slot", "--snapshot", "initial", "--table", "public.t WHERE id = 7"]);
        let mut running = Running::start(tail.arg("--quiet"));
        assert_eq!((&running.line()["op"], &running.line()["op"]), (&"R".into(), &"Z".into()));
        fixture.sql("UPDATE u SET name = 'new' WHERE id = 1; DELETE FROM t WHERE id = 1");
        let event = running.line();
        assert_eq!((table(&event), &event["op"]), ("t", &"D".into()));
        running.signal(Signal::TERM);
        assert_eq!(running.end(), (String::new(), Some(0)));
    }
}

#[test]
fn a_copy_that_is_not_complete_is_an_error() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(2000, 20000) n");
        for jobs in ["1", "2"] {
            let mut running = Running::start(&mut snapshot(&fixture, &["--quiet", "--jobs", jobs]));
            running.line();
            running.signal(Signal::INT);
            let (_, status, stderr) = running.end_with_stderr();
            assert_eq!(status, Some(1));
            assert!(stderr.contains("before the copy was complete"), "{stderr}");

            let mut running = Running::start(&mut snapshot(&fixture, &["--quiet", "--jobs", jobs]));
            running.line();
            running.close_output();
            let (_, status, stderr) = running.end_with_stderr();
            assert_eq!(status, Some(1));
            assert!(stderr.contains("before the copy was complete"), "{stderr}");

            let divides =
                ["--quiet", "--jobs", jobs, "--table", "public.t WHERE 1 / (id - 9999) < 2"];
            let output = finished(&mut snapshot(&fixture, &divides));
            assert_eq!(output.status.code(), Some(1));
            let line = error_after_rows(&output);
            for part in ["is not complete", "\"public\".\"t\"", "division by zero"] {
                assert!(line.contains(part), "{line}");
            }
        }
        assert_eq!(slots(&fixture), "1");
    }
}

/// Returns the single line on standard error.
fn error_after_rows(output: &Output) -> String {
    let text = stderr(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn an_output_file_is_new() {
    for server in servers() {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let run = || finished(snapshot(&fixture, &["--quiet", "--output"]).arg(&path));
        assert_success(&run());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3001);
        let line = error_line(&run(), 1);
        assert!(line.contains("rows: ") && line.contains("name a new file"), "{line}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn tables_that_were_finished_before_an_interruption_are_reported() {
    for server in servers() {
        let fixture = fixture(server);
        let slot = fixture.database.slot_name("copied");
        let folder = tempfile::tempdir().unwrap();
        let run = |limit: &[&str]| {
            let mut command = program();
            let dsn = fixture.database.dsn();
            command.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
            command.args(["--create-slot", "--snapshot", "initial"]).args(limit);
            command.arg("--output").arg(folder.path().join("changes"));
            command.arg("--position-file").arg(folder.path().join("position"));
            finished(&mut command)
        };
        // All rows of a table, and some of the next one.
        assert_success(&run(&["--limit", "1500"]));
        fixture.database.wait_until_free(&slot);
        let output = run(&["--until-lsn", &fixture.end()]);
        assert_success(&output);
        let expected = "copied 3 of 3 tables (1 before the interruption), 2000 rows, ";
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        let text = fs::read_to_string(folder.path().join("changes")).unwrap();
        let rows = text.lines().filter(|line| line.contains("\"op\":\"R\"")).count();
        assert_eq!(rows, 3000);
    }
}

#[test]
fn a_slot_that_is_about_to_be_invalidated_is_reported() {
    for server in servers_from(13) {
        let server = pgoutput_harness::Server::builder()
            .setting("max_slot_wal_keep_size", "96MB")
            .setting("max_wal_size", "1GB")
            .start(server.major())
            .unwrap();
        let fixture = fixture(&server);
        let slot = fixture.database.slot_name("copied");
        for jobs in ["1", "2"] {
            let tail = |arguments: &[&str]| {
                let mut command = program();
                let dsn = fixture.database.dsn();
                command.args(["tail", "--dsn", &dsn, "--slot", &slot, "--jobs", jobs]);
                command.args(["--publication", PUBLICATION, "--snapshot", "initial"]);
                command.args(["--create-slot"]).args(arguments);
                command
            };
            let output = finished(&mut tail(&["--limit", "1"]));
            assert_success(&output);
            assert!(!stderr(&output).contains("is invalidated"), "{}", stderr(&output));
            fixture.database.wait_until_free(&slot);
            for _ in 0..4 {
                fixture.sql("CREATE TABLE x (); DROP TABLE x; SELECT pg_switch_wal()");
            }
            let output = finished(&mut tail(&["--until-lsn", &fixture.end()]));
            assert_success(&output);
            let text = stderr(&output);
            let expected = format!("warning: slot \"{slot}\" is invalidated after another ");
            assert_eq!(text.matches(&expected).count(), 1, "{text}");
            assert!(text.contains("MB of WAL, and the copy is then lost"), "{text}");
            assert!(text.contains("raise max_slot_wal_keep_size"), "{text}");
            fixture.database.wait_until_free(&slot);
            fixture.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
        }
    }
}
