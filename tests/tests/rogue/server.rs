//! A server on TCP that follows a script for one client.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pgoutput_harness::{stage, waiting};
use pgoutput_reader::{Config, ErrorKind, SslMode};

/// A limit that a correct test never reaches.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// The password, which must never appear in an error.
pub(crate) const PASSWORD: &str = "swordfish";

/// Returns a message: tag, length, body.
pub(crate) fn message(tag: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// Returns an authentication request.
pub(crate) fn authentication(method: u32, rest: impl AsRef<[u8]>) -> Vec<u8> {
    message(b'R', [&method.to_be_bytes(), rest.as_ref()].concat())
}

/// Returns the messages that accept a client.
pub(crate) fn accepted_client() -> Vec<u8> {
    [
        authentication(0, b""),
        message(b'S', b"server_version\x0018.1\0"),
        message(b'K', b"\0\0\0\x07\0\0\0\x09"),
        message(b'Z', b"I"),
        // Answers the settings that every connection begins with, which `expect` skips.
        message(b'C', b"SET\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

/// Returns the answer to a simple query: a row of these values.
pub(crate) fn row(values: &[&str]) -> Vec<u8> {
    named_row(&vec!["column"; values.len()], values)
}

/// Returns a row with these column names.
fn named_row(names: &[&str], values: &[&str]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    let names = names.iter().flat_map(|name| [name.as_bytes(), &[0; 19]].concat());
    let cells = values.iter().flat_map(|value| {
        [&u32::try_from(value.len()).unwrap().to_be_bytes(), value.as_bytes()].concat()
    });
    [
        message(b'T', count.into_iter().chain(names).collect::<Vec<_>>()),
        message(b'D', count.into_iter().chain(cells).collect::<Vec<_>>()),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ]
    .concat()
}

/// The description of the slot: its kind, plugin and databases, its LSNs, and its problems.
pub(crate) const SLOT: [&str; 13] = [
    "logical", "pgoutput", "d", "d", "0/1", "0/1", "0/1", "false", "1", "false", "", "", "reserved",
];

/// The server's end of the connection.
pub(crate) struct Client(TcpStream);

/// Ends a script whose client has closed early.
struct ClosedEarly;

impl Client {
    fn receive_all(&mut self, bytes: &mut [u8]) {
        if self.0.read_exact(bytes).is_err() {
            panic::resume_unwind(Box::new(ClosedEarly));
        }
    }

    /// Reads the startup packet.
    pub(crate) fn startup(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.receive_all(&mut length);
        let mut packet = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.receive_all(&mut packet);
        assert_eq!(packet[..4], [0, 3, 0, 0], "not a startup packet");
        packet
    }

    /// Reads the request for TLS.
    pub(crate) fn tls_request(&mut self) {
        let mut request = [0; 8];
        self.receive_all(&mut request);
        assert_eq!(request, [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]);
    }

    /// Returns the body of the next message, which must be of this kind.
    pub(crate) fn expect(&mut self, tag: u8) -> Vec<u8> {
        let body = self.message(tag);
        if tag == b'Q' && body.starts_with(b"SET transaction_timeout ") {
            return self.message(tag);
        }
        body
    }

    fn message(&mut self, tag: u8) -> Vec<u8> {
        let mut head = [0; 5];
        self.receive_all(&mut head);
        assert_eq!(char::from(head[0]), char::from(tag));
        let length = u32::from_be_bytes(*head.last_chunk().unwrap());
        let mut body = vec![0; length as usize - 4];
        self.receive_all(&mut body);
        body
    }

    /// Accepts the client and answers all its queries before the copy, which begins.
    pub(crate) fn start_copy(&mut self) {
        self.startup();
        self.send(accepted_client());
        self.answer_setup();
    }

    /// Like [`start_copy`](Self::start_copy) for a `Reader`, which first identifies the system.
    pub(crate) fn start_reader(&mut self) {
        self.startup();
        self.send(accepted_client());
        self.expect(b'Q');
        let names = ["systemid", "timeline", "xlogpos", "dbname"];
        self.send(named_row(&names, &["7", "1", "0/9", "d"]));
        self.answer_setup();
    }

    fn answer_setup(&mut self) {
        self.expect(b'Q');
        self.send(row(&SLOT));
        self.expect(b'Q');
        self.send(row(&["p", "d"]));
        self.expect(b'Q');
        self.send(row(&["60000"]));
        self.expect(b'Q');
        self.send(message(b'W', b"\0\0\0"));
    }

    /// Sends these bytes. Returns false once the client has closed.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends the same bytes until the client closes.
    pub(crate) fn send_endlessly(&mut self, bytes: impl AsRef<[u8]>) {
        while self.send(&bytes) {}
    }

    /// Sends a byte at a time until the client closes, or all bytes are sent.
    pub(crate) fn send_slowly(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> bool {
        bytes.as_ref().chunks(1).all(|byte| {
            thread::sleep(pause);
            self.send(byte)
        })
    }

    /// Waits until the client has sent something.
    pub(crate) fn receive(&mut self) {
        assert_ne!(self.0.read(&mut [0; 1024]).unwrap(), 0);
    }

    /// Waits until the client has closed, whatever it sends before.
    pub(crate) fn wait_for_close(&mut self) {
        let _ = io::copy(&mut self.0, &mut io::sink());
    }

    /// Waits until the client has closed. It must not send anything more.
    pub(crate) fn wait_for_silent_close(&mut self) {
        // Unread bytes of ours make the close a reset.
        assert_eq!(self.0.read(&mut [0]).unwrap_or(0), 0, "the client sent something");
    }
}

/// A server for one client. [`end`](Self::end) reports the failure of its script.
pub(crate) struct Rogue {
    address: SocketAddr,
    /// Returns whether the client stayed until the end of the script.
    thread: JoinHandle<bool>,
}

impl Rogue {
    pub(crate) fn new(script: impl FnOnce(&mut Client) + Send + 'static) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), script)
    }

    pub(crate) fn at(ip: IpAddr, script: impl FnOnce(&mut Client) + Send + 'static) -> Self {
        stage("a rogue server");
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(TIMEOUT)).unwrap();
            socket.set_write_timeout(Some(TIMEOUT)).unwrap();
            let script = AssertUnwindSafe(|| script(&mut Client(socket)));
            match panic::catch_unwind(script) {
                Ok(()) => true,
                Err(payload) if payload.is::<ClosedEarly>() => false,
                Err(payload) => panic::resume_unwind(payload),
            }
        });
        Self { address, thread }
    }

    /// Returns its connection settings, without TLS.
    pub(crate) fn config(&self) -> Config {
        Config::new()
            .host("localhost")
            .hostaddr(self.address.ip())
            .port(self.address.port())
            .user("alice")
            .password(PASSWORD)
            .dbname("d")
            .ssl_mode(SslMode::Disable)
            .connect_timeout(TIMEOUT)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Checks that the client stayed until the end of the script.
    pub(crate) fn end(self) {
        assert!(self.script_completed(), "the client left before the end of the script");
    }

    /// Like [`end`](Self::end) for a client that ended with this error. After a timeout, it may have
    /// closed at any point of the script.
    pub(crate) fn end_after(self, error: &ErrorKind) {
        let script_completed = self.script_completed();
        assert!(
            script_completed || matches!(error, ErrorKind::Timeout { .. }),
            "the client left early"
        );
    }

    fn script_completed(self) -> bool {
        waiting("the script of the rogue server", || self.thread.join()).unwrap()
    }
}
