//! The lines that `pgoutput tail` prints on standard error without an error.

use pgoutput_harness::servers;
use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Fixture, PUBLICATION, Running, assert_success, finished, program, wait};

/// Returns the reports of a run up to the current end of the WAL, and the events that it prints.
fn run_to_end(fixture: &Fixture<'_>, arguments: &[&str]) -> (String, Vec<Value>) {
    let end = fixture.end();
    let output = finished(fixture.tail_verbose(arguments).args(["--until-lsn", &end]));
    assert_success(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    let events = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (String::from_utf8(output.stderr).unwrap(), events)
}

#[test]
fn one_line_reports_the_source_and_the_start_position() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let start = fixture.confirmed();
        fixture.sql("INSERT INTO t VALUES (1)");
        let (line, events) = run_to_end(&fixture, &["--no-ack"]);
        assert_eq!(line.lines().count(), 1, "{line}");
        for part in [
            format!("pgoutput: PostgreSQL {}.", server.major()),
            format!("{}, ", server.port()),
            format!("database \"{}\"", fixture.database.name()),
            format!("slot \"{}\"", fixture.slot),
            format!("from {start}, "),
            "1 published table\n".into(),
        ] {
            assert!(line.contains(&part), "{part}: {line}");
        }
        assert_eq!(run_to_end(&fixture, &["--no-ack", "--quiet"]), (String::new(), events.clone()));

        let (lines, more) = run_to_end(&fixture, &["--verbose"]);
        assert_eq!(more, events);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], line.trim_end());
        assert!(lines[1].contains("timeline 1, no TLS, publications \"Every, \"thing\"\""));
        assert!(lines[2].contains("1 changes written, acknowledged up to "), "{lines:?}");
        // The next run starts where this one ended.
        let confirmed = fixture.confirmed();
        assert!(run_to_end(&fixture, &[]).0.contains(&format!("from {confirmed}, ")));
    }
}

#[test]
fn an_empty_publication_and_tables_without_identity_cause_warnings() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql(
            "CREATE TABLE bare (id int); CREATE TABLE nothing (id int PRIMARY KEY);
             ALTER TABLE nothing REPLICA IDENTITY NOTHING;
             CREATE TABLE late (id int, PRIMARY KEY (id) DEFERRABLE);
             CREATE TABLE whole (id int); ALTER TABLE whole REPLICA IDENTITY FULL;
             CREATE TABLE indexed (id int NOT NULL); CREATE UNIQUE INDEX i ON indexed (id);
             ALTER TABLE indexed REPLICA IDENTITY USING INDEX i;
             CREATE PUBLICATION none;
             CREATE PUBLICATION inserts FOR TABLE bare WITH (publish = 'insert')",
        );
        let run = |publications: &[&str]| {
            let mut arguments = vec!["--no-ack"];
            for name in publications {
                arguments.extend(["--publication", *name]);
            }
            run_to_end(&fixture, &arguments).0
        };
        let lines = run(&["none"]);
        let lines: Vec<&str> = lines.lines().collect();
        let [first, empty, lacking] = lines.as_slice() else { panic!("{lines:?}") };
        assert!(first.ends_with(", 6 published tables"), "{first}");
        assert!(empty.contains("warning: publication \"none\" has no tables"), "{empty}");
        let expected = "UPDATE and DELETE will fail on 3 published tables for lack of a replica \
                        identity: public.bare, public.late, public.nothing; ";
        assert!(lacking.contains(expected), "{lacking}");
        // The server rejects the same statements.
        for (table, is_refused) in [
            ("bare", true),
            ("nothing", true),
            ("late", true),
            ("whole", false),
            ("indexed", false),
        ] {
            let refused = fixture.client().batch_execute(&format!("DELETE FROM {table}"));
            assert_eq!(refused.is_err(), is_refused, "{table}");
        }
        fixture.sql("DROP PUBLICATION \"Every, \"\"thing\"\"\"");
        fixture.sql("CREATE PUBLICATION \"Every, \"\"thing\"\"\" FOR TABLE t");
        // A publication of INSERT alone needs no replica identity.
        let line = run(&["inserts"]);
        assert!(line.lines().count() == 1 && line.ends_with(", 2 published tables\n"), "{line}");
    }
}

