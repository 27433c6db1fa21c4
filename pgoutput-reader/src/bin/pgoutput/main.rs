//! The `pgoutput` program: the changes of a database as JSON, one object a line.

mod args;
mod output;
mod report;
mod signals;
mod stdout;
mod tail;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use pgoutput_decode::Printable;

use args::{Args, Command};

/// How the program ends without success.
enum Failure {
    /// What was asked for cannot be done as it was put: exit status 2.
    Usage(String),
    /// It was tried and failed: exit status 1.
    Run(String),
}

fn main() -> ExitCode {
    let Args { command } = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
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

/// Help, version or what is wrong with the arguments, which are shown in it: status 0 or 2, as clap has it.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let mut out: Box<dyn Write> =
        if error.use_stderr() { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
    for line in text.lines() {
        // That nobody may be reading it is no failure.
        let _ = writeln!(out, "{}", Printable(line));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// One line on standard error, whatever a server put into its message. That nobody may be reading it is no failure.
fn say(message: &dyn Display) {
    let _ = writeln!(io::stderr(), "pgoutput: {}", Printable(message));
}
