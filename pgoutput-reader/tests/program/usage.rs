//! Exit statuses 1 and 2, each with a line of plain text.

use pgoutput_harness::{servers, shared, skip};

use crate::run::{Fixture, error_line, finished, program};

#[test]
fn wrong_usage_is_exit_status_2() {
    for arguments in [
        &[][..],
        &["tail"],
        &["tail", "--slot", "s"],
        &["tail", "--publication", "p"],
        &["tail", "--slot", "s", "--publication", "p", "--no-such-option"],
        &["tail", "--slot", "s", "--publication", "p", "--proto-version", "5"],
        &["tail", "--slot", "s", "--publication", "p", "--limit", "many"],
        &["tail", "--slot", "s", "--publication", "p", "--until-lsn", "7/"],
        &["tail", "--slot", "s", "--publication", "p", "--format", "xml"],
        &["tail", "--slot", "s", "--publication", "p", "--schema", "never"],
        &["tail", "--slot", "s", "--publication", "p", "--failover"],
        &[
            "tail",
            "--slot",
            "s",
            "--publication",
            "p",
            "--create-slot",
            "--failover",
            "--temporary",
        ],
        &["tail", "--slot", "s", "--publication", "p", "--memory-limit", "64mb"],
        &["tail", "--slot", "s", "--publication", "p", "--until-lsn", "158FAC8"],
        &["tail", "--slot", "s", "--publication", "p", "--output", "changes"],
        &["tail", "--slot", "s", "--publication", "p", "--position-file", "position"],
        &["tail", "--slot", "s", "--publication", "p", "--table", "t"],
        &["tail", "--slot", "s", "--publication", "p", "--table", "public.t WHERE id > 1"],
        &["tail", "--slot", "s", "--publication", "p", "--exclude", "t"],
        &["tail", "--slot", "s", "--publication", "p", "--exclude", "public.t WHERE id > 1"],
        &["tail", "--slot", "s", "--publication", "p", "--op", "X"],
        &["tail", "--slot", "s", "--publication", "p", "--op", "I,M"],
        &["tail", "--slot", "s", "--publication", "p", "--op", "C"],
        &["tail", "--slot", "s", "--publication", "p", "--op", "R"],
        &["tail", "--slot", "s", "--publication", "p", "--op", "S"],
        &["tail", "--slot", "s", "--publication", "p", "--snapshot", "initial", "--table", "t"],
        &["tail", "--slot", "s", "--publication", "p", "--snapshot", "initial", "--table", "p.*"],
        &["tail", "--slot", "s", "--publication", "p", "--poll", "0"],
        &["tail", "--slot", "s", "--publication", "p", "--poll", "--temporary"],
        &["tail", "--slot", "s", "--publication", "p", "--poll", "--snapshot", "initial"],
        &["snapshot"],
        &["snapshot", "--publication", "p", "--slot", "s"],
        &["snapshot", "--publication", "p", "--jobs", "0"],
        &["snapshot", "--publication", "p", "--table", "t"],
        &["snapshot", "--publication", "p", "--table", "public.t WHERE a) OR (b"],
        &["snapshot", "--publication", "p", "--table", "public.t", "--table", "Public.t"],
        &["decode", "a", "b"],
        &["decode", "--json", "--full"],
        &["decode", "--input", "wal2json"],
        &["watch"],
    ] {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn tables_that_join_cannot_be_limited_and_the_error_names_the_options() {
    for snapshot in ["added", "initial,added"] {
        let arguments = ["tail", "--slot", "s", "--publication", "p", "--table", "public.t"];
        let output = finished(program().args(arguments).args(["--snapshot", snapshot]));
        let line = error_line(&output, 2);
        assert!(line.contains("--table") && line.contains("--snapshot added"), "{line}");
        assert!(!line.contains("::"), "{line}");
    }
}

/// Checks the help of a command: its first line, its options, and the length of its lines.
fn check_help(command: &str, first: &str, options: &[&str]) {
    let output = finished(program().args([command, "--help"]));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(first), "{text}");
    for option in options {
        assert!(text.contains(option), "{option}");
    }
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest <= 100), "{text}");
    let short = finished(program().args([command, "-h"])).stdout;
    assert!(String::from_utf8(short).unwrap().starts_with(first));
}

