//! An example while it runs, with the lines that it prints.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};

use pgoutput_harness::{TIMEOUT, Wait};

use crate::example;

/// An example. Dropping this kills it.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) stderr: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = example(name);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Returns the next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let wait = Wait::killing("a line of the example", TIMEOUT, &self.child);
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        wait.done();
        if line.is_empty() {
            let mut stderr = String::new();
            self.stderr.read_to_string(&mut stderr).unwrap();
            panic!("the example ended: {stderr}");
        }
        line.trim_end().into()
    }

    /// Waits until it ends by itself, and returns the exit status and standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let wait = Wait::killing("the example to end", TIMEOUT, &self.child);
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        wait.done();
        (status.code(), stderr)
    }

    /// Ends it with SIGKILL. It must not have ended by itself.
    pub(crate) fn kill(mut self) {
        if self.child.try_wait().unwrap().is_some() {
            let mut stderr = String::new();
            self.stderr.read_to_string(&mut stderr).unwrap();
            panic!("it ended by itself: {stderr}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
