//! `pgoutput tail --table`, `--exclude` and `--op`.

use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{servers, servers_from};
use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Fixture, PUBLICATION, Running, assert_success, finished, program, wait};
use crate::writing::{Ending, Numbers};

fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let fixture = Fixture::new(server);
    fixture.sql(
        "CREATE TABLE u (id int PRIMARY KEY, name text); CREATE SCHEMA audit;
         CREATE TABLE audit.\"Log 1\" (id int PRIMARY KEY);
         CREATE TABLE audit.other (id int PRIMARY KEY)",
    );
    fixture
}

/// Returns op, table and id of each event.
fn shown(events: &[Value]) -> Vec<String> {
    let one = |event: &Value| {
        let row = if event["after"].is_null() { &event["before"] } else { &event["after"] };
        let table = event["table_schema"]["table"].as_str().unwrap_or("-");
        format!("{} {table} {}", event["op"].as_str().unwrap(), row["id"])
    };
    events.iter().map(one).collect()
}

#[test]
fn only_what_fits_is_printed() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql(
            "BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (2);
             INSERT INTO audit.\"Log 1\" VALUES (3); INSERT INTO audit.other VALUES (4); COMMIT",
        );
        fixture.sql("UPDATE t SET name = 'x'; DELETE FROM u");
        let truncates = server.major() >= 11;
        fixture.sql("TRUNCATE t, u");
        let read = |arguments: &[&str]| {
            let mut all = vec!["--no-ack"];
            all.extend(arguments);
            let mut events = shown(&fixture.lines(&all));
            events.retain(|event| !event.starts_with('T'));
            events
        };
        for (arguments, expected) in [
            (&["--table", "public.t"][..], &["I t 1", "U t 1"][..]),
            (&["--table", "Public.T", "--table", "audit.other"], &["I t 1", "I other 4", "U t 1"]),
            (&["--table", "audit.*"], &["I Log 1 3", "I other 4"]),
            (&["--table", "audit.\"Log 1\""], &["I Log 1 3"]),
            (&["--exclude", "audit.*"], &["I t 1", "I u 2", "U t 1", "D u 2"]),
            (&["--table", "*.*", "--exclude", "public.*", "--exclude", "audit.o*"], &["I Log 1 3"]),
            (&["--op", "D,u"], &["U t 1", "D u 2"]),
            (&["--op", "U", "--op", "D", "--table", "public.u"], &["D u 2"]),
            (&["--commits", "--op", "C"], &["C - null", "C - null"]),
            (&["--commits", "--op", "C,D", "--exclude", "public.u"], &["C - null"; 2]),
            (&["--schema", "once", "--op", "D"], &["S t null", "S u null", "D - 2"]),
        ] {
            let mut found = read(arguments);
            if truncates && arguments.contains(&"--commits") {
                assert_eq!(found.pop().as_deref(), Some("C - null"), "{arguments:?}");
            }
            if arguments.contains(&"once") {
                found.retain(|event| !event.contains("Log 1") && !event.contains("other"));
            }
            assert_eq!(found, expected, "{arguments:?}");
        }
        if truncates {
            // One object for each table.
            let events = fixture.lines(&["--no-ack", "--op", "T"]);
            assert_eq!(shown(&events), ["T t null", "T u null"]);
            let events = fixture.lines(&["--no-ack", "--op", "T", "--table", "public.u"]);
            assert_eq!(shown(&events), ["T u null"]);
        }
    }
}

#[test]
fn messages_have_no_table_and_are_chosen_by_their_op() {
    for server in servers_from(14) {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO t VALUES (1); SELECT pg_logical_emit_message(true, 'p', 'c')");
        let read = |arguments: &[&str]| {
            let mut all = vec!["--no-ack", "--messages"];
            all.extend(arguments);
            shown(&fixture.lines(&all))
        };
        assert_eq!(read(&["--table", "public.u"]), ["M - null"]);
        assert_eq!(read(&["--op", "M"]), ["M - null"]);
        assert_eq!(read(&["--op", "I"]), ["I t 1"]);
    }
}

