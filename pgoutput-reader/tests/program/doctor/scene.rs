//! A database in which situations are created one after the other.

use std::process::{Command, Output};

use pgoutput_harness::{Database, Server, eventually};
use postgres::Client;
use serde_json::Value;

use super::normalized::Normalized;
use crate::run::{finished, program};

/// A line of the table of situations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) situation: String,
    pub(super) command: String,
    pub(super) says: String,
    pub(super) sql: Vec<String>,
}

/// A database with the tables `orders`, `notes` (without a key) and the roles `app` and `reader`,
/// which are this scene's own.
pub(super) struct Scene<'s> {
    pub(super) server: &'s Server,
    pub(super) database: Database<'s>,
    /// A name for slots.
    pub(super) slot: String,
    /// A role with LOGIN and REPLICATION.
    pub(super) role: String,
    rows: Vec<Row>,
    /// What differs from run to run, and what replaces it.
    replacements: Vec<(String, String)>,
}

impl<'s> Scene<'s> {
    pub(super) fn new(server: &'s Server) -> Self {
        let database = server.database("shop");
        let slot = database.slot_name("slot");
        let role = format!("reader_{}", database.name());
        let scene =
            Self { server, database, slot, role, rows: Vec::new(), replacements: Vec::new() };
        scene.sql(&format!(
            "CREATE TABLE orders (id int PRIMARY KEY, item text);
             CREATE TABLE notes (id int, note text);
             CREATE ROLE {} LOGIN REPLICATION",
            scene.role
        ));
        scene
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Replaces a text in the rows that follow.
    pub(super) fn replace(&mut self, text: &str, with: &str) {
        self.replacements.push((text.into(), with.into()));
    }

    pub(super) fn client(&self) -> Client {
        self.database.client()
    }

    pub(super) fn sql(&self, statements: &str) {
        self.client().batch_execute(statements).unwrap_or_else(|e| panic!("{statements}: {e:?}"));
    }

    /// Creates the slot for pgoutput.
    pub(super) fn create_slot(&self) {
        let slot = &self.slot;
        self.sql(&format!(
            "SELECT pg_catalog.pg_create_logical_replication_slot('{slot}', 'pgoutput')"
        ));
    }

    pub(super) fn drop_slot(&self) {
        self.database.wait_until_free(&self.slot);
        let slot = &self.slot;
        self.sql(&format!("SELECT pg_catalog.pg_drop_replication_slot('{slot}')"));
    }

    /// A connection string for the role that reads.
    pub(super) fn reader(&self) -> String {
        self.database.dsn().replace("user=postgres", &format!("user={}", self.role))
    }

    /// Checks that the doctor finds a problem with this object, whose message contains `expected`;
    /// that its SQL, if it has any, cures it; and keeps the row.
    pub(super) fn problem(
        &mut self,
        situation: &str,
        arguments: &[&str],
        object: &str,
        expected: &str,
    ) {
        let dsn = self.database.dsn();
        self.problem_of(situation, &dsn, arguments, object, expected);
    }

    /// Like [`problem`](Self::problem), with this connection string.
    pub(super) fn problem_of(
        &mut self,
        situation: &str,
        dsn: &str,
        arguments: &[&str],
        object: &str,
        expected: &str,
    ) {
        let found = check(dsn, arguments);
        let problem = problem(&found, object, expected);
        let problem = problem.unwrap_or_else(|| panic!("{situation}: {object}: {found:#?}"));
        let statements = statements(problem);
        if !statements.is_empty() {
            let mut client = self.client();
            for statement in &statements {
                client
                    .batch_execute(statement)
                    .unwrap_or_else(|error| panic!("{situation}: {statement}: {error:?}"));
            }
            // A process that was ended needs a moment.
            eventually(&format!("the end of: {situation}"), || {
                let again = check(dsn, arguments);
                self::problem(&again, object, expected).is_none().then_some(())
            });
        }
        self.keep(situation, arguments, problem);
    }

    /// Runs another command, which must fail with this status and one line, and keeps the row.
    pub(super) fn failure(
        &mut self,
        situation: &str,
        arguments: &[&str],
        status: i32,
        expected: &str,
    ) {
        let dsn = self.database.dsn();
        self.failure_of(situation, &dsn, arguments, status, expected);
    }

    /// Like [`failure`](Self::failure), with this connection string.
    pub(super) fn failure_of(
        &mut self,
        situation: &str,
        dsn: &str,
        arguments: &[&str],
        status: i32,
        expected: &str,
    ) {
        let output = finished(program().args(arguments).args(["--quiet", "--dsn", dsn]));
        let says = line(&output, status);
        assert!(says.contains(expected), "{situation}: {says}");
        self.keep_line(situation, arguments, &says);
    }

    /// Keeps the row of an error.
    pub(super) fn keep_line(&mut self, situation: &str, arguments: &[&str], says: &str) {
        let row = self.row(situation, &[], arguments, says, &[]);
        self.rows.push(row);
    }

    /// Keeps the row of a finding.
    pub(super) fn keep(&mut self, situation: &str, arguments: &[&str], finding: &Value) {
        let (says, sql) = (message(finding), statements(finding));
        let row = self.row(situation, &["doctor"], arguments, &says, &sql);
        self.rows.push(row);
    }

    /// Returns what replaces the names of this scene.
    pub(super) fn normalized(&self) -> Normalized {
        let given = self.replacements.iter();
        given
            .fold(Normalized::new(), |normalized, (text, with)| normalized.replace(text, with))
            .replace(self.server.socket_folder().to_str().unwrap(), "/run/postgresql")
            .replace(&self.server.port().to_string(), "5432")
            .replace(&self.role, "reader")
            .replace(&self.slot, "my_slot")
            .replace(self.database.name(), "shop")
    }

    /// The row of a situation, without what differs from run to run.
    fn row(
        &self,
        situation: &str,
        command: &[&str],
        arguments: &[&str],
        says: &str,
        sql: &[String],
    ) -> Row {
        let normalized = self.normalized();
        Row {
            situation: situation.into(),
            command: normalized.text(&shell(&[command, arguments].concat())),
            says: normalized.text(says),
            sql: sql.iter().map(|sql| normalized.text(sql)).collect(),
        }
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        if let Ok(mut client) = self.database.try_client() {
            let role = &self.role;
            let _ = client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
        }
    }
}

/// Returns the findings of `pgoutput doctor` with these arguments.
pub(super) fn check(dsn: &str, arguments: &[&str]) -> Vec<Value> {
    findings(program().args(["doctor", "--json", "--dsn", dsn]).args(arguments))
}

/// Returns the findings that a doctor prints as JSON. Its exit status must fit them.
pub(super) fn findings(command: &mut Command) -> Vec<Value> {
    let output = finished(command);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let object: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {errors}"));
    let findings = object["findings"].as_array().unwrap().clone();
    let is_fine = findings.iter().all(|finding| finding["severity"] == "ok");
    assert_eq!(output.status.code(), Some(i32::from(!is_fine)), "{text}");
    assert_eq!(errors, "");
    findings
}

/// Returns the warning or error of an object whose message contains this text.
pub(super) fn problem<'f>(
    findings: &'f [Value],
    object: &str,
    expected: &str,
) -> Option<&'f Value> {
    findings.iter().find(|finding| {
        finding["severity"] != "ok"
            && finding["object"] == object
            && finding["message"].as_str().unwrap().contains(expected)
    })
}

pub(super) fn message(finding: &Value) -> String {
    finding["message"].as_str().unwrap().to_owned()
}

pub(super) fn statements(finding: &Value) -> Vec<String> {
    let sql = finding["sql"].as_array().unwrap();
    sql.iter().map(|statement| statement.as_str().unwrap().to_owned()).collect()
}

/// Returns the error of a failed run, without the program's name, and without the usage that
/// follows an error in the arguments.
pub(super) fn line(output: &Output, status: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(status), "{text}");
    let is_usage = |line: &&str| line.starts_with("Usage:") || line.starts_with("For more");
    let lines = text.lines().take_while(|line| !is_usage(line)).map(str::trim);
    let line = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    line.strip_prefix("pgoutput: ").unwrap_or(&line).to_owned()
}

/// Returns arguments as they are typed.
pub(super) fn shell(arguments: &[&str]) -> String {
    let quoted = |argument: &&str| {
        let is_plain = !(argument.is_empty() || argument.contains([' ', '"', '\'']));
        let quote = if is_plain { "" } else { "'" };
        format!("{quote}{argument}{quote}")
    };
    arguments.iter().map(quoted).collect::<Vec<_>>().join(" ")
}
