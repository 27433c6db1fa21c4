//! The progress of a copy on a terminal.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use pgoutput_harness::{TIMEOUT, Wait, servers};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::run::{Fixture, PUBLICATION, program};

/// A pseudo terminal: the end of the program, and a thread that reads what it shows.
fn terminal() -> (File, JoinHandle<String>) {
    let screen: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let path = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(path).unwrap();
    let mut screen = File::from(screen);
    let shown = thread::spawn(move || {
        let (mut shown, mut part) = (Vec::new(), [0; 4096]);
        // Once no process has the terminal, reading fails.
        while let Ok(length @ 1..) = screen.read(&mut part) {
            shown.extend_from_slice(&part[..length]);
        }
        String::from_utf8_lossy(&shown).into_owned()
    });
    (terminal, shown)
}

fn fixture(server: &pgoutput_harness::Server) -> Fixture<'_> {
    let fixture = Fixture::new(server);
    fixture.sql(
        "CREATE TABLE \"a\x1b[2Jb\" (id int PRIMARY KEY);
         INSERT INTO \"a\x1b[2Jb\" SELECT generate_series(1, 60000); ANALYZE",
    );
    fixture
}

fn snapshot(fixture: &Fixture<'_>, arguments: &[&str]) -> Command {
    let mut command = program();
    let dsn = fixture.database.dsn();
    command.args(["snapshot", "--dsn", &dsn, "--publication", PUBLICATION]).args(arguments);
    command.env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// Runs the program on the terminal, and returns its standard output and what the terminal showed.
fn run(command: Command, stdout_too: bool) -> (String, String) {
    let (status, output, shown) = run_with_status(command, stdout_too);
    assert!(status.success(), "{shown}");
    (output, shown)
}

/// The same with the exit status.
pub(crate) fn run_with_status(
    mut command: Command,
    stdout_too: bool,
) -> (ExitStatus, String, String) {
    let (terminal, shown) = terminal();
    // The reader sees the end once the program has closed its copies.
    if stdout_too {
        command.stdout(terminal.try_clone().unwrap());
    } else {
        command.stdout(Stdio::piped());
    }
    command.stderr(terminal);
    let mut child = command.spawn().unwrap();
    // The command has the program's end of the terminal as well.
    drop(command);
    let wait = Wait::killing("the program to end", TIMEOUT, &child);
    let mut output = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut output).unwrap();
    }
    let status = child.wait().unwrap();
    wait.done();
    (status, output, shown.join().unwrap())
}

#[test]
fn bars_are_on_standard_error_alone_and_lines_are_above_them() {
    for server in servers() {
        let fixture = fixture(server);
        for jobs in ["1", "2"] {
            let (output, shown) = run(snapshot(&fixture, &["--jobs", jobs]), false);
            assert_eq!(output.lines().count(), 60_001);
            assert!(output.lines().all(|line| line.starts_with('{') && line.ends_with('}')));
            // The bar of the copy, the table without its control characters, the reports.
            assert!(shown.contains("] copied 1 of 2 tables, "), "{shown:?}");
            assert!(shown.contains("public.a") && shown.contains("[2Jb: "), "{shown:?}");
            assert!(!shown.contains("\x1b[2J"), "{shown:?}");
            assert!(shown.contains("pgoutput: copied 2 of 2 tables, 60000 rows"), "{shown:?}");
            let last = shown.trim_end().rsplit('\n').next().unwrap();
            assert!(last.contains("pgoutput: the copy is complete"), "{shown:?}");
        }
        let (_, shown) = run(snapshot(&fixture, &["--quiet"]), false);
        assert_eq!(shown, "");
    }
}

#[test]
fn objects_on_a_terminal_have_no_bars_between_them() {
    for server in servers() {
        let fixture = fixture(server);
        let (_, shown) = run(snapshot(&fixture, &[]), true);
        assert!(!shown.contains('\x1b'), "control characters");
        let objects = shown.lines().filter(|line| line.starts_with('{')).count();
        assert_eq!((objects, shown.matches("] copied").count()), (60_001, 0));
        // To a file, it is free for bars.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows");
        let (_, shown) = run(snapshot(&fixture, &["--output", path.to_str().unwrap()]), true);
        assert!(shown.contains("] copied 1 of 2 tables, "), "{shown:?}");
    }
}
