//! Runs of the program against a database of the test's own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use pgoutput_harness::{Database, Server, TIMEOUT, Wait, eventually, output};
use postgres::Client;
use serde_json::Value;

/// A database with a table `t (id int PRIMARY KEY, name text)`, a publication of all tables and a
/// slot.
pub(crate) struct Fixture<'s> {
    pub(crate) slot: String,
    pub(crate) database: Database<'s>,
}

pub(crate) const PUBLICATION: &str = "Every, \"thing\"";

impl<'s> Fixture<'s> {
    pub(crate) fn new(server: &'s Server) -> Self {
        let database = server.database("program");
        let slot = database.slot_name("slot");
        let fixture = Self { slot, database };
        fixture.sql("CREATE TABLE t (id int PRIMARY KEY, name text)");
        fixture.sql("CREATE PUBLICATION \"Every, \"\"thing\"\"\" FOR ALL TABLES");
        fixture.sql(&format!(
            "SELECT pg_create_logical_replication_slot('{}', 'pgoutput')",
            fixture.slot
        ));
        fixture
    }

    pub(crate) fn client(&self) -> Client {
        self.database.client()
    }

    pub(crate) fn sql(&self, statement: &str) {
        self.client().batch_execute(statement).unwrap_or_else(|e| panic!("{statement}: {e:?}"));
    }

    pub(crate) fn text(&self, query: &str) -> String {
        self.client().query_one(&format!("SELECT ({query})::text"), &[]).unwrap().get(0)
    }

    /// Returns the end of everything committed so far.
    pub(crate) fn end(&self) -> String {
        self.text("pg_current_wal_flush_lsn()")
    }

    /// Returns the slot's confirmed LSN.
    pub(crate) fn confirmed(&self) -> String {
        self.text(&format!(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
            self.slot
        ))
    }

    /// Waits until no connection holds the slot. A program that ends within a large transaction
    /// closes its connection, and the server needs a moment to notice.
    pub(crate) fn wait_until_free(&self) {
        self.database.wait_until_free(&self.slot);
    }

    /// Returns `pgoutput tail --quiet` for the slot and the publication, with further arguments.
    pub(crate) fn tail(&self, arguments: &[&str]) -> Command {
        let mut command = self.tail_verbose(arguments);
        command.arg("--quiet");
        command
    }

    /// Like [`tail`](Self::tail), with reports on standard error.
    pub(crate) fn tail_verbose(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        let dsn = self.database.dsn();
        command.args(["tail", "--dsn", &dsn, "--slot", &self.slot, "--publication", PUBLICATION]);
        command.args(arguments);
        command
    }

    /// Returns all events up to the current end, as the program prints them.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let end = self.end();
        self.wait_until_free();
        let output = finished(self.tail(arguments).args(["--until-lsn", &end]));
        assert_success(&output);
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Waits until `is_true` returns true.
#[track_caller]
pub(crate) fn wait(what: &str, mut is_true: impl FnMut() -> bool) {
    eventually(what, || is_true().then_some(()));
}

/// Returns the program's command in an environment that does not name a server, and requests
/// neither a log nor colours.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgoutput"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") || ["DATABASE_URL", "RUST_LOG", "NO_COLOR"].contains(&&*text) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the command to its end.
#[track_caller]
pub(crate) fn finished(command: &mut Command) -> Output {
    output(command)
}

pub(crate) fn assert_success(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the single line on standard error that a failed run leaves.
pub(crate) fn error_line(output: &Output, status: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(output.stdout.is_empty());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// A program that is running. Dropping this kills it.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// Returns the next line, which the program must flush by itself.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        let wait = Wait::killing("a line of the program", TIMEOUT, &self.child);
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        wait.done();
        if !line.ends_with('\n') {
            let mut stderr = String::new();
            let _ = self.child.stderr.take().map(|mut pipe| pipe.read_to_string(&mut stderr));
            panic!("the end came after {line:?}, with {stderr:?} on standard error");
        }
        serde_json::from_str(&line).unwrap()
    }

    /// Skips lines without reading them.
    #[cfg(target_os = "linux")]
    pub(crate) fn skip(&mut self, lines: u64) {
        let stdout = self.stdout.as_mut().unwrap();
        // Half a million lines get the time of one, on a busy machine.
        let limit = TIMEOUT * (1 + u32::try_from(lines / 500_000).unwrap());
        let wait = Wait::killing("lines of the program", limit, &self.child);
        for _ in 0..lines {
            assert_ne!(stdout.skip_until(b'\n').unwrap(), 0);
        }
        wait.done();
    }

    /// Returns the peak memory so far, in KiB: `VmHWM` of proc(5).
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Closes the reading end of its output.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Returns how many bytes of its output wait to be read.
    pub(crate) fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(self.stdout.as_ref().unwrap().get_ref()).unwrap()
    }

    /// Waits for the end without reading the output and calls `meanwhile` until then. Returns the
    /// exit status and standard error.
    pub(crate) fn end_without_reading(
        mut self,
        meanwhile: impl Fn(&Self),
    ) -> (Option<i32>, String) {
        let mut status = None;
        wait("the program to end", || {
            status = self.child.try_wait().unwrap();
            if status.is_none() {
                meanwhile(&self);
            }
            status.is_some()
        });
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status.and_then(|status| status.code()), stderr)
    }

    /// Waits for the end and returns the rest of the output and the exit status. Standard error
    /// must be empty.
    pub(crate) fn end(self) -> (String, Option<i32>) {
        let (rest, status, stderr) = self.end_with_stderr();
        assert_eq!(stderr, "");
        (rest, status)
    }

    /// Waits for the end and returns the rest of the output, the exit status and standard error.
    pub(crate) fn end_with_stderr(mut self) -> (String, Option<i32>, String) {
        let waits = Wait::killing("the program to end", TIMEOUT, &self.child);
        let mut rest = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut rest).unwrap();
        }
        let mut status = None;
        wait("the program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        waits.done();
        (rest, status.and_then(|status| status.code()), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
