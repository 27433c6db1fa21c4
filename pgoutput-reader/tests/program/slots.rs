//! `pgoutput slot`.

use std::process::{Command, Output};

use pgoutput_harness::servers;
use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Fixture, Running, assert_success, error_line, finished, program, wait};

fn slot(fixture: &Fixture<'_>, arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("slot").args(arguments).args(["--dsn", &fixture.database.dsn()]);
    command
}

fn stdout(output: &Output) -> String {
    assert_success(output);
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    let text = stdout(output);
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Returns the entry of `slot list --json` with this name, if any.
fn listed(fixture: &Fixture<'_>, name: &str) -> Option<Value> {
    let list = json(&finished(&mut slot(fixture, &["list", "--json"])));
    let slots = list["slots"].as_array().unwrap();
    slots.iter().find(|slot| slot["slot_name"] == name).cloned()
}

#[test]
fn a_slot_is_created_listed_and_dropped() {
    for server in servers() {
        let (fixture, major) = (Fixture::new(server), server.major());
        let name = fixture.database.slot_name("made");
        let output = finished(&mut slot(&fixture, &["create", &name]));
        let text = stdout(&output);
        let lsn = text.trim_end().strip_prefix(&format!("created slot \"{name}\" at ")).unwrap();
        let advice = String::from_utf8(output.stderr).unwrap();
        assert!(
            advice.contains(&format!(
                "pgoutput slot drop {name}, with the same connection options\n"
            )),
            "{advice}"
        );

        let facts = listed(&fixture, &name).unwrap();
        assert_eq!(facts["confirmed_flush_lsn"], lsn);
        assert_eq!(
            (&facts["plugin"], &facts["slot_type"]),
            (&"pgoutput".into(), &"logical".into())
        );
        assert_eq!(facts["database"], fixture.database.name());
        assert_eq!((&facts["active"], &facts["active_pid"]), (&false.into(), &Value::Null));
        assert!(facts["lag_bytes"].is_u64() && facts["retained_bytes"].as_u64() > Some(0));
        assert_eq!(facts["wal_status"].is_string(), major >= 13);
        assert_eq!(facts["two_phase"].is_boolean(), major >= 14);
        assert_eq!(facts["failover"].is_boolean(), major >= 17);
        assert_eq!(facts["inactive_since"].is_string(), major >= 17);

        let table = stdout(&finished(&mut slot(&fixture, &["list"])));
        let mut lines = table.lines();
        let header = lines.next().unwrap();
        assert!(header.starts_with("NAME ") && header.contains(" RETAINED"), "{table}");
        assert_eq!(header.contains("WAL STATUS"), major >= 13, "{table}");
        assert_eq!(header.contains("INACTIVE SINCE"), major >= 17, "{table}");
        let row = lines.find(|line| line.starts_with(&name)).unwrap();
        assert_eq!(row.find(lsn), header.find("CONFIRMED"), "{table}");

        let again = error_line(&finished(&mut slot(&fixture, &["create", &name])), 1);
        assert!(again.contains("already exists"), "{again}");
        // From any database.
        let elsewhere = format!("{} dbname=postgres", fixture.database.dsn());
        let drop = ["slot", "drop", &name, "--json", "--dsn", &elsewhere];
        let dropped = json(&finished(program().args(drop)));
        assert_eq!(dropped["dropped"]["confirmed_flush_lsn"], lsn);
        assert_eq!(listed(&fixture, &name), None);
        let tail = ["tail", "--slot", &name, "--publication", crate::run::PUBLICATION];
        let tail = finished(program().args(tail).args(["--dsn", &fixture.database.dsn()]));
        let missing = error_line(&tail, 1);
        assert!(
            missing.contains("does not exist") && missing.contains("; existing: \""),
            "{missing}"
        );
        let missing = error_line(&finished(&mut slot(&fixture, &["drop", &name])), 1);
        assert!(missing.contains("does not exist; existing: "), "{missing}");
    }
}

#[test]
fn options_of_newer_servers_are_set_or_refused_by_name() {
    for server in servers() {
        let fixture = Fixture::new(server);
        for (option, field, needed) in
            [("--two-phase", "two_phase", 15), ("--failover", "failover", 17)]
        {
            let name = fixture.database.slot_name(field);
            let output = finished(&mut slot(&fixture, &["create", &name, option, "--quiet"]));
            if server.major() < needed {
                let line = error_line(&output, 1);
                assert!(line.contains(&format!("{field} needs PostgreSQL {needed}")), "{line}");
                assert_eq!(listed(&fixture, &name), None);
                continue;
            }
            assert!(stdout(&output).starts_with("created slot") && output.stderr.is_empty());
            assert_eq!(listed(&fixture, &name).unwrap()[field], true);
        }
    }
}

#[test]
fn creation_reports_open_transactions_and_leaves_nothing_when_it_ends() {
    for server in servers() {
        // On a server of its own: snapshots that the decoding of other slots leaves on disk spare
        // the creation its wait.
        let server = pgoutput_harness::Server::builder().start(server.major()).unwrap();
        let fixture = Fixture::new(&server);
        let name = fixture.database.slot_name("blocked");
        let mut client = fixture.client();
        let mut open = client.transaction().unwrap();
        open.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let output = finished(&mut slot(&fixture, &["create", &name, "--slot-wait", "3"]));
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        let [report, error] = lines.as_slice() else { panic!("{stderr}") };
        assert!(report.contains("waits for open transactions") && report.contains("pid "));
        assert!(error.contains("idle in transaction"), "{error}");
        assert_eq!(listed(&fixture, &name), None);

        let creating = Running::start(&mut slot(&fixture, &["create", &name, "--quiet"]));
        wait("the slot to be begun", || listed(&fixture, &name).is_some());
        let dropped = error_line(&finished(&mut slot(&fixture, &["drop", &name])), 1);
        assert!(dropped.contains("is still being created by process "), "{dropped}");
        creating.signal(Signal::TERM);
        let (_, status, stderr) = creating.end_with_stderr();
        assert_eq!(status, Some(1), "{stderr}");
        assert!(stderr.contains("none remains"), "{stderr}");
        wait("the slot to be gone", || listed(&fixture, &name).is_none());
        open.rollback().unwrap();
    }
}

#[test]
fn a_slot_that_is_read_is_left_alone_and_its_reader_named() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("INSERT INTO t VALUES (1)");
        let mut reader = Running::start(&mut fixture.tail(&[]));
        reader.line();
        let pid = listed(&fixture, &fixture.slot).unwrap()["active_pid"].as_i64().unwrap();
        let table = stdout(&finished(&mut slot(&fixture, &["list"])));
        assert!(table.contains(&format!(" pid {pid} ")), "{table}");
        for arguments in [&["drop"][..], &["advance", "--to-current"]] {
            if arguments[0] == "advance" && server.major() < 11 {
                continue;
            }
            let output = finished(slot(&fixture, arguments).arg(&fixture.slot));
            let line = error_line(&output, 1);
            assert!(line.contains(&format!("is being read by process {pid} (")), "{line}");
            assert!(line.contains("application pgoutput"), "{line}");
            assert!(line.contains(&format!("pg_terminate_backend({pid})")), "{line}");
        }
        reader.signal(Signal::TERM);
        assert_eq!(reader.end().1, Some(0));
        stdout(&finished(slot(&fixture, &["drop"]).arg(&fixture.slot)));
    }
}