#[test]
fn a_slot_that_is_created_is_reported_with_the_way_to_drop_it() {
    for server in servers() {
        let fixture = Fixture::new(server);
        for (number, arguments) in
            [&[][..], &["--snapshot", "initial"], &["--temporary"]].into_iter().enumerate()
        {
            let slot = fixture.database.slot_name(&format!("made{number}"));
            let run = |more: &[&str]| {
                let mut tail = program();
                let dsn = fixture.database.dsn();
                tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
                tail.args(["--create-slot", "--limit", "0"]).args(arguments).args(more);
                let output = finished(&mut tail);
                assert_success(&output);
                fixture.wait_until_free();
                String::from_utf8(output.stderr).unwrap()
            };
            let lines = run(&[]);
            if number == 2 {
                assert!(!lines.contains("created slot"), "{lines}");
                continue;
            }
            let confirmed = fixture.text(&format!(
                "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{slot}'"
            ));
            let expected = format!("pgoutput: created slot \"{slot}\" at {confirmed}\n");
            // Transactions of other tests may be waited for, and reported, before.
            assert!(lines.contains(&expected), "{lines}");
            let advice = format!("or dropped: pgoutput slot drop {slot}, with the same");
            assert!(lines.contains(&advice), "{lines}");
            fixture.database.wait_until_free(&slot);
            let again = run(&[]);
            assert!(!again.contains("created slot"), "{again}");
            fixture.database.wait_until_free(&slot);
            fixture.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
            assert_eq!(run(&["--quiet"]), "");
        }
    }
}

#[test]
fn a_capture_reports_the_slot_that_it_creates() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let (slot, folder) = (fixture.database.slot_name("captured"), tempfile::tempdir().unwrap());
        let mut capture = program();
        capture.args(["capture", "--dsn", &fixture.database.dsn(), "--slot", &slot]);
        capture.args(["--publication", PUBLICATION, "--create-slot", "--until-lsn", "0/1"]);
        let output = finished(capture.arg(folder.path().join("changes")));
        assert_success(&output);
        let lines = String::from_utf8(output.stderr).unwrap();
        assert!(lines.contains(&format!("pgoutput: created slot \"{slot}\" at ")), "{lines}");
        assert!(lines.contains(&format!("pgoutput slot drop {slot}, with the same")), "{lines}");
    }
}

/// Also without `--create-slot`, so that of two programs started at once neither has to be started
/// again.
#[test]
fn a_slot_that_another_process_creates_is_waited_for() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let (dsn, slot) = (fixture.database.dsn(), fixture.database.slot_name("halfway"));
        let mut client = fixture.client();
        let mut open = client.transaction().unwrap();
        open.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let tail = |arguments: &[&str]| {
            let mut tail = program();
            tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
            tail.args(arguments);
            tail
        };
        let creating = Running::start(&mut tail(&["--create-slot"]));
        let begun = format!(
            "SELECT coalesce(max(active_pid), 0) FROM pg_replication_slots \
             WHERE slot_name = '{slot}' AND confirmed_flush_lsn IS NULL"
        );
        wait("the slot to be begun", || fixture.text(&begun) != "0");
        let creator = fixture.text(&begun);
        let output = finished(&mut tail(&["--slot-wait", "4"]));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let lines: Vec<&str> = stderr.lines().collect();
        let [report, complaint] = lines.as_slice() else { panic!("{stderr}") };
        let expected = format!("slot \"{slot}\" is being created by process {creator}; waited ");
        assert!(report.contains(&expected), "{report}");
        assert!(report.contains("idle in transaction"), "{report}");
        let expected = format!("is still being created by server process {creator}, ");
        assert!(complaint.contains(&expected) && complaint.contains("--slot-wait"), "{complaint}");
        creating.signal(Signal::TERM);
        creating.end_with_stderr();
        open.rollback().unwrap();
    }
}
