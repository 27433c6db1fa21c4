//! The output and acknowledgements of `pgoutput tail`, and its end.

use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::Lsn;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Fixture, PUBLICATION, Running, assert_success, finished, program, wait};

fn ids(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["after"]["id"].as_i64().unwrap()).collect()
}

#[test]
fn it_prints_one_object_per_line_and_acknowledges_it() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1, E'two\nlines'), (2, NULL)");
        fixture.sql("UPDATE t SET id = 3 WHERE id = 2");
        let events = fixture.lines(&[]);
        assert_eq!(ids(&events), [1, 2, 3]);
        assert_eq!(events[0]["after"]["name"], "two\nlines");
        assert_eq!(events[2]["before"], json!({"id": 2}));
        assert!(fixture.lines(&[]).is_empty());
    }
}

#[test]
fn with_no_ack_the_slot_does_not_advance() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let before = fixture.confirmed();
        let first = fixture.lines(&["--no-ack"]);
        assert_eq!(ids(&first), [1]);
        assert_eq!(fixture.confirmed(), before);
        assert_eq!(fixture.lines(&[]), first);
        assert_ne!(fixture.confirmed(), before);
    }
}

#[test]
fn limit_ends_the_run_and_the_next_run_reads_the_rest() {
    for server in servers() {
        let fixture = Fixture::new(server);
        for id in 1..=3 {
            fixture.sql(&format!("INSERT INTO t VALUES ({id})"));
        }
        let limited = |limit: &str| {
            let output = finished(&mut fixture.tail(&["--limit", limit]));
            assert_success(&output);
            let text = String::from_utf8(output.stdout).unwrap();
            let events: Vec<_> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
            ids(&events)
        };
        assert_eq!(limited("0"), [] as [i64; 0]);
        assert_eq!(limited("2"), [1, 2]);
        assert_eq!(limited("1"), [3]);
    }
}

#[test]
fn with_format_json_the_output_is_indented() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1), (2)");
        let output = finished(&mut fixture.tail(&["--format", "json", "--limit", "2"]));
        assert_success(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("{\n  \"op\": \"I\",\n"), "{text}");
        let events: Result<Vec<Value>, _> =
            serde_json::Deserializer::from_str(&text).into_iter().collect();
        assert_eq!(ids(&events.unwrap()), [1, 2]);
    }
}

#[test]
fn numeric_becomes_a_string_only_with_the_option() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("CREATE TABLE n (id int, n numeric, ns numeric[])");
        fixture.sql("INSERT INTO n VALUES (1, 12.50, '{0.1,NULL}')");
        for format in ["jsonl", "json"] {
            let printed = |arguments: &[&str]| {
                let mut tail = fixture.tail(&["--no-ack", "--limit", "1", "--format", format]);
                let output = finished(tail.args(arguments));
                assert_success(&output);
                String::from_utf8(output.stdout).unwrap().replace([' ', '\n'], "")
            };
            let digits = printed(&[]);
            assert!(digits.contains(r#""after":{"id":1,"n":12.50,"ns":[0.1,null]}"#), "{digits}");
            let strings = printed(&["--numeric-strings"]);
            let expected = r#""after":{"id":1,"n":"12.50","ns":["0.1",null]}"#;
            assert!(strings.contains(expected), "{strings}");
        }
    }
}

#[test]
fn bigint_becomes_a_string_only_with_the_option() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("CREATE TABLE n (id int, i bigint, a bigint[])");
        fixture.sql("INSERT INTO n VALUES (1, 9007199254740993, '{1,-9007199254740993}')");
        for format in ["jsonl", "json"] {
            let printed = |arguments: &[&str]| {
                let mut tail = fixture.tail(&["--no-ack", "--limit", "1", "--format", format]);
                let output = finished(tail.args(arguments));
                assert_success(&output);
                String::from_utf8(output.stdout).unwrap().replace([' ', '\n'], "")
            };
            let digits = printed(&[]);
            let expected = r#""i":9007199254740993,"a":[1,-9007199254740993]"#;
            assert!(digits.contains(expected), "{digits}");
            let strings = printed(&["--bigint-strings"]);
            let expected = r#""i":"9007199254740993","a":[1,"-9007199254740993"]"#;
            assert!(strings.contains(expected), "{strings}");
        }
    }
}

