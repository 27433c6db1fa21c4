//! `pgoutput pipe --to kafka://…`, with a broker of the tests, Tansu and librdkafka's mock cluster.

mod broker;
mod consumer;
mod log;
mod mock;
mod refused;
mod restarts;
mod scram;
mod tansu;
mod tls;
mod wire;

use std::process::{Command, Output};

use pgoutput_tests::Fixture;
use serde_json::Value;

pub(crate) use broker::Broker;

use crate::destination::Destination;
use crate::program::pipe;

/// The topic of all changes.
const TOPIC: &str = "changes";

impl Destination for Broker {
    fn url(&self, port: u16) -> String {
        // Clients are told where the broker is, so a proxy must be what they are told.
        self.advertise(port);
        format!("kafka://127.0.0.1:{port}?timeout=10")
    }

    fn port(&self) -> Option<u16> {
        Some(self.port())
    }

    fn values(&self, topic: &str) -> Vec<String> {
        self.advertise(self.port());
        consumer::values(self.port(), topic)
    }

    fn kill(&self) {
        self.kill();
    }

    fn restart(&self) {
        self.restart();
    }
}

/// Returns `pgoutput pipe` of everything so far into the topic.
fn everything(fixture: &Fixture<'_>, to: &str) -> Command {
    let mut command = pipe(fixture, to);
    command.args(["--topic", TOPIC, "--quiet", "--until-lsn", &fixture.end().to_string()]);
    command
}

/// Runs the program, which must succeed without printing anything.
#[track_caller]
fn run(command: &mut Command) {
    let output = pgoutput_harness::output(command);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", shown(&output));
}

/// Runs the program, which must fail, and returns its only line of standard error.
#[track_caller]
fn error(command: &mut Command) -> String {
    let output = pgoutput_harness::output(command);
    assert!(!output.status.success(), "{}", shown(&output));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn shown(output: &Output) -> String {
    format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// Returns a column of the new rows.
fn column(values: &[String], name: &str) -> Vec<i64> {
    let number = |value: &String| {
        let value: Value = serde_json::from_str(value).unwrap();
        value["after"][name].as_i64().unwrap()
    };
    values.iter().map(number).collect()
}
