//! A proxy between a subscriber and its publisher that prints the messages of logical replication,
//! with the names of tables. All bytes are passed on unchanged.
//!
//! ```text
//! cargo run --example proxy -- 127.0.0.1:6432 127.0.0.1:5432
//! ```
//!
//! It needs `cargo add pgoutput-decode`. Then, in the subscriber:
//!
//! ```sql
//! CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=6432 dbname=app user=app'
//!     PUBLICATION my_publication
//! ```
//!
//! Messages can be read only without TLS, so a request for TLS is declined. Do not use it on a
//! network that you do not trust.

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use pgoutput_decode::{CopyData, DecodeError, Decoder, Message, Oid, Printable, Relations};

/// The codes of SSLRequest and GSSENCRequest, in place of a protocol version.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, server] = arguments.as_slice() else {
        return Err("usage: proxy LISTEN-ADDRESS SERVER-ADDRESS".into());
    };
    let listener = TcpListener::bind(listen)?;
    eprintln!("listening on {}", listener.local_addr()?);
    for client in listener.incoming() {
        let (client, server) = (client?, server.clone());
        thread::spawn(move || {
            if let Err(error) = serve(&client, &server) {
                eprintln!("connection: {error}");
            }
        });
    }
    Ok(())
}

/// Passes one connection on, in both directions, until either side closes it.
fn serve(client: &TcpStream, server: &str) -> io::Result<()> {
    let startup = startup(client)?;
    let server = TcpStream::connect(server)?;
    (&server).write_all(&startup)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            let copied = io::copy(&mut &*client, &mut &server);
            let _ = server.shutdown(Shutdown::Write);
            copied
        });
        let passed = pass(&server, client);
        // Ends the other direction too.
        let _ = client.shutdown(Shutdown::Both);
        passed
    })
}

/// Reads the first packet, which has no type, and declines encryption before it.
fn startup(mut client: &TcpStream) -> io::Result<Vec<u8>> {
    loop {
        let mut head = [0; 8];
        client.read_exact(&mut head)?;
        let [a, b, c, d, code @ ..] = head;
        if ENCRYPTION_REQUESTS.contains(&u32::from_be_bytes(code)) {
            client.write_all(b"N")?;
            continue;
        }
        let mut packet = head.to_vec();
        let rest = u64::from(u32::from_be_bytes([a, b, c, d])).saturating_sub(8);
        client.take(rest).read_to_end(&mut packet)?;
        return Ok(packet);
    }
}

/// Passes the server's messages on, and prints those of logical replication.
fn pass(server: &TcpStream, mut client: &TcpStream) -> io::Result<()> {
    let mut server = BufReader::new(server);
    // There is one while the server streams: from CopyBothResponse to CopyDone. Outside of it,
    // CopyData has rows of the initial copy.
    let mut stream = None;
    loop {
        // The type of the message, and its length without the type.
        let mut message = vec![0; 5];
        match server.read_exact(&mut message) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let [kind, a, b, c, d] = message[..] else { return Ok(()) };
        let rest = u64::from(u32::from_be_bytes([a, b, c, d])).saturating_sub(4);
        (&mut server).take(rest).read_to_end(&mut message)?;
        client.write_all(&message)?;
        match (kind, &mut stream) {
            (b'W', _) => stream = Some(Stream::default()),
            (b'c', _) => stream = None,
            (b'd', Some(stream)) => stream.print(&message[5..]),
            _ => {}
        }
    }
}

/// What is known of a replication stream.
#[derive(Default)]
struct Stream {
    decoder: Decoder,
    relations: Relations,
}

impl Stream {
    /// Prints a message. Nobody may read the output, and bytes are passed on all the same.
    fn print(&mut self, data: &[u8]) {
        let line = self.describe(data).unwrap_or_else(|error| Some(format!("error: {error}")));
        if let Some(line) = line {
            let _ = writeln!(io::stdout(), "{}", Printable(line));
        }
    }

    /// Returns the line of a message; `None` for a keepalive.
    fn describe(&mut self, data: &[u8]) -> Result<Option<String>, DecodeError> {
        let CopyData::XLogData(envelope) = CopyData::decode(data)? else { return Ok(None) };
        let lsn = envelope.wal_start;
        let message = self.decoder.decode(envelope.data).map_err(|error| error.at_lsn(lsn))?;
        if let Message::Relation(body) = &message {
            self.relations.update(body);
        }
        let tables: Vec<String> = match &message {
            Message::Insert(body) => vec![self.table(body.relation)],
            Message::Update(body) => vec![self.table(body.relation)],
            Message::Delete(body) => vec![self.table(body.relation)],
            Message::Truncate(body) => body.relations.iter().map(|oid| self.table(oid)).collect(),
            _ => Vec::new(),
        };
        Ok(Some(format!("{lsn} {} {message:?}", tables.join(" "))))
    }

    fn table(&self, oid: Oid) -> String {
        match self.relations.get(oid) {
            Some(table) => format!("{}.{}", table.namespace(), table.name()),
            None => format!("table {oid}"),
        }
    }
}