#[test]
fn the_slot_advances_over_what_is_left_out() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO t SELECT generate_series(1, 100)");
        assert!(fixture.lines(&["--table", "audit.nothing"]).is_empty());
        assert!(fixture.lines(&[]).is_empty(), "the changes were acknowledged");

        // Also while it runs, and nothing is printed.
        let mut running = Running::start(&mut fixture.tail_verbose(&["--table", "public.u"]));
        fixture.sql("INSERT INTO t SELECT generate_series(101, 200)");
        let end = fixture.end();
        let advanced = format!("'{}'::pg_lsn <= '{end}'::pg_lsn", fixture.confirmed());
        assert_eq!(fixture.text(&advanced), "true");
        wait("the slot to advance", || {
            let confirmed = fixture.confirmed();
            fixture.text(&format!("'{confirmed}'::pg_lsn >= '{end}'::pg_lsn")) == "true"
        });
        fixture.sql("INSERT INTO u VALUES (7)");
        assert_eq!(running.line()["after"]["id"], 7);
        running.signal(Signal::TERM);
        let (rest, status, stderr) = running.end_with_stderr();
        assert_eq!((rest.as_str(), status), ("", Some(0)));
        assert!(!stderr.contains("warning"), "{stderr}");
        // What is left out is counted.
        fixture.sql("INSERT INTO t VALUES (0); INSERT INTO u VALUES (0)");
        let end = fixture.end();
        let mut tail = fixture.tail_verbose(&["--table", "public.u", "--verbose"]);
        let output = finished(tail.args(["--until-lsn", &end]));
        assert_success(&output);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("1 changes written, 1 left out, acknowledged"), "{stderr}");
    }
}

#[test]
fn a_name_that_fits_no_published_table_is_reported() {
    for server in servers() {
        let fixture = fixture(server);
        // An exclusion that is misspelled would print what it should not.
        let excluded = ["--exclude", "public.u", "--exclude", "public.uu", "--limit", "0"];
        let output = finished(&mut fixture.tail_verbose(&excluded));
        assert_success(&output);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let warnings: Vec<_> = stderr.lines().filter(|line| line.contains("warning")).collect();
        let [warning] = warnings.as_slice() else { panic!("{stderr}") };
        assert!(warning.contains("fits --exclude public.uu;"), "{warning}");
        let tables = ["--table", "public.t", "--table", "publik.\"t\u{1b}\"", "--limit", "0"];
        let output = finished(&mut fixture.tail_verbose(&tables));
        assert_success(&output);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let warnings: Vec<_> = stderr.lines().filter(|line| line.contains("warning")).collect();
        let [warning] = warnings.as_slice() else { panic!("{stderr}") };
        assert!(warning.contains("fits --table publik.\"t\\u{1b}\";"), "{warning}");
        assert!(finished(&mut fixture.tail(&tables)).stderr.is_empty());
    }
}

#[test]
fn the_limit_counts_what_is_printed() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql(
            "BEGIN; INSERT INTO u VALUES (1); INSERT INTO t VALUES (2);
                     INSERT INTO u VALUES (3), (4); COMMIT",
        );
        fixture.sql("BEGIN; INSERT INTO t VALUES (5), (6); INSERT INTO u VALUES (7); COMMIT");
        let limited = |arguments: &[&str]| {
            fixture.wait_until_free();
            let output = finished(fixture.tail(&["--table", "public.t"]).args(arguments));
            assert_success(&output);
            let text = String::from_utf8(output.stdout).unwrap();
            let events: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            shown(&events)
        };
        // All of the first transaction that is printed was printed.
        assert_eq!(limited(&["--limit", "1"]), ["I t 2"]);
        // The second one is cut off, and printed again.
        assert_eq!(limited(&["--limit", "1"]), ["I t 5"]);
        assert_eq!(limited(&["--limit", "2"]), ["I t 5", "I t 6"]);
        assert!(fixture.lines(&[]).is_empty());
    }
}

