//! A server on TCP that treats one client as its script says.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pgoutput_harness::{stage, waiting};
use pgoutput_reader::{Config, ErrorKind, SslMode};

/// Long enough never to pass in a test that is right.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What must never be seen in an error.
pub(crate) const PASSWORD: &str = "swordfish";

/// One message: tag, length, body.
pub(crate) fn message(tag: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag], &length[..], body].concat()
}

/// A request of authentication.
pub(crate) fn authentication(method: u32, rest: impl AsRef<[u8]>) -> Vec<u8> {
    message(b'R', [&method.to_be_bytes(), rest.as_ref()].concat())
}

/// What a server says that lets everybody in.
pub(crate) fn welcome() -> Vec<u8> {
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

/// The answer to a simple query: these columns, one row of these values.
pub(crate) fn row(values: &[&str]) -> Vec<u8> {
    named_row(&vec!["column"; values.len()], values)
}

/// The same with the columns' names.
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

/// What is asked of the slot: its kind, plugin and databases, its positions, and what may be wrong with it.
pub(crate) const SLOT: [&str; 10] =
    ["logical", "pgoutput", "d", "d", "0/1", "0/1", "f", "reserved", "", ""];

/// The server's end of the connection.
pub(crate) struct Client(TcpStream);

/// Ends a script that the client has left before its end.
struct LeftEarly;

impl Client {
    fn hear_all(&mut self, bytes: &mut [u8]) {
        if self.0.read_exact(bytes).is_err() {
            panic::resume_unwind(Box::new(LeftEarly));
        }
    }

    /// Reads the startup packet.
    pub(crate) fn startup(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.hear_all(&mut length);
        let mut packet = vec![0; u32::from_be_bytes(length) as usize - 4];
        self.hear_all(&mut packet);
        assert_eq!(packet[..4], [0, 3, 0, 0], "not a startup packet");
        packet
    }

    /// Reads the request for TLS.
    pub(crate) fn tls_request(&mut self) {
        let mut request = [0; 8];
        self.hear_all(&mut request);
        assert_eq!(request, [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F]);
    }

    /// The body of the next message, which must be of this kind.
    pub(crate) fn expect(&mut self, tag: u8) -> Vec<u8> {
        let body = self.message(tag);
        if tag == b'Q' && body.starts_with(b"SET transaction_timeout ") {
            return self.message(tag);
        }
        body
    }

    fn message(&mut self, tag: u8) -> Vec<u8> {
        let mut head = [0; 5];
        self.hear_all(&mut head);
        assert_eq!(char::from(head[0]), char::from(tag));
        let length = u32::from_be_bytes(*head.last_chunk().unwrap());
        let mut body = vec![0; length as usize - 4];
        self.hear_all(&mut body);
        body
    }

    /// Lets the client in and answers all it asks before the copy, which begins.
    pub(crate) fn start_copy(&mut self) {
        self.startup();
        self.say(welcome());
        self.answer_setup();
    }

    /// The same for a `Reader`, which first asks who this is.
    pub(crate) fn start_reader(&mut self) {
        self.startup();
        self.say(welcome());
        self.expect(b'Q');
        let names = ["systemid", "timeline", "xlogpos", "dbname"];
        self.say(named_row(&names, &["7", "1", "0/9", "d"]));
        self.answer_setup();
    }

    fn answer_setup(&mut self) {
        self.expect(b'Q');
        self.say(row(&SLOT));
        self.expect(b'Q');
        self.say(row(&["p", "d"]));
        self.expect(b'Q');
        self.say(row(&["60000"]));
        self.expect(b'Q');
        self.say(message(b'W', b"\0\0\0"));
    }

    /// Says this; false once the client has left.
    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }

    /// Says the same until the client leaves.
    pub(crate) fn say_for_ever(&mut self, bytes: impl AsRef<[u8]>) {
        while self.say(&bytes) {}
    }

    /// Says a byte now and then until the client leaves, or all is said.
    pub(crate) fn dribble(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> bool {
        bytes.as_ref().chunks(1).all(|byte| {
            thread::sleep(pause);
            self.say(byte)
        })
    }

    /// Waits until the client has said something.
    pub(crate) fn hear(&mut self) {
        assert_ne!(self.0.read(&mut [0; 1024]).unwrap(), 0);
    }

    /// Waits until the client has left, whatever it says before.
    pub(crate) fn left(&mut self) {
        let _ = io::copy(&mut self.0, &mut io::sink());
    }

    /// Waits until the client has left; it must not say anything more.
    pub(crate) fn left_in_silence(&mut self) {
        // What it has not read of ours makes its end a reset.
        assert_eq!(self.0.read(&mut [0]).unwrap_or(0), 0, "the client said something");
    }
}

/// A server for one client; [`end`](Self::end) shows what went wrong in its script.
pub(crate) struct Rogue {
    address: SocketAddr,
    /// Whether the client stayed until the end of the script.
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
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.set_write_timeout(Some(PATIENCE)).unwrap();
            let script = AssertUnwindSafe(|| script(&mut Client(socket)));
            match panic::catch_unwind(script) {
                Ok(()) => true,
                Err(payload) if payload.is::<LeftEarly>() => false,
                Err(payload) => panic::resume_unwind(payload),
            }
        });
        Self { address, thread }
    }

    /// Settings for it, without TLS.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host("localhost").hostaddr(self.address.ip()).port(self.address.port());
        config.user("alice").password(PASSWORD).dbname("d");
        config.ssl_mode(SslMode::Disable).connect_timeout(PATIENCE);
        config
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The client must have stayed until the end of the script.
    pub(crate) fn end(self) {
        assert!(self.stayed(), "the client left before the end of the script");
    }

    /// The same where the client has ended with this error: where its time was up it may have left
    /// at any point of the script.
    pub(crate) fn end_after(self, error: &ErrorKind) {
        let stayed = self.stayed();
        assert!(stayed || matches!(error, ErrorKind::Timeout { .. }), "the client left early");
    }

    fn stayed(self) -> bool {
        waiting("the script of the rogue server", || self.thread.join()).unwrap()
    }
}
