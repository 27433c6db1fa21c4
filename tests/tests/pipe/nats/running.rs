//! Servers, streams and runs of the program.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use pgoutput_harness::engine::{NatsClient, NatsMessage, NatsServer};
use pgoutput_harness::{TIMEOUT, Wait, eventually, output};
use pgoutput_tests::Fixture;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::destination::Destination;
use crate::program::pipe;

/// The stream of the tests, which has the subjects below `t`.
pub(crate) const STREAM: &str = "CHANGES";

impl Destination for NatsServer {
    fn url(&self, port: u16) -> String {
        format!("nats://127.0.0.1:{port}/{STREAM}?timeout=10")
    }

    fn port(&self) -> Option<u16> {
        Some(NatsServer::port(self))
    }

    fn values(&self, topic: &str) -> Vec<String> {
        let messages = self.client().messages(STREAM).into_iter();
        let of_topic = messages.filter(|message| message.subject == topic);
        of_topic
            .filter(|message| message.header("Pgoutput-Type") != Some("position"))
            .map(|message| message.payload)
            .collect()
    }

    fn kill(&self) {
        self.engine().kill();
    }

    fn restart(&self) {
        self.engine().restart();
    }
}

/// Whether transactions are stored in atomic batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batches {
    Atomic,
    Single,
}

/// Starts a server with a stream; `None` if there is no server.
pub(crate) fn server(batches: Batches) -> Option<NatsServer> {
    let server = NatsServer::start()?;
    create(&server, batches);
    Some(server)
}

pub(crate) fn create(server: &NatsServer, batches: Batches) {
    let more = match batches {
        Batches::Atomic => json!({"allow_atomic": true}),
        Batches::Single => json!({}),
    };
    server.client().create_stream(STREAM, &["t.>"], &more);
}

/// Returns the program with the server's stream, until the current end of the WAL.
pub(crate) fn to_end(fixture: &Fixture<'_>, server: &NatsServer) -> Command {
    let mut command = continuous(fixture, server);
    command.args(["--until-lsn", &fixture.end().to_string()]);
    command
}

/// Returns the program with the server's stream.
pub(crate) fn continuous(fixture: &Fixture<'_>, server: &NatsServer) -> Command {
    let mut command = pipe(fixture, &server.url(server.port()));
    command.args(["--topic", "t.{schema}.{table}", "--quiet"]);
    command
}

/// Runs the program to its end, which must be a success.
#[track_caller]
pub(crate) fn run(command: &mut Command) {
    let output = output(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
}

/// Runs the program to its end, which must be an error, and returns its one line.
#[track_caller]
pub(crate) fn refused(command: &mut Command) -> String {
    let output = output(command);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_ne!(output.status.code(), Some(0), "{command:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

/// Returns the messages of the stream.
pub(crate) fn messages(server: &NatsServer) -> Vec<NatsMessage> {
    server.client().messages(STREAM)
}

/// Returns the column `id` of the rows in the messages.
pub(crate) fn ids(messages: &[NatsMessage]) -> Vec<i64> {
    let rows = messages.iter().filter_map(|message| {
        let value: Value = serde_json::from_str(&message.payload).ok()?;
        value["after"]["id"].as_i64()
    });
    rows.collect()
}

/// Waits until the stream has a number of messages.
pub(crate) fn wait_for(client: &mut NatsClient, count: u64) {
    eventually("messages in the stream", || {
        let info = client.api(&format!("STREAM.INFO.{STREAM}"), &json!({}));
        (info["state"]["messages"].as_u64() >= Some(count)).then_some(())
    });
}

/// A program in the background. Dropping it kills it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits until it reads the slot.
    pub(crate) fn connected(fixture: &Fixture<'_>) {
        eventually("a connection with the slot", || fixture.slot().active.then_some(()));
    }

    /// Asks it to end.
    pub(crate) fn stop(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has ended, and returns its exit code and what it reported.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let wait = Wait::killing("the end of pgoutput pipe", TIMEOUT, &self.0);
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        let status = self.0.wait().unwrap();
        wait.done();
        (status.code(), text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
        if let (true, Some(stderr)) = (std::thread::panicking(), &mut self.0.stderr) {
            let mut report = String::new();
            let _ = stderr.read_to_string(&mut report);
            eprintln!("pgoutput pipe reported: {report}");
        }
    }
}
