//! A proxy that passes a replication connection on and changes messages.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The action for a CopyData message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forward {
    /// Passes it on.
    Pass,
    /// Leaves it out.
    Drop,
    /// Replaces it by CopyData with this payload.
    Payload(Vec<u8>),
    /// Replaces it by these bytes and closes the connection.
    Close(Vec<u8>),
}

type Script = Arc<Mutex<dyn FnMut(&[u8]) -> Forward + Send>>;

type Hold = Arc<Mutex<dyn FnMut() + Send>>;

/// The beginning of the command that starts a stream.
const START: &[u8] = b"START_REPLICATION";

/// Accepts connections until the process ends, with two threads for each.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
}

impl Proxy {
    /// Listens in front of the server at `port` of 127.0.0.1. The script gets the payload of every
    /// CopyData message.
    ///
    /// # Panics
    /// If no port is free.
    pub fn before(port: u16, script: impl FnMut(&[u8]) -> Forward + Send + 'static) -> Self {
        Self::new(port, Arc::new(Mutex::new(script)), Arc::new(Mutex::new(|| {})))
    }

    /// Like [`before`](Self::before), passing everything on. `hold` runs before the second
    /// START_REPLICATION is sent to the server.
    ///
    /// # Panics
    /// If no port is free.
    pub fn before_second_start(port: u16, hold: impl FnOnce() + Send + 'static) -> Self {
        let (mut hold, mut starts) = (Some(hold), 0);
        let hold = move || {
            starts += 1;
            if starts == 2
                && let Some(hold) = hold.take()
            {
                hold();
            }
        };
        Self::new(port, Arc::new(Mutex::new(|_: &[u8]| Forward::Pass)), Arc::new(Mutex::new(hold)))
    }

    fn new(port: u16, script: Script, hold: Hold) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (script, hold) = (Arc::clone(&script), Arc::clone(&hold));
                let (from_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || forward_client(from_client, to_server, &hold));
                thread::spawn(move || {
                    // Either side may close at any time.
                    let _ = watch(&server, &client, &script);
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                });
            }
        });
        Self { port: own }
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Passes bytes from the client to the server. A client sends a command in one piece.
fn forward_client(mut from: TcpStream, mut to: TcpStream, hold: &Hold) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(len @ 1..) = from.read(&mut piece) {
        if piece[..len].windows(START.len()).any(|window| window == START) {
            hold.lock().unwrap_or_else(PoisonError::into_inner)();
        }
        if to.write_all(&piece[..len]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes messages from the server to the client one by one.
fn watch(mut server: &TcpStream, mut client: &TcpStream, script: &Script) -> io::Result<()> {
    loop {
        let mut head = [0; 5];
        server.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        server.read_exact(&mut body)?;
        let forward = match tag {
            b'd' => script.lock().unwrap_or_else(PoisonError::into_inner)(&body),
            _ => Forward::Pass,
        };
        match forward {
            Forward::Pass => client.write_all(&message(tag, &body))?,
            Forward::Drop => {}
            Forward::Payload(payload) => client.write_all(&message(tag, &payload))?,
            Forward::Close(bytes) => return client.write_all(&bytes),
        }
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag][..], &length, body].concat()
}
