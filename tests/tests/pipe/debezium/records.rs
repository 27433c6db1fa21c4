//! Records in the envelope, read with slots of the same changes.

use std::process::Command;

use pgoutput_harness::output;
use pgoutput_tests::{Fixture, PUBLICATION};

/// Reads the changes of a database several times.
pub(crate) struct Records<'f, 's>(&'f Fixture<'s>);

impl<'f, 's> Records<'f, 's> {
    /// Creates a slot for each reading. What is changed afterwards is read.
    pub(crate) fn before<const N: usize>(fixture: &'f Fixture<'s>, slots: [&str; N]) -> Self {
        let records = Self(fixture);
        for slot in slots {
            fixture.create_slot(&records.slot(slot));
        }
        records
    }

    fn slot(&self, name: &str) -> String {
        format!("{}_{name}", self.0.slot_name())
    }

    /// Returns the lines of all records so far, with fixed values for what differs between runs.
    pub(crate) fn read(&self, slot: &str, arguments: &[&str]) -> Vec<String> {
        self.raw(slot, arguments).iter().map(|line| fixed(line)).collect()
    }

    /// Does the same, and leaves everything as it is.
    pub(crate) fn raw(&self, slot: &str, arguments: &[&str]) -> Vec<String> {
        let (lines, error) = self.try_read(slot, arguments);
        assert!(error.is_empty(), "{error}");
        lines
    }

    /// Does the same, and returns what was reported on standard error.
    pub(crate) fn try_read(&self, slot: &str, arguments: &[&str]) -> (Vec<String>, String) {
        let end = self.0.number("pg_catalog.pg_current_wal_insert_lsn() - '0/0'").to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
        command.args(["pipe", "--dsn", &self.0.database().uri(), "--slot", &self.slot(slot)]);
        command.args(["--publication", PUBLICATION, "--to", "-", "--quiet"]);
        command.args(["--lines", "record", "--name", "shop", "--until-lsn", &end]);
        if !arguments.contains(&"--envelope") {
            command.args(["--envelope", "debezium"]);
        }
        let output = output(command.args(arguments));
        let lines = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        (lines.lines().map(str::to_owned).collect(), error)
    }
}

/// Returns a line with fixed values for what differs between runs.
fn fixed(line: &str) -> String {
    let mut line = line.to_owned();
    for name in ["ts_ms", "ts_us", "ts_ns", "txId", "lsn"] {
        line = replace_all(&line, &format!("\"{name}\":"), |rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if digits == 0 { (0, "") } else { (digits, "0") }
        });
    }
    line = replace_all(&line, "\"sequence\":\"", |rest| {
        let end = rest.find(']').unwrap_or(0);
        let has_both = rest.starts_with("[\\\"");
        (end, if has_both { "[\\\"0\\\",\\\"0\\\"" } else { "[null,\\\"0\\\"" })
    });
    for name in ["version", "db"] {
        line = replace_all(&line, &format!("\"{name}\":\""), |rest| {
            (rest.find('"').unwrap_or(0), name)
        });
    }
    line
}

/// Replaces what follows each `start`: as many bytes as `replace` returns, by its text.
fn replace_all<'t>(line: &str, start: &str, replace: impl Fn(&str) -> (usize, &'t str)) -> String {
    let mut parts = line.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        let (len, text) = replace(rest);
        out.push_str(start);
        out.push_str(text);
        out.push_str(&rest[len..]);
    }
    out
}