#[test]
fn a_temporary_slot_is_created_and_dropped_at_the_end() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let slot = fixture.database.slot_name("temporary");
        let dsn = fixture.database.dsn();
        let mut command = program();
        command.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        let mut running = Running::start(command.args(["--create-slot", "--temporary", "--quiet"]));
        // A slot is active while it is still being created, and its start is after anything
        // committed until then.
        let created = "confirmed_flush_lsn IS NOT NULL";
        let slots = format!(
            "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}' AND {created}"
        );
        wait("the slot to be created", || fixture.text(&slots) == "1");
        fixture.sql("INSERT INTO t VALUES (1)");
        assert_eq!(running.line()["after"]["id"], 1);
        running.signal(Signal::TERM);
        assert_eq!(running.end().1, Some(0));
        let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
        wait("the slot to be dropped", || fixture.text(&slots) == "0");
    }
}

#[test]
fn options_of_newer_servers_take_effect() {
    for server in servers_from(16) {
        let fixture = Fixture::new(server);
        fixture
            .sql("INSERT INTO t VALUES (1, 'one'); SELECT pg_logical_emit_message(true, 'p', 'c')");
        let start = fixture.confirmed();
        let plain = fixture.lines(&["--messages", "--no-ack"]);
        assert_eq!(plain[1]["op"], "M");
        let all = fixture.lines(&[
            "--messages",
            "--no-ack",
            "--binary",
            "--origin",
            "any",
            "--streaming",
            "off",
            "--proto-version",
            "4",
            "--start-lsn",
            &start,
        ]);
        assert_eq!(all, plain);
        let own = fixture.lines(&["--origin", "none", "--proto-version", "1"]);
        assert_eq!(own, plain[..1]);
    }
}

#[test]
fn the_output_is_flushed_when_the_stream_is_idle() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let mut running = Running::start(&mut fixture.tail(&[]));
        for id in 1..=3 {
            fixture.sql(&format!("INSERT INTO t VALUES ({id})"));
            assert_eq!(running.line()["after"]["id"], id);
        }
        running.signal(Signal::INT);
        assert_eq!(running.end(), (String::new(), Some(0)));
    }
}

#[test]
fn a_signal_ends_it_with_exactly_the_written_changes_acknowledged() {
    for server in servers() {
        for signal in [Signal::INT, Signal::TERM] {
            let fixture = Fixture::new(server);
            fixture.sql("INSERT INTO t SELECT generate_series(1, 100)");
            let mut running = Running::start(&mut fixture.tail(&[]));
            assert_eq!(running.line()["after"]["id"], 1);
            // More than the pipe holds, so that the program stops in the middle of writing.
            for round in 1..=20 {
                let first = round * 100 + 1;
                fixture
                    .sql(&format!("INSERT INTO t SELECT generate_series({first}, {first} + 99)"));
            }
            running.signal(signal);
            let (rest, status) = running.end();
            assert_eq!(status, Some(0));
            let written: Vec<Value> =
                rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let next = fixture.lines(&[]);
            // Only a transaction that was not written completely may be delivered again.
            let transaction = |event: &Value| event["transaction"]["tx_id"].clone();
            let mut seen = vec![1];
            seen.extend(ids(&written));
            let again = next.iter().take_while(|event| {
                event["after"]["id"].as_i64().unwrap() <= *seen.last().unwrap()
            });
            let again: Vec<_> = again.map(transaction).collect();
            assert!(again.windows(2).all(|pair| pair[0] == pair[1]) && again.len() < 100);
            seen.truncate(seen.len() - again.len());
            seen.extend(ids(&next));
            assert_eq!(seen, (1..=2100).collect::<Vec<_>>(), "{signal:?}");
        }
    }
}