#[test]
fn what_a_slot_is_moved_over_is_lost_and_said() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let advance = |arguments: &[&str]| {
            finished(slot(&fixture, &["advance", &fixture.slot]).args(arguments))
        };
        if server.major() < 11 {
            let line = error_line(&advance(&["--to-current"]), 1);
            assert!(line.contains("needs PostgreSQL 11") && line.contains("tail"), "{line}");
            continue;
        }
        fixture.sql("INSERT INTO t VALUES (1)");
        let from = fixture.confirmed();
        let first = fixture.end();
        let moved = json(&advance(&["--to", &first, "--json"]));
        assert_eq!(moved["advanced"]["from_lsn"], from);
        assert!(moved["advanced"]["skipped_bytes"].as_u64() > Some(0));
        assert_eq!(moved["advanced"]["to_lsn"], fixture.confirmed());
        fixture.sql("INSERT INTO t VALUES (2)");
        let text = stdout(&advance(&["--to-current"]));
        assert!(text.starts_with("moved slot ") && text.contains(" are lost to it"), "{text}");
        fixture.sql("INSERT INTO t VALUES (3)");
        let events = fixture.lines(&["--no-ack"]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["after"]["id"], 3);

        let stays = stdout(&advance(&["--to", &fixture.confirmed()]));
        assert!(stays.contains("stays at"), "{stays}");
        let back = error_line(&advance(&["--to", &from]), 1);
        assert!(back.contains("no slot can be moved back"), "{back}");
        let ahead = error_line(&advance(&["--to", "FFFF/0"]), 1);
        assert!(ahead.contains("ahead of the server's WAL"), "{ahead}");
        // The advice on a stored position that no longer fits is for users of the program.
        let folder = tempfile::tempdir().unwrap();
        let position = folder.path().join("position");
        let output = folder.path().join("output");
        let [position, output] = [&position, &output].map(|path| path.to_str().unwrap());
        let stored = ["--position-file", position, "--output", output, "--limit", "1"];
        assert_success(&finished(&mut fixture.tail(&stored)));
        fixture.sql("INSERT INTO t VALUES (4)");
        stdout(&advance(&["--to-current"]));
        let refused = error_line(&finished(&mut fixture.tail(&stored)), 1);
        assert!(refused.contains("remove the position file"), "{refused}");
        assert!(!refused.contains("trust_slot"), "{refused}");
        let elsewhere = finished(
            program()
                .args(["slot", "advance", &fixture.slot, "--to-current", "--dsn"])
                .arg(format!("{} dbname=postgres", fixture.database.dsn())),
        );
        let line = error_line(&elsewhere, 1);
        assert!(line.contains("belongs to database"), "{line}");
    }
}

#[test]
fn physical_slots_are_listed_and_not_dropped() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let name = fixture.database.slot_name("physical");
        fixture.sql(&format!("SELECT pg_create_physical_replication_slot('{name}')"));
        let facts = listed(&fixture, &name).unwrap();
        assert_eq!((&facts["slot_type"], &facts["plugin"]), (&"physical".into(), &Value::Null));
        let line = error_line(&finished(&mut slot(&fixture, &["drop", &name])), 1);
        assert!(line.contains("is physical"), "{line}");
        fixture.sql(&format!("SELECT pg_drop_replication_slot('{name}')"));
    }
}

#[test]
fn a_server_that_cannot_be_used_is_named_with_advice() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let dsn = format!("postgresql://u@127.0.0.1:{port}/d");
    let line = error_line(&finished(program().args(["slot", "list", "--dsn", &dsn])), 1);
    assert!(line.contains(&format!("127.0.0.1:{port}")) && line.contains("listen_addresses"));
    for server in servers() {
        let dsn = server.dsn("no_such_database");
        let line = error_line(&finished(program().args(["slot", "list", "--dsn", &dsn])), 1);
        assert!(line.contains("3D000") && line.contains("correct its name"), "{line}");
    }
}
