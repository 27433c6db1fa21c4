//! A connection with a server.

use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::api::ServerInfo;
use super::credentials::Credentials;
use super::protocol::{self, Operation};
use super::transport::Transport;
use super::url::Address;
use super::{errors, headers, tls};
use crate::pipe::log::LogError;

/// The bytes that one read asks for.
const READ: usize = 64 * 1024;

/// The largest buffer that is kept.
const KEPT: usize = 1024 * 1024;

/// The number of the answers to requests, which no message of a stream has.
const REQUEST: u64 = u64::MAX;

/// A connection that is ready for publishing, with a subscription for answers.
#[derive(Debug)]
pub(super) struct Connection {
    transport: Transport,
    info: ServerInfo,
    incoming: Vec<u8>,
    /// The number of bytes of `incoming` that were processed.
    start: usize,
    outgoing: Vec<u8>,
    /// The subject of answers, before their number.
    inbox: String,
    timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The number in the subject that was asked with.
    pub(super) number: u64,
    /// Set if the answer is of the server itself.
    pub(super) status: Option<u16>,
    pub(super) payload: Vec<u8>,
}

enum Received {
    Reply(Reply),
    Pong,
}

/// The fields of `CONNECT`.
#[derive(serde::Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the protocol's own fields")]
struct Connect {
    verbose: bool,
    pedantic: bool,
    tls_required: bool,
    name: &'static str,
    lang: &'static str,
    version: &'static str,
    protocol: u8,
    echo: bool,
    headers: bool,
    no_responders: bool,
    #[serde(flatten)]
    credentials: Credentials,
}

/// Returns a text that no other process has.
pub(super) fn token() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

impl Connection {
    /// Connects with the first server that is reached.
    pub(super) fn open(address: &Address) -> Result<Self, LogError> {
        let mut failed = LogError::transient("no server is named");
        for (host, port) in &address.servers {
            match Self::open_server(address, host, *port) {
                Err(error) if error.is_transient() => failed = error,
                result => return result,
            }
        }
        Err(failed)
    }

    fn open_server(address: &Address, host: &str, port: u16) -> Result<Self, LogError> {
        let failed = |error: &io::Error| {
            LogError::transient(format!("cannot connect with {host}:{port}: {}", text(error)))
        };
        let deadline = Instant::now() + address.connect_timeout;
        let mut transport = Transport::connect(host, port, address.connect_timeout)
            .map_err(|error| failed(&error))?;
        let start_tls = |transport: Transport| {
            let session = tls::session(host, &address.tls_files).map_err(LogError::lasting)?;
            transport.with_tls(session, deadline).map_err(|error| tls_error(&error, host, port))
        };
        if address.tls_first {
            transport = start_tls(transport)?;
        }
        let mut connection = Self {
            transport,
            info: ServerInfo::default(),
            incoming: Vec::new(),
            start: 0,
            outgoing: Vec::new(),
            inbox: format!("{}.{}.", address.inbox, token()),
            timeout: address.connect_timeout,
        };
        connection.read_info()?;
        let needs_tls = address.tls || connection.info.tls_required;
        if needs_tls && !connection.transport.is_tls() {
            if !connection.info.tls_required && !connection.info.tls_available {
                return Err(LogError::lasting(
                    "the server offers no TLS: configure it there, or use nats://",
                ));
            }
            if connection.start < connection.incoming.len() {
                return Err(LogError::lasting("the server sends more before TLS starts"));
            }
            connection.transport = start_tls(connection.transport)?;
        }
        connection.log_in(address)?;
        connection.timeout = address.timeout;
        connection.transport.set_write_timeout(address.timeout).map_err(|error| failed(&error))?;
        Ok(connection)
    }

