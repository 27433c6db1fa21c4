//! Exit status 1 and 2, each with one plain line.

use pgoutput_harness::{servers, shared, skip};

use crate::run::{Fixture, complaint, finished, program};

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [
        &[][..],
        &["tail"],
        &["tail", "--slot", "s"],
        &["tail", "--publication", "p"],
        &["tail", "--slot", "s", "--publication", "p", "--no-such-option"],
        &["tail", "--slot", "s", "--publication", "p", "--proto-version", "5"],
        &["tail", "--slot", "s", "--publication", "p", "--limit", "many"],
        &["tail", "--slot", "s", "--publication", "p", "--until-lsn", "7"],
        &["tail", "--slot", "s", "--publication", "p", "--format", "xml"],
        &["watch"],
    ] {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_is_status_0_and_says_every_option() {
    let output = finished(program().args(["tail", "--help"]));
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for option in [
        "--dsn",
        "--slot",
        "--publication",
        "--create-slot",
        "--temporary",
        "--proto-version",
        "--streaming",
        "--two-phase",
        "--messages",
        "--origin",
        "--binary",
        "--start-lsn",
        "--until-lsn",
        "--limit",
        "--format",
        "--numeric-strings",
        "--bigint-strings",
        "--no-ack",
        "--quiet",
        "--verbose",
    ] {
        assert!(text.contains(option), "{option}");
    }
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest <= 100), "{text}");
}

#[test]
fn a_connection_string_that_is_none_is_status_2_without_its_password() {
    let output = finished(program().args([
        "tail",
        "--slot",
        "s",
        "--publication",
        "p",
        "--dsn",
        "postgresql://u:swordfish@h/d?gssencmode=require",
    ]));
    let line = complaint(&output, 2);
    assert!(line.contains("gssencmode") && !line.contains("swordfish"), "{line}");
}

#[test]
fn what_is_not_supported_yet_is_status_2() {
    let fixture = Fixture::new(servers()[0]);
    for option in [&["--streaming", "on"][..], &["--streaming", "parallel"], &["--two-phase"]] {
        let line = complaint(&finished(&mut fixture.tail(option)), 2);
        assert!(line.contains("not supported yet"), "{line}");
    }
}

#[test]
fn an_error_is_status_1_and_one_line_that_says_what_to_do() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let dsn = fixture.database.dsn();
        let tail = |slot: &str, publication: &str| {
            let arguments = ["tail", "--dsn", &dsn, "--slot", slot, "--publication", publication];
            complaint(&finished(program().args(arguments)), 1)
        };
        let line = tail("no_such_slot", "x");
        assert!(line.contains("no_such_slot") && line.contains("--create-slot"), "{line}");
        let line = tail(&fixture.slot, "no such\npublication");
        assert!(line.contains("CREATE PUBLICATION"), "{line}");
    }
}

#[test]
fn an_option_the_server_is_too_old_for_names_the_version_it_needs() {
    // The oldest of those chosen, or one that is fetched anyway.
    let Some(old) = servers().into_iter().find(|server| server.major() < 16).or(shared(15).ok())
    else {
        return skip("no server older than PostgreSQL 16 was chosen, and no 15 can be fetched");
    };
    let fixture = Fixture::new(old);
    let line = complaint(&finished(&mut fixture.tail(&["--origin", "none"])), 1);
    assert!(line.contains("PostgreSQL 16"), "{line}");
}

#[test]
fn everything_that_is_missing_is_in_one_complaint() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let dsn = fixture.database.dsn();
        let missing = ["tail", "--dsn", &dsn, "--slot", "none", "--publication", "nowhere"];
        let line = complaint(&finished(program().args(missing)), 1);
        assert!(line.contains("slot \"none\" does not exist"), "{line}");
        assert!(line.contains("; and no publication \"nowhere\""), "{line}");
        assert!(!line.contains("wal_level"), "{line}");
        // With a log that says too little, in either order.
        let builder = pgoutput_harness::Server::builder().setting("wal_level", "replica");
        let replica = builder.setting("max_replication_slots", "4").start(server.major()).unwrap();
        let dsn = replica.dsn("postgres");
        let arguments = ["tail", "--dsn", &dsn, "--slot", "none", "--publication", "nowhere"];
        for create in [&[][..], &["--create-slot"]] {
            let line = complaint(&finished(program().args(arguments).args(create)), 1);
            assert!(line.contains("wal_level is \"replica\": set wal_level = logical"), "{line}");
            assert!(line.contains("no publication \"nowhere\""), "{line}");
            assert_eq!(line.contains("slot \"none\" does not exist"), create.is_empty(), "{line}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_and_connection_strings_of_others() {
    let tail = |dsn: &str, status: i32| {
        let arguments = ["tail", "--slot", "s", "--publication", "p", "--dsn", dsn];
        complaint(&finished(program().args(arguments)), status)
    };
    // A port that nobody listens on: it was given to us and is free again.
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
        ("postgresql://h/d?schema=public", "schema: a parameter of other programs"),
    ] {
        let line = tail(dsn, 2);
        assert!(line.contains(expected) && !line.contains("xyzzy"), "{line}");
    }
}