#[test]
fn a_closed_pipe_ends_it_also_without_changes() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut running = Running::start(&mut fixture.tail(&[]));
        running.line();
        running.close_output();
        assert_eq!(running.end().1, Some(0));

        // Also while more changes arrive than are read.
        fixture.sql("INSERT INTO t SELECT generate_series(2, 5000)");
        let mut running = Running::start(&mut fixture.tail(&[]));
        running.line();
        running.close_output();
        assert_eq!(running.end().1, Some(0));
        let left = ids(&fixture.lines(&[]));
        assert_eq!(*left.last().unwrap(), 5000);
    }
}

#[test]
fn the_environment_names_the_server() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let arguments = [
            "tail",
            "--slot",
            &fixture.slot,
            "--publication",
            PUBLICATION,
            "--no-ack",
            "--limit",
            "1",
        ];
        let output =
            finished(program().args(arguments).env("DATABASE_URL", fixture.database.uri()));
        assert_success(&output);
        let from_url = output.stdout;
        let output = finished(
            program()
                .args(arguments)
                .env("PGHOST", "127.0.0.1")
                .env("PGPORT", server.port().to_string())
                .env("PGUSER", "postgres")
                .env("PGDATABASE", fixture.database.name()),
        );
        assert_success(&output);
        assert_eq!(output.stdout, from_url);
    }
}

/// Row 2 is committed while the publication does not exist.
#[test]
fn a_briefly_missing_publication_ends_it_unless_skipping_is_set() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        fixture.sql("ALTER PUBLICATION \"Every, \"\"thing\"\"\" RENAME TO q");
        fixture.sql("INSERT INTO t VALUES (2)");
        fixture.sql("ALTER PUBLICATION q RENAME TO \"Every, \"\"thing\"\"\"");
        fixture.sql("INSERT INTO t VALUES (3)");
        let output = finished(&mut fixture.tail(&[]));
        assert_eq!(output.status.code(), Some(1));
        let printed = String::from_utf8(output.stdout).unwrap();
        let event: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(event["after"]["id"], 1);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let remedy =
            if server.major() >= 18 { "--skip-missing-publication" } else { "--start-lsn" };
        for part in [remedy, "new slot", "did not exist at WAL"] {
            assert!(stderr.contains(part), "{stderr}");
        }
        let end = fixture.end();
        let skipping = ["--skip-missing-publication", "--until-lsn", &end];
        let output = finished(&mut fixture.tail(&skipping));
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        if server.major() < 18 {
            assert!(!output.status.success() && stderr.contains("PostgreSQL 18"), "{stderr}");
            continue;
        }
        assert_success(&output);
        let event: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(event["after"]["id"], 3);
        assert_eq!(
            stderr.lines().filter(|line| line.contains("are skipped")).count(),
            1,
            "{stderr}"
        );
        assert_eq!(stderr.matches("did not exist").count(), stderr.lines().count(), "{stderr}");
    }
}

#[test]
fn commits_positions_and_lsns_are_written_as_requested() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1), (2)");
        let plain = fixture.lines(&["--no-ack"]);
        let all = fixture.lines(&["--no-ack", "--commits", "--position", "--lsn-format", "hex"]);
        let ops: Vec<_> = all.iter().map(|event| event["op"].as_str().unwrap()).collect();
        assert_eq!(ops, ["I", "I", "C"]);
        for (index, event) in all.iter().enumerate() {
            let number = plain[0]["transaction"]["begin_lsn"].as_u64().unwrap();
            let begin = Lsn::new(number).to_string();
            assert_eq!(event["transaction"]["begin_lsn"], begin);
            let at = if index == 2 { "end".to_owned() } else { index.to_string() };
            let position = event["position"].as_str().unwrap();
            assert!(position.ends_with(&format!(":{begin}:{at}.")), "{position}");
        }
        let lsn = Lsn::new(plain[1]["lsn"].as_u64().unwrap()).to_string();
        assert_eq!(all[1]["lsn"], lsn);
        let indented =
            fixture.tail(&["--no-ack", "--position", "--format", "json", "--limit", "1"]).output();
        let text = String::from_utf8(indented.unwrap().stdout).unwrap();
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["position"], all[0]["position"]);
        // An LSN may be decimal.
        let after = (plain[0]["transaction"]["begin_lsn"].as_u64().unwrap() + 1).to_string();
        assert!(fixture.lines(&["--no-ack", "--start-lsn", &after]).is_empty());
    }
}
