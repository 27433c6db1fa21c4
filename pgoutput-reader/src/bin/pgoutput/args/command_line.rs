//! The command line as a whole: parsing, help in sections, and what several commands share.

use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::Args;

/// The environment of commands that connect. Names only: values may be passwords.
const ENVIRONMENT: &str = "\
\x1b[1m\x1b[4mEnvironment:\x1b[0m
  DATABASE_URL  The server, if --dsn is not given
  PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD, PGPASSFILE, PGSERVICE, PGSSLMODE, …
                Parameters that neither of them contains, as in libpq
  RUST_LOG      Log of the library on standard error: error, warn, info, debug, trace, or by
                module as in pgoutput_reader=debug [default: nothing]
  NO_COLOR      No colours in help and usage errors";

/// Returns the command line.
pub(crate) fn command() -> Command {
    with_environment(Args::command())
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Args, clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Args::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Adds the section to each command that connects.
fn with_environment(command: Command) -> Command {
    let connects = command.get_arguments().any(|argument| argument.get_id() == "dsn");
    let command = command.mut_subcommands(with_environment);
    if !connects {
        return command;
    }
    let before = command.get_after_help().map(|text| format!("{}\n\n", text.ansi()));
    command.after_help(before.unwrap_or_default() + ENVIRONMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_that_connects_names_the_environment() {
        fn check(command: &Command, connecting: &mut usize) {
            if command.get_arguments().any(|argument| argument.get_id() == "dsn") {
                *connecting += 1;
                let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(text.contains("DATABASE_URL"), "{}", command.get_name());
            }
            command.get_subcommands().for_each(|command| check(command, connecting));
        }
        let mut connecting = 0;
        check(&command(), &mut connecting);
        assert!(connecting >= 9, "{connecting}");
    }
}
