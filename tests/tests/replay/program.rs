//! Runs of the program.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use pgoutput_harness::output;
use pgoutput_tests::{Fixture, PUBLICATION};

/// The program, built for this package. It gets no settings from the environment.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

/// A command that reads a slot.
pub(crate) fn reads(command: &str, dsn: &str, slot: &str) -> Command {
    let mut reads = program();
    reads.args([command, "--dsn", dsn, "--slot", slot, "--publication", PUBLICATION]);
    reads
}

/// A command that captures the slot of a fixture.
pub(crate) fn captures(fixture: &Fixture<'_>, file: &Path) -> Command {
    let mut captures = reads("capture", &fixture.database().dsn(), fixture.slot_name());
    captures.arg("--quiet").arg(file);
    captures
}

/// Runs a command to its end, which must be a success, and returns what it printed.
#[track_caller]
pub(crate) fn printed(command: &mut Command) -> String {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command to its end, which must be a success, and returns what it said on standard error.
#[track_caller]
pub(crate) fn reported(command: &mut Command) -> String {
    let output = output(command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
    stderr
}

/// Returns what a replay of these files prints.
#[track_caller]
pub(crate) fn replayed(files: &[&Path], arguments: &[&str]) -> String {
    printed(program().arg("replay").args(files).args(arguments))
}

/// Compares line by line, since all of them would be too much to print.
#[track_caller]
pub(crate) fn assert_same(got: &str, expected: &str, context: &str) {
    for (got, expected) in got.lines().zip(expected.lines()) {
        assert_eq!(got, expected, "{context}");
    }
    let (got, expected) = (got.lines().count(), expected.lines().count());
    assert_eq!(got, expected, "the number of lines: {context}");
}

/// A program in the background. Dropping it kills it.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }
}

impl Running {
    /// Checks that the program has not ended by itself.
    #[track_caller]
    pub(crate) fn assert_running(&mut self) {
        if let Some(status) = self.0.try_wait().unwrap() {
            let mut stderr = String::new();
            self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("the program has ended with {status}: {stderr}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}