    /// Reads the description of the server, which is the first that it sends.
    fn read_info(&mut self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.timeout;
        while self.info.version.is_empty() {
            self.fill(deadline)?;
            match protocol::read(self.unread()).map_err(not_nats)? {
                None => {}
                Some((Operation::Info(json), length)) => {
                    self.info = server_info(json)?;
                    self.start += length;
                    if self.info.version.is_empty() {
                        return Err(LogError::lasting("the server names no version"));
                    }
                }
                Some((Operation::Error(text), _)) => return Err(errors::of_server(text)),
                Some(_) => return Err(LogError::lasting("the server does not start with INFO")),
            }
        }
        if !self.info.headers {
            return Err(LogError::lasting("the server knows no headers: NATS 2.2 is needed"));
        }
        Ok(())
    }

    fn log_in(&mut self, address: &Address) -> Result<(), LogError> {
        let credentials =
            Credentials::new(address, self.info.nonce.as_deref()).map_err(LogError::lasting)?;
        let connect = Connect {
            verbose: false,
            pedantic: false,
            tls_required: self.transport.is_tls(),
            name: "pgoutput pipe",
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            echo: false,
            headers: true,
            no_responders: true,
            credentials,
        };
        let json = serde_json::to_string(&connect)
            .map_err(|error| LogError::lasting(error.to_string()))?;
        let inbox = &self.inbox;
        let lines = format!("CONNECT {json}\r\nSUB {inbox}* 1\r\nPING\r\n");
        self.outgoing.extend_from_slice(lines.as_bytes());
        self.ping_sent()
    }

    /// Returns the description of the server.
    pub(super) fn info(&self) -> &ServerInfo {
        &self.info
    }

    /// Sends a ping, and waits for its answer.
    pub(super) fn ping(&mut self) -> Result<(), LogError> {
        self.outgoing.extend_from_slice(b"PING\r\n");
        self.ping_sent()
    }

    fn ping_sent(&mut self) -> Result<(), LogError> {
        self.flush()?;
        while !matches!(self.receive()?, Received::Pong) {}
        Ok(())
    }

    /// Sends a request, and waits for its answer.
    pub(super) fn request(&mut self, subject: &str, payload: &str) -> Result<Reply, LogError> {
        let inbox = &self.inbox;
        let lines = format!("PUB {subject} {inbox}{REQUEST} {}\r\n{payload}\r\n", payload.len());
        self.outgoing.extend_from_slice(lines.as_bytes());
        self.flush()?;
        loop {
            let reply = self.reply()?;
            if reply.number == REQUEST {
                return Ok(reply);
            }
        }
    }

    /// Adds a message to those that are sent next. `number` is that of its answer, if it is to have
    /// one. `line` appends the subject.
    pub(super) fn publish<E>(
        &mut self,
        subject: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
        number: Option<u64>,
        headers: &[u8],
        payload: &[u8],
    ) -> Result<(), E> {
        let start = self.outgoing.len();
        self.outgoing.extend_from_slice(b"HPUB ");
        if let Err(error) = subject(&mut self.outgoing) {
            self.outgoing.truncate(start);
            return Err(error);
        }
        let mut line = String::new();
        // Writing to a text does not fail.
        let _ = match number {
            Some(number) => write!(line, " {}{number}", self.inbox),
            None => Ok(()),
        };
        let _ = write!(line, " {} {}\r\n", headers.len(), headers.len() + payload.len());
        for part in [line.as_bytes(), headers, payload, b"\r\n"] {
            self.outgoing.extend_from_slice(part);
        }
        Ok(())
    }

    /// Returns the number of bytes that were not sent yet.
    pub(super) fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    /// Sends everything.
    pub(super) fn flush(&mut self) -> Result<(), LogError> {
        let result = self.transport.write_all(&self.outgoing);
        self.outgoing.clear();
        self.outgoing.shrink_to(KEPT);
        result.or_else(|error| {
            // The server may have said why.
            self.timeout = Duration::from_secs(1);
            loop {
                match self.receive() {
                    Ok(_) => {}
                    Err(reason) if reason.is_transient() => return Err(lost(&error)),
                    Err(reason) => return Err(reason),
                }
            }
        })
    }

    /// Waits for an answer.
    pub(super) fn reply(&mut self) -> Result<Reply, LogError> {
        loop {
            if let Received::Reply(reply) = self.receive()? {
                return Ok(reply);
            }
        }
    }

