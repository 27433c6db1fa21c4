//! A man in the middle: passes a replication connection on, and changes what a test wants changed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What becomes of a CopyData message from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forward {
    /// It is passed on.
    Pass,
    /// It is left out.
    Drop,
    /// CopyData with this payload takes its place.
    Payload(Vec<u8>),
    /// These bytes take its place, and the connection is closed.
    Close(Vec<u8>),
}

type Script = Arc<Mutex<dyn FnMut(&[u8]) -> Forward + Send>>;

/// Takes connections until the process ends; each with two threads of its own.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
}

impl Proxy {
    /// Stands before the server at `port` of 127.0.0.1. The script sees the payload of every CopyData message.
    ///
    /// # Panics
    ///
    /// If no port is free.
    pub fn before(port: u16, script: impl FnMut(&[u8]) -> Forward + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let script: Script = Arc::new(Mutex::new(script));
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let script = Arc::clone(&script);
                let (from_client, to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(from_client, to_server));
                thread::spawn(move || {
                    // Either side may leave whenever it likes.
                    let _ = watch(&server, &client, &script);
                    let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
                });
            }
        });
        Self { port: own }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

/// From the server to the client, message by message.
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
