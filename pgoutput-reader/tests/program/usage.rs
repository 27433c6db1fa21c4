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