    /// Handles what has arrived, without waiting.
    ///
    /// # Errors
    /// The server has closed the connection.
    pub(super) fn poll(&mut self) -> Result<(), LogError> {
        loop {
            while self.received()?.is_some() {}
            match self.fill_with(Transport::read_now) {
                Ok(0) => return Err(closed()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(lost(&error)),
            }
        }
    }

    /// Waits for an answer or a pong.
    fn receive(&mut self) -> Result<Received, LogError> {
        let deadline = Instant::now() + self.timeout;
        loop {
            if let Some(received) = self.received()? {
                return Ok(received);
            }
            self.fill(deadline)?;
        }
    }

    /// Returns the next answer or pong that was read; `None` if more must be read.
    fn received(&mut self) -> Result<Option<Received>, LogError> {
        loop {
            let unread = self.incoming.get(self.start..).unwrap_or_default();
            let Some((operation, length)) = protocol::read(unread).map_err(not_nats)? else {
                return Ok(None);
            };
            let received = match operation {
                Operation::Message(message) => {
                    let number = message.subject.strip_prefix(self.inbox.as_str());
                    number.and_then(|number| number.parse().ok()).map(|number| {
                        Received::Reply(Reply {
                            number,
                            status: headers::status(message.headers),
                            payload: message.payload.to_vec(),
                        })
                    })
                }
                Operation::Ping => {
                    self.transport.write_all(b"PONG\r\n").map_err(|error| lost(&error))?;
                    None
                }
                Operation::Pong => Some(Received::Pong),
                Operation::Info(json) => {
                    self.info = server_info(json)?;
                    None
                }
                Operation::Ok => None,
                Operation::Error(text) => return Err(errors::of_server(text)),
            };
            self.start += length;
            if received.is_some() {
                return Ok(received);
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.incoming.get(self.start..).unwrap_or_default()
    }

    /// Reads more bytes.
    fn fill(&mut self, deadline: Instant) -> Result<(), LogError> {
        match self.fill_with(|transport, space| transport.read(space, deadline)) {
            Ok(0) => Err(closed()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::TimedOut => Err(LogError::transient(format!(
                "the server did not answer within {:?}",
                self.timeout
            ))),
            Err(error) => Err(lost(&error)),
        }
    }

    fn fill_with(
        &mut self,
        read: impl FnOnce(&mut Transport, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.incoming.drain(..self.start);
        self.start = 0;
        let length = self.incoming.len();
        if length < KEPT {
            self.incoming.shrink_to(KEPT);
        }
        self.incoming.resize(length + READ.max(length), 0);
        let space = self.incoming.get_mut(length..).unwrap_or_default();
        let result = read(&mut self.transport, space);
        self.incoming.truncate(length + result.as_ref().copied().unwrap_or_default());
        result
    }
}

fn closed() -> LogError {
    LogError::transient("the server closed the connection")
}

fn server_info(json: &[u8]) -> Result<ServerInfo, LogError> {
    serde_json::from_slice(json)
        .map_err(|error| LogError::lasting(format!("the server's INFO is malformed: {error}")))
}

fn not_nats(error: protocol::ProtocolError) -> LogError {
    LogError::lasting(format!("this is not a NATS server, or TLS starts first there: {error}"))
}

fn lost(error: &io::Error) -> LogError {
    // A server tells after the handshake that it refuses the client's certificate.
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(rustls::Error::AlertReceived(alert)) = inner {
        return LogError::lasting(format!("TLS: the server refuses with {alert:?}: check sslcert"));
    }
    LogError::transient(format!("the connection is lost: {}", text(error)))
}

fn tls_error(error: &io::Error, host: &str, port: u16) -> LogError {
    let message = format!("TLS with {host}:{port}: {}", text(error));
    // What rustls refuses, it refuses again.
    if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) {
        LogError::lasting(format!("{message}: check sslrootcert, sslcert and the host"))
    } else {
        LogError::transient(message)
    }
}

fn text(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut => "no answer in time".into(),
        _ => error.to_string(),
    }
}
