//! Runs of the program.

use std::process::Command;

use pgoutput_tests::{Fixture, PUBLICATION};

/// Returns `pgoutput pipe` of the fixture's slot into a destination, without reports.
pub(crate) fn pipe(fixture: &Fixture<'_>, to: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    command.args(["pipe", "--dsn", &fixture.database().uri(), "--slot", fixture.slot_name()]);
    command.args(["--publication", PUBLICATION, "--to", to]);
    command
}
