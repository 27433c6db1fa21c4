//! Services that are not a PostgreSQL server, or pass connections on to one.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

/// The code of a request for TLS.
const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();

/// Starts a service on a port of its own, which answers until the process ends.
fn serve(answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A client may close at any time.
            thread::spawn(move || answer(stream).unwrap_or_default());
        }
    });
    port
}

/// A service that says nothing.
pub(super) fn silent() -> u16 {
    serve(|mut stream| io::copy(&mut stream, &mut io::sink()).map(drop))
}

/// A web server.
pub(super) fn web() -> u16 {
    serve(|mut stream| {
        stream.read_exact(&mut [0; 8])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    })
}

/// A pooler that refuses the startup packet with this message.
pub(super) fn pooler(message: &'static str) -> u16 {
    serve(move |mut stream| {
        read_startup(&mut stream)?;
        let fields = format!("SFATAL\0VFATAL\0C08P01\0M{message}\0\0");
        let length = u32::try_from(fields.len() + 4).unwrap().to_be_bytes();
        stream.write_all(&[b"E", &length[..], fields.as_bytes()].concat())
    })
}

/// Reads the startup packet, and answers requests for TLS before it.
fn read_startup(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        if head[4..] == SSL_REQUEST {
            stream.write_all(b"N")?;
            continue;
        }
        let length = u32::from_be_bytes(head[..4].try_into().unwrap());
        let mut packet = head.to_vec();
        packet.resize(usize::try_from(length).unwrap(), 0);
        stream.read_exact(&mut packet[8..])?;
        return Ok(packet);
    }
}

/// A program that passes each connection on to the server at this port, with a key of its own for
/// cancellations, as PgBouncer does.
pub(super) fn passes_on(port: u16) -> u16 {
    serve(move |mut client| {
        let startup = read_startup(&mut client)?;
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.write_all(&startup)?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_server);
            to_server.shutdown(Shutdown::Both)
        });
        // Everything up to the key is sent at once.
        let mut replaced = false;
        let mut bytes = [0; 4096];
        loop {
            let read = server.read(&mut bytes)?;
            if read == 0 {
                return client.shutdown(Shutdown::Both);
            }
            let key = bytes[..read].windows(5).position(|bytes| bytes == b"K\0\0\0\x0c");
            if let Some(at) = key.filter(|_| !replaced) {
                bytes[at + 5..at + 9].copy_from_slice(&1_234_567_u32.to_be_bytes());
                replaced = true;
            }
            client.write_all(&bytes[..read])?;
        }
    })
}
