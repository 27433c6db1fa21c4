//! Redis servers as destinations.

use ::redis::{Client, Commands as _, Connection, Value};
use pgoutput_harness::engine::Engine;
use pgoutput_harness::engine::redis::{EARLIER, LATER, Program};
use pgoutput_harness::skip;
use pgoutput_tests::eventually;

use crate::destination::Destination;

/// A server with `appendonly yes` and `appendfsync always`.
pub(crate) struct RedisServer {
    engine: Engine,
}

/// An entry: its ID and its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: (u64, u64),
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

impl RedisServer {
    /// Returns a server that has WAITAOF, or else any.
    pub(crate) fn start() -> Option<Self> {
        Self::of(LATER, &[]).or_else(|| Self::of(EARLIER, &[]))
    }

    /// Returns a server of a program.
    pub(crate) fn of(program: Program, arguments: &[&str]) -> Option<Self> {
        match program.start(arguments) {
            Ok(engine) => Some(Self { engine }),
            Err(reason) => {
                skip(reason);
                None
            }
        }
    }

    /// Returns a server without WAITAOF and one with it.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [EARLIER, LATER].into_iter().filter_map(|program| Self::of(program, &[]))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the argument of `--to`, with options after a `?`.
    pub(crate) fn to(&self, options: &str) -> String {
        format!("redis://127.0.0.1:{}/0{options}", self.engine.port())
    }

    /// Connects, once its data is loaded.
    pub(crate) fn client(&self) -> Connection {
        let client = Client::open(self.to("")).unwrap();
        eventually("Redis to load its data", || {
            let mut connection = client.get_connection().ok()?;
            ::redis::cmd("PING").exec(&mut connection).ok()?;
            ::redis::cmd("DBSIZE").exec(&mut connection).ok()?;
            Some(connection)
        })
    }

    /// Runs a command of words.
    pub(crate) fn run(&self, command: &str) -> Value {
        let mut words = command.split(' ');
        let mut query = ::redis::cmd(words.next().unwrap());
        for word in words {
            query.arg(word);
        }
        query.query(&mut self.client()).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Returns a number from a command.
    pub(crate) fn number(&self, command: &str) -> i64 {
        match self.run(command) {
            Value::Int(number) => number,
            other => panic!("{command}: {other:?}"),
        }
    }

    /// Returns the entries of a stream.
    pub(crate) fn entries(&self, stream: &str) -> Vec<Entry> {
        let mut client = self.client();
        let (mut entries, mut start) = (Vec::new(), "-".to_owned());
        loop {
            type Page = Vec<(String, Vec<(String, String)>)>;
            let page: Page = ::redis::cmd("XRANGE")
                .arg((stream, &start, "+", "COUNT", 1000))
                .query(&mut client)
                .unwrap();
            let Some((last, _)) = page.last() else { return entries };
            start = format!("({last}");
            entries.extend(page.into_iter().map(|(id, fields)| {
                let field = |name| {
                    fields.iter().find(|(field, _)| field == name).map(|(_, text)| text.clone())
                };
                let (first, second) = id.split_once('-').unwrap();
                Entry {
                    id: (first.parse().unwrap(), second.parse().unwrap()),
                    key: field("key"),
                    value: field("value"),
                }
            }));
        }
    }

    /// Returns a field of the state.
    pub(crate) fn state(&self, slot: &str, field: &str) -> Option<String> {
        self.client().hget(format!("pgoutput:{slot}"), field).unwrap()
    }
}

impl Destination for RedisServer {
    fn url(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}/0")
    }

    fn port(&self) -> Option<u16> {
        Some(self.engine.port())
    }

    fn values(&self, topic: &str) -> Vec<String> {
        self.entries(topic).into_iter().filter_map(|entry| entry.value).collect()
    }

    fn kill(&self) {
        self.engine.kill();
    }

    fn restart(&self) {
        self.engine.restart();
    }
}
