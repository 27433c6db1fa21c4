//! Standard outputs that cannot be written to. Unwritten changes are not acknowledged.

use std::fs::File;
use std::process::{Command, Stdio};

use pgoutput_harness::{TIMEOUT, Wait, servers};

use crate::run::{Fixture, assert_success, error_line, finished};

/// Returns the command as a shell runs it with `redirection`.
fn redirected(command: &Command, redirection: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec \"$@\" {redirection}"), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// Returns a fixture with one change to read.
fn fixture_with_one_change(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let fixture = Fixture::new(server);
    fixture.sql("INSERT INTO t VALUES (1)");
    fixture
}

#[test]
fn a_closed_standard_output_is_status_1_before_anything_is_read() {
    for server in servers() {
        let fixture = fixture_with_one_change(server);
        let before = fixture.confirmed();
        let end = fixture.end();
        let tail = fixture.tail(&["--until-lsn", &end]);
        for (redirection, expected) in [
            (">&-", "standard output is closed"),
            ("<&- >&-", "standard output is closed"),
            ("1<>/dev/null", "standard output is closed, or is /dev/null"),
            ("1</dev/null", "open for reading only"),
        ] {
            let line = error_line(&finished(&mut redirected(&tail, redirection)), 1);
            assert!(line.contains(expected), "{redirection}: {line}");
        }
        // With standard error closed as well, the exit status still reports the error.
        let output = finished(&mut redirected(&tail, ">&- 2>&-"));
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(fixture.confirmed(), before);
        assert_eq!(fixture.lines(&[]).len(), 1);
    }
}

#[test]
fn nothing_is_created_if_standard_output_is_closed_and_what_is_created_is_reported() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let slot = fixture.database.slot_name("unprinted");
        let dsn = fixture.database.dsn();
        let command = |arguments: &[&str]| {
            let mut command = crate::run::program();
            command.args(arguments).args(["--dsn", &dsn, "--quiet"]);
            command
        };
        let create_slot = command(&["slot", "create", &slot]);
        let create = ["publication", "create", "unprinted", "--table", "public.t"];
        let create_publication = command(&create);
        let slots = format!("SELECT FROM pg_replication_slots WHERE slot_name = '{slot}'");
        let publications = "SELECT FROM pg_publication WHERE pubname = 'unprinted'";
        for (create, existing, what) in
            [(&create_slot, &*slots, "slot"), (&create_publication, publications, "publication")]
        {
            let count = || fixture.client().query(existing, &[]).unwrap().len();
            let line = error_line(&finished(&mut redirected(create, ">&-")), 1);
            assert!(line.contains("standard output is closed"), "{line}");
            assert_eq!(count(), 0, "{what}");
            let line = error_line(&finished(&mut redirected(create, ">/dev/full")), 1);
            assert!(line.contains(&format!(": {what} \"")), "{line}");
            assert!(line.contains("was created"), "{line}");
            assert_eq!(count(), 1, "{what}");
        }
        fixture.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    }
}

#[test]
fn a_closed_standard_output_is_detected_before_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tail = crate::run::program();
    tail.args(["tail", "--slot", "s", "--publication", "p", "--dsn"]);
    tail.arg(format!("host=127.0.0.1 port={port} user=u sslmode=disable connect_timeout=5"));
    error_line(&finished(&mut redirected(&tail, ">&-")), 1);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn the_null_device_works_with_the_other_standard_files_closed() {
    for server in servers() {
        for redirection in [">/dev/null", ">/dev/null <&-", ">/dev/null <&- 2>&-", ">>/dev/null"] {
            let fixture = fixture_with_one_change(server);
            let before = fixture.confirmed();
            let end = fixture.end();
            let tail = fixture.tail(&["--until-lsn", &end]);
            assert_success(&finished(&mut redirected(&tail, redirection)));
            assert_ne!(fixture.confirmed(), before, "{redirection}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_status_1_and_nothing_is_acknowledged() {
    for server in servers() {
        let fixture = fixture_with_one_change(server);
        let end = fixture.end();
        for format in ["jsonl", "json"] {
            let mut tail = fixture.tail(&["--until-lsn", &end, "--format", format]);
            let full = File::options().write(true).open("/dev/full").unwrap();
            let child =
                tail.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
            let wait = Wait::killing("the program to end", TIMEOUT, &child);
            let line = error_line(&child.wait_with_output().unwrap(), 1);
            wait.done();
            assert!(line.contains("writing to standard output"), "{line}");
        }
        // An idle slot may advance up to the change, but not beyond it.
        assert_eq!(fixture.lines(&[]).len(), 1);
    }
}
