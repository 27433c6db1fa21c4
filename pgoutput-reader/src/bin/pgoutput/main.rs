//! The `pgoutput` program: the changes of a database as JSON, one object a line.

mod args;
mod output;
mod signals;
mod stdout;
mod tail;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// How the program ends without success.
enum Failure {
    /// What was asked for cannot be done as it was put: exit status 2.
    Usage(String),
    /// It was tried and failed: exit status 1.
    Run(String),
}

fn main() -> ExitCode {
    // clap itself prints help, version and wrong usage, and exits with 0 or 2.
    let Args { command } = Args::parse();
    let result = match command {
        Command::Tail(tail) => tail::run(&tail),
    };
    let (message, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => (message, 2),
        Err(Failure::Run(message)) => (message, 1),
    };
    say(&message);
    ExitCode::from(status)
}

/// One line on standard error, whatever a server put into its message. That nobody may be reading it is no failure.
fn say(message: &dyn Display) {
    let line = message.to_string().replace(['\r', '\n'], " ");
    let _ = writeln!(io::stderr(), "pgoutput: {line}");
}