#[test]
fn rows_of_an_initial_copy_are_filtered_too() {
    for server in servers() {
        let fixture = fixture(server);
        fixture.sql("INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)");
        for (number, (arguments, expected)) in [
            (&["--exclude", "public.t"][..], &["R u 2", "Z - null"][..]),
            (&["--table", "public.t"], &["R t 1", "Z - null"]),
            (&["--op", "I,Z"], &["Z - null"]),
        ]
        .into_iter()
        .enumerate()
        {
            let slot = fixture.database.slot_name(&format!("copied{number}"));
            let mut tail = program();
            let dsn = fixture.database.dsn();
            tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
            tail.args(["--create-slot", "--snapshot", "initial", "--quiet"]).args(arguments);
            let output = finished(tail.args(["--until-lsn", &fixture.end()]));
            assert_success(&output);
            let text = String::from_utf8(output.stdout).unwrap();
            let events: Vec<Value> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(shown(&events), expected, "{arguments:?}");
        }
    }
}

/// Transactions of one row for each table, in turn with larger ones for one of them.
fn write(fixture: &Fixture<'_>, ended: &AtomicBool, last: &AtomicI64) {
    let (mut client, mut numbers) = (fixture.client(), Numbers(0x9E37_79B9));
    while !ended.load(Ordering::Acquire) {
        let first = last.load(Ordering::Acquire) + 1;
        let end = first + i64::try_from(numbers.below(20)).unwrap();
        let rows = format!("SELECT n FROM generate_series({first}, {end}) n");
        let (one, other) = if numbers.below(2) == 0 { ("t", "u") } else { ("u", "t") };
        let statements = format!("BEGIN; INSERT INTO {one} {rows}; INSERT INTO {other} {rows};");
        client.batch_execute(&format!("{statements} COMMIT")).unwrap();
        last.store(end, Ordering::Release);
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn an_output_file_has_each_chosen_change_once_however_often_the_program_is_killed() {
    const RUNS: u64 = 15;
    for server in servers() {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("changes");
        let tail = || {
            let mut tail = fixture.tail(&["--table", "public.t", "--op", "I"]);
            tail.arg("--output").arg(&path);
            tail.arg("--position-file").arg(folder.path().join("position"));
            tail.stdin(Stdio::null());
            tail
        };
        let (ended, last) = (AtomicBool::new(false), AtomicI64::new(0));
        thread::scope(|scope| {
            let ending = Ending(&ended);
            scope.spawn(|| write(&fixture, &ended, &last));
            let mut numbers = Numbers(7);
            for run in 0..RUNS {
                fixture.wait_until_free();
                if run % 5 == 4 {
                    let limit = (1 + numbers.below(50)).to_string();
                    assert_success(&finished(tail().args(["--limit", &limit])));
                    continue;
                }
                let mut child = tail().spawn().unwrap();
                thread::sleep(Duration::from_millis(20 + numbers.below(600)));
                assert_eq!(child.try_wait().unwrap(), None, "the program ended by itself");
                child.kill().unwrap();
                child.wait().unwrap();
            }
            drop(ending);
        });
        fixture.wait_until_free();
        assert_success(&finished(tail().args(["--until-lsn", &fixture.end()])));
        let text = fs::read_to_string(&path).unwrap();
        let ids: Vec<i64> = text
            .lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                assert_eq!(event["table_schema"]["table"], "t");
                event["after"]["id"].as_i64().unwrap()
            })
            .collect();
        assert!(ids.len() > 100, "{}", ids.len());
        assert_eq!(ids, (1..=last.load(Ordering::Acquire)).collect::<Vec<_>>());
        assert!(fixture.lines(&[]).is_empty());
    }
}
