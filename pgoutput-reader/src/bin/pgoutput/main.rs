//! The `pgoutput` program: the changes of a database as JSON, one object per line.

mod args;
mod bars;
mod capture;
mod decode;
mod doctor;
mod filter;
mod logger;
mod metrics;
mod names;
mod output;
mod pipe;
mod position_file;
mod print;
mod progress;
mod publication;
mod reading;
mod replay;
mod report;
mod result;
mod session;
mod signals;
mod slot;
mod snapshot;
mod sql;
mod stdout;
mod table;
mod tail;
mod texts;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use pgoutput_reader::decode::{Printable, is_printable};

use args::{Args, Command};

/// An unsuccessful end of the program.
enum Failure {
    /// The request cannot be fulfilled as given: exit status 2.
    Usage(String),
    /// The request failed: exit status 1.
    Run(String),
}

impl Failure {
    /// Adds what to do.
    fn with(self, advice: &str) -> Self {
        match self {
            Self::Usage(message) => Self::Usage(format!("{message}: {advice}")),
            Self::Run(message) => Self::Run(format!("{message}: {advice}")),
        }
    }
}

fn main() -> ExitCode {
    let Args { command } = match args::parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    logger::install();
    let result = match command {
        Command::Tail(tail) => tail::run(&tail),
        Command::Snapshot(snapshot) => snapshot::run(&snapshot),
        Command::Slot(slot) => slot::run(&slot),
        Command::Publication(publication) => publication::run(&publication),
        Command::Completions(completions) => texts::completions(&completions),
        Command::Man(man) => texts::man(&man),
        Command::Decode(decode) => decode::run(&decode),
        Command::Pipe(pipe) => pipe::run(&pipe),
        Command::Capture(capture) => capture::run(&capture),
        Command::Replay(replay) => replay::run(&replay),
        Command::Doctor(doctor) => match doctor::run(&doctor) {
            Ok(true) => return ExitCode::from(1),
            result => result.map(drop),
        },
    };
    let (message, status) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => (message, 2),
        Err(Failure::Run(message)) => (message, 1),
    };
    print_line(&message);
    ExitCode::from(status)
}

/// Prints help, the version or an error in the arguments, which it quotes. The exit status is
/// clap's, 0 or 2.
fn usage(error: &clap::Error) -> ExitCode {
    let status = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    let is_printable = |argument: OsString| {
        argument.to_str().is_some_and(|argument| argument.chars().all(is_printable))
    };
    if std::env::args_os().all(is_printable) {
        // The only escape sequences are those of clap, on a terminal that wants colours.
        let _ = error.print();
        return status;
    }
    let text = error.render().to_string();
    let mut out: Box<dyn Write> =
        if error.use_stderr() { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
    for line in text.lines() {
        // It is not an error if nobody reads it.
        let _ = writeln!(out, "{}", Printable(line));
    }
    status
}

/// Returns the failure of a name that the server does not have, with the names that it has.
fn missing(what: &str, name: &str, names: &[String]) -> Failure {
    Failure::Run(format!("{what} \"{name}\" does not exist; {}", existing(names)))
}

/// Lists the names that the server has.
fn existing(existing: &[String]) -> String {
    const NAMED: usize = 10;
    let named: Vec<String> =
        existing.iter().take(NAMED).map(|name| format!("\"{name}\"")).collect();
    match existing.len().saturating_sub(NAMED) {
        _ if named.is_empty() => "none exists".to_owned(),
        0 => format!("existing: {}", named.join(", ")),
        more => format!("existing: {} and {more} more", named.join(", ")),
    }
}

/// Prints a line that belongs to the one before, such as SQL to be copied.
fn print_detail(text: &dyn Display) {
    let _ = bars::above(|| writeln!(io::stderr(), "    {}", Printable(text)));
}

/// Prints one line on standard error. Characters of a server's message that are not printable are
/// escaped. It is not an error if nobody reads it.
fn print_line(message: &dyn Display) {
    let _ = bars::above(|| writeln!(io::stderr(), "pgoutput: {}", Printable(message)));
}