#[test]
fn help_is_status_0_and_lists_every_option() {
    let both = [
        "--dsn",
        "--publication",
        "--jobs",
        "--table",
        "--slot-wait",
        "--schema",
        "--lsn-format",
        "--output",
        "--format",
        "--binary",
        "--numeric-strings",
        "--bigint-strings",
        "--quiet",
        "--verbose",
    ];
    check_help("decode", "Print recorded messages", &["--json", "--full", "--input"]);
    check_help("snapshot", "Print the rows of the published tables once", &both);
    check_help("tail", "Print the changes of a slot as they arrive", &both);
    let doctor = ["--dsn", "--slot", "--publication", "--json"];
    check_help("doctor", "Check everything that reading needs", &doctor);
    let others = [
        "--slot",
        "--create-slot",
        "--exclude",
        "--op",
        "--snapshot",
        "--temporary",
        "--proto-version",
        "--streaming",
        "--memory-limit",
        "--spill-dir",
        "--spill-limit",
        "--no-spill-fallback",
        "--two-phase",
        "--commits",
        "--schema-changes",
        "--position",
        "--position-file",
        "--messages",
        "--origin",
        "--start-lsn",
        "--until-lsn",
        "--limit",
        "--no-ack",
    ];
    check_help("tail", "Print the changes of a slot as they arrive", &others);
}

#[test]
fn an_invalid_connection_string_is_status_2_without_its_password() {
    let output = finished(program().args([
        "tail",
        "--slot",
        "s",
        "--publication",
        "p",
        "--dsn",
        "postgresql://u:swordfish@h/d?gssencmode=require",
    ]));
    let line = error_line(&output, 2);
    assert!(line.contains("gssencmode") && !line.contains("swordfish"), "{line}");
}

#[test]
fn an_error_is_status_1_and_one_line_with_advice() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let dsn = fixture.database.dsn();
        let tail = |slot: &str, publication: &str| {
            let arguments = ["tail", "--dsn", &dsn, "--slot", slot, "--publication", publication];
            error_line(&finished(program().args(arguments)), 1)
        };
        let line = tail("no_such_slot", "x");
        assert!(line.contains("no_such_slot") && line.contains("--create-slot"), "{line}");
        let line = tail(&fixture.slot, "no such\npublication");
        assert!(line.contains("CREATE PUBLICATION"), "{line}");
    }
}

#[test]
fn an_option_of_newer_servers_names_the_version_it_needs() {
    // The oldest of the chosen servers, or a fetched one.
    let Some(old) = servers().into_iter().find(|server| server.major() < 16).or(shared(15).ok())
    else {
        return skip("no server older than PostgreSQL 16 was chosen, and no 15 can be fetched");
    };
    let fixture = Fixture::new(old);
    let line = error_line(&finished(&mut fixture.tail(&["--origin", "none"])), 1);
    assert!(line.contains("PostgreSQL 16"), "{line}");
}

#[test]
fn one_error_lists_everything_that_is_missing() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let dsn = fixture.database.dsn();
        let missing = ["tail", "--dsn", &dsn, "--slot", "none", "--publication", "nowhere"];
        let line = error_line(&finished(program().args(missing)), 1);
        assert!(line.contains("slot \"none\" does not exist"), "{line}");
        assert!(line.contains("; and no publication \"nowhere\""), "{line}");
        assert!(!line.contains("wal_level"), "{line}");
        // On a server whose wal_level is too low, in either order.
        let builder = pgoutput_harness::Server::builder().setting("wal_level", "replica");
        let replica = builder.setting("max_replication_slots", "4").start(server.major()).unwrap();
        let dsn = replica.dsn("postgres");
        let arguments = ["tail", "--dsn", &dsn, "--slot", "none", "--publication", "nowhere"];
        for create in [&[][..], &["--create-slot"]] {
            let line = error_line(&finished(program().args(arguments).args(create)), 1);
            assert!(line.contains("wal_level is \"replica\": set wal_level = logical"), "{line}");
            assert!(line.contains("no publication \"nowhere\""), "{line}");
            assert_eq!(line.contains("slot \"none\" does not exist"), create.is_empty(), "{line}");
        }
    }
}

#[test]
fn an_unreachable_server_and_foreign_connection_strings_are_errors() {
    let tail = |dsn: &str, status: i32| {
        let arguments = ["tail", "--slot", "s", "--publication", "p", "--dsn", dsn];
        error_line(&finished(program().args(arguments)), status)
    };
    // A port without a listener: it was assigned to us and is free again.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let line = tail(&format!("postgresql://u@127.0.0.1:{port}/d"), 1);
    assert!(
        line.contains("is a server running there") && line.contains("listen_addresses"),
        "{line}"
    );
    let line = tail("host=/nonexistent user=u", 1);
    assert!(line.contains("unix_socket_directories"), "{line}");
    for (dsn, expected) in [
        ("u:xyzzy@h/d", "begins with postgresql://"),
        ("postgresql://u:xyzzy/fish@h/d", "%2F and %3F"),
        ("postgresql://u:xyzzy?fi/sh@h/d", "%2F and %3F"),
        ("postgresql://h/d?schema=public", "schema: a parameter of another library"),
    ] {
        let line = tail(dsn, 2);
        assert!(line.contains(expected) && !line.contains("xyzzy"), "{line}");
    }
}
