//! Help, suggestions, colours, completions, manual pages and the log.

use std::fs;
use std::process::{Command, Stdio};

use pgoutput_decode::is_printable;
use pgoutput_harness::servers;

use crate::run::{Fixture, PUBLICATION, assert_success, finished, program};
use crate::terminal::run_with_status;

const COMMANDS: &[&[&str]] = &[
    &["tail"],
    &["snapshot"],
    &["slot", "list"],
    &["slot", "create"],
    &["slot", "drop"],
    &["slot", "advance"],
    &["publication", "list"],
    &["publication", "create"],
    &["publication", "drop"],
];

fn stdout(command: &mut Command) -> String {
    let output = finished(command);
    assert_success(&output);
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn help_names_the_environment_without_its_values() {
    for command in COMMANDS {
        let mut help = program();
        help.args(*command).arg("--help");
        help.env("DATABASE_URL", "postgresql://u:swordfish@h/d").env("PGPASSWORD", "swordfish");
        let text = stdout(&mut help);
        assert!(text.contains("\nEnvironment:\n  DATABASE_URL "), "{text}");
        for expected in ["PGPASSWORD", "RUST_LOG", "\nConnection:\n", "\nMessages:\n"] {
            assert!(text.contains(expected), "{text}");
        }
        assert!(!text.contains("swordfish") && !text.contains('\u{1b}'), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
    let all = stdout(program().arg("--help"));
    assert!(["slot", "publication", "completions", "man"].iter().all(|name| all.contains(name)));
}

#[test]
fn a_mistyped_word_is_answered_with_the_word_that_was_meant() {
    for (arguments, expected) in [
        (&["tial"][..], "'tail'"),
        (&["slot", "lst"], "'list'"),
        (&["publication", "creat"], "'create'"),
        (&["tail", "--slto", "s"], "'--slot'"),
        (&["tail", "--slot", "s", "--publication", "p", "--format", "jsno"], "'json'"),
        (&["completions", "bsh"], "'bash'"),
    ] {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let tip = text.lines().find(|line| line.contains("tip: ")).unwrap_or_default();
        assert!(tip.contains("similar") && tip.contains(expected), "{text}");
    }
}

#[test]
fn colours_are_for_terminals_and_quoted_arguments_are_escaped_there_too() {
    let run = |arguments: &[&str], variable: Option<&str>| {
        let mut command = program();
        command.args(arguments).env("TERM", "xterm").stdin(Stdio::null());
        if let Some(variable) = variable {
            command.env(variable, "1");
        }
        let (status, _, shown) = run_with_status(command, true);
        (status.code(), shown)
    };
    for (arguments, status) in [(&["slot", "drop", "--help"][..], 0), (&["tial"], 2)] {
        let (code, coloured) = run(arguments, None);
        assert_eq!(code, Some(status));
        assert!(coloured.contains("\u{1b}[1m"), "{coloured:?}");
        let (code, plain) = run(arguments, Some("NO_COLOR"));
        assert_eq!(code, Some(status));
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let piped = finished(program().args(arguments));
        let text = if status == 0 { piped.stdout } else { piped.stderr };
        assert_eq!(String::from_utf8(text).unwrap(), plain.replace('\r', ""));
    }
    for hostile in ["x\u{1b}[2Jy", "x\u{1b}[31my", "x\u{9b}31my", "x\u{202e}y"] {
        let (code, shown) = run(&[hostile], None);
        assert_eq!(code, Some(2));
        let lines = shown.replace("\r\n", "\n");
        assert!(lines.lines().flat_map(str::chars).all(is_printable), "{shown:?}");
        assert!(shown.contains("unrecognized subcommand 'x"), "{shown:?}");
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let text = stdout(program().args(["completions", shell]));
        for expected in ["pgoutput", "publication", "slot-wait", "to-current", "position-file"] {
            assert!(text.contains(expected), "{shell}: {expected}");
        }
    }
    // A reader that ends early is no error.
    let mut child = program()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = pgoutput_harness::waiting("the program to end", || child.wait_with_output());
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "{output:?}");
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    assert_eq!(stdout(program().args(["man", "--out", path])), "");
    for command in COMMANDS {
        let page = stdout(program().arg("man").args(*command));
        let name = format!("pgoutput-{}", command.join("-"));
        assert!(page.contains(&format!(".TH {name} 1 ")), "{page}");
        for expected in ["DATABASE_URL", "\\-\\-dsn", "\n.SH CONNECTION\n"] {
            assert!(page.contains(expected), "{page}");
        }
        assert!(!page.contains('\u{1b}'), "{page}");
        assert_eq!(fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap(), page);
    }
    let page = stdout(program().arg("man"));
    assert!(page.contains("pgoutput\\-tail(1)"), "{page}");
    assert_eq!(fs::read_to_string(folder.path().join("pgoutput.1")).unwrap(), page);
    for (arguments, status) in
        [(&["man", "nothing"][..], 2), (&["man", "--out", "/nonexistent/man"], 1)]
    {
        let output = finished(program().args(arguments));
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
}

fn program_with(command: &[&str], dsn: &str) -> std::process::Command {
    let mut program = program();
    program.args(command).args(["--dsn", dsn]);
    program
}

#[test]
fn the_log_is_printed_on_request_and_repeats_nothing() {
    for server in servers() {
        let fixture = Fixture::new(server);
        fixture.sql("CREATE TABLE \"x\u{1b}[2J\" (id int)");
        let run = |filter: Option<&str>| {
            let mut tail = fixture.tail_verbose(&["--no-ack", "--limit", "0"]);
            if let Some(filter) = filter {
                tail.env("RUST_LOG", filter);
            }
            let output = finished(&mut tail);
            assert_success(&output);
            String::from_utf8(output.stderr).unwrap()
        };
        let plain = run(None);
        assert_eq!(plain.lines().count(), 2, "{plain}");
        // What the program reports is not logged again.
        for filter in ["", "warn", "pgoutput_reader=info"] {
            assert_eq!(run(Some(filter)), plain, "{filter}");
        }
        // The documented example says something.
        let debug = run(Some("pgoutput_reader=debug"));
        let is_logged = |line: &str| line.starts_with("[debug pgoutput_reader");
        assert!(debug.lines().any(is_logged), "{debug}");
        let others: Vec<&str> = debug.lines().filter(|line| !is_logged(line)).collect();
        assert_eq!(others, plain.lines().collect::<Vec<_>>());
        for command in [&["slot", "list"][..], &["doctor"]] {
            let dsn = fixture.database.dsn();
            let mut command = program_with(command, &dsn);
            let output = finished(command.env("RUST_LOG", "pgoutput_reader=debug"));
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(stderr.lines().any(is_logged), "{stderr}");
        }
        let debug = run(Some("debug"));
        let is_logged = |line: &&str| line.starts_with("[debug tokio_postgres");
        assert!(debug.lines().any(|line| is_logged(&line)), "{debug}");
        let others: Vec<&str> = debug.lines().filter(|line| !line.starts_with('[')).collect();
        assert_eq!(others, plain.lines().collect::<Vec<_>>());
        assert!(debug.lines().flat_map(str::chars).all(is_printable));
    }
}

#[test]
fn a_wait_for_a_slot_is_reported_once_with_a_log() {
    for server in servers() {
        let server = pgoutput_harness::Server::builder().start(server.major()).unwrap();
        let fixture = Fixture::new(&server);
        let mut client = fixture.client();
        let mut open = client.transaction().unwrap();
        open.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let dsn = fixture.database.dsn();
        let slot = fixture.database.slot_name("blocked");
        let mut tail = program();
        tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        let output =
            finished(tail.args(["--create-slot", "--slot-wait", "3"]).env("RUST_LOG", "info"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.matches("waits for open transactions").count(), 1, "{stderr}");
        open.rollback().unwrap();
    }
}
