//! Running the program against a database of the test's own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use pgoutput_harness::{Database, PATIENCE, Server, Wait, eventually, output};
use postgres::Client;
use serde_json::Value;

/// A database with a table `t (id int PRIMARY KEY, name text)`, a publication of all tables and a slot.
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

    /// The end of everything committed so far.
    pub(crate) fn end(&self) -> String {
        self.text("pg_current_wal_flush_lsn()")
    }

    /// What the slot has confirmed.
    pub(crate) fn confirmed(&self) -> String {
        self.text(&format!(
            "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
            self.slot
        ))
    }

    /// `pgoutput tail --quiet` of slot and publication, with further arguments.
    pub(crate) fn tail(&self, arguments: &[&str]) -> Command {
        let mut command = self.tail_aloud(arguments);
        command.arg("--quiet");
        command
    }

    /// The same with what is reported on standard error.
    pub(crate) fn tail_aloud(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        let dsn = self.database.dsn();
        command.args(["tail", "--dsn", &dsn, "--slot", &self.slot, "--publication", PUBLICATION]);
        command.args(arguments);
        command
    }

    /// Everything up to now, as the program prints it.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        let end = self.end();
        let output = finished(self.tail(arguments).args(["--until-lsn", &end]));
        assert_success(&output);
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Looks until it is so, for as long as a test is patient.
#[track_caller]
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}

/// The program in an environment that names no server.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgoutput"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("PG") || text == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
#[track_caller]
pub(crate) fn finished(command: &mut Command) -> Output {
    output(command)
}

pub(crate) fn assert_success(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The one line on standard error that a failed run leaves.
pub(crate) fn complaint(output: &Output, status: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    assert!(output.stdout.is_empty());
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

/// A run that goes on; ended when dropped.
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

    /// The next line, which the program has to write out without being asked to.
    pub(crate) fn line(&mut self) -> Value {
        let mut line = String::new();
        let wait = Wait::or_kill("a line of the program", PATIENCE, &self.child);
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        wait.done();
        assert!(line.ends_with('\n'), "the end came after {line:?}");
        serde_json::from_str(&line).unwrap()
    }

    /// Passes lines over, unread.
    #[cfg(target_os = "linux")]
    pub(crate) fn skip(&mut self, lines: u64) {
        let stdout = self.stdout.as_mut().unwrap();
        // Half a million of them in the time of one, on a machine with much else to do.
        let limit = PATIENCE * (1 + u32::try_from(lines / 500_000).unwrap());
        let wait = Wait::or_kill("lines of the program", limit, &self.child);
        for _ in 0..lines {
            assert_ne!(stdout.skip_until(b'\n').unwrap(), 0);
        }
        wait.done();
    }

    /// The most memory that it has had so far, in KiB: `VmHWM` of proc(5).
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Goes away as the reader of its output.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// How many bytes of its output wait to be read.
    pub(crate) fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(self.stdout.as_ref().unwrap().get_ref()).unwrap()
    }

    /// Waits for its end without reading its output, and does this meanwhile: its exit status, and what it said.
    pub(crate) fn ended_unread(mut self, meanwhile: impl Fn(&Self)) -> (Option<i32>, String) {
        let mut status = None;
        wait("the program to end", || {
            status = self.child.try_wait().unwrap();
            if status.is_none() {
                meanwhile(&self);
            }
            status.is_some()
        });
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.and_then(|status| status.code()), said)
    }

    /// Waits for its end: the rest of its output, and its exit status. There must be nothing on standard error.
    pub(crate) fn end(self) -> (String, Option<i32>) {
        let (rest, status, complaints) = self.end_with_complaints();
        assert_eq!(complaints, "");
        (rest, status)
    }

    /// Waits for its end: the rest of its output, its exit status, and what it said on standard error.
    pub(crate) fn end_with_complaints(mut self) -> (String, Option<i32>, String) {
        let waits = Wait::or_kill("the program to end", PATIENCE, &self.child);
        let mut rest = String::new();
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut rest).unwrap();
        }
        let mut status = None;
        wait("the program to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        waits.done();
        (rest, status.and_then(|status| status.code()), complaints)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
