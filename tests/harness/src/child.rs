//! Child processes that run to their end or are killed.

use std::io;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::wait::{TIMEOUT, Wait};

/// Runs a program to its end without input, and returns what it printed. After `limit` it is
/// killed.
///
/// # Errors
///
/// If it cannot be run, or [`io::ErrorKind::TimedOut`] if it was killed.
pub fn output_within(command: &mut Command, limit: Duration) -> io::Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn()?;
    let wait = Wait::killing(format!("the end of {program}"), limit, &child);
    let output = child.wait_with_output()?;
    if wait.is_over() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let text =
            format!("killed after {} s; its error output: {}", limit.as_secs(), stderr.trim());
        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
    }
    Ok(output)
}

/// Runs [`output_within`] for tests, with the limit [`TIMEOUT`].
///
/// # Panics
///
/// If it cannot be run, or has to be killed.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    output_within(command, TIMEOUT).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{output, output_within};
    use std::io;
    use std::process::Command;
    use std::time::Duration;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let mut sleep = Command::new("sleep");
        let error = output_within(sleep.arg("600"), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("killed"), "{error}");
    }

    #[test]
    fn output_and_exit_status_are_returned() {
        let output = output(Command::new("sh").args(["-c", "cat; echo out; echo err >&2; exit 3"]));
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice()),
            (&b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(output.status.code(), Some(3));
    }
}
