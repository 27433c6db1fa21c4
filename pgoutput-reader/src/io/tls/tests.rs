//! Channels over TLS with a rustls server on local sockets.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::{Config, SslMode};
use crate::io::transport::Transport;
use crate::io::{Channel, Fill};
use crate::waiting::waiting;

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

type Server = StreamOwned<ServerConnection, TcpStream>;

#[expect(clippy::unnecessary_wraps, reason = "the type that the channel's methods take")]
fn soon() -> Option<Instant> {
    Some(Instant::now() + TIMEOUT)
}

fn server_config() -> Arc<ServerConfig> {
    use rustls::pki_types::pem::PemObject;
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

/// A channel after the handshake, and the result of the server's side.
fn pair<T: Send + 'static>(
    script: impl FnOnce(Server) -> T + Send + 'static,
) -> (Channel, thread::JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        script(StreamOwned::new(ServerConnection::new(server_config()).unwrap(), socket))
    });
    let socket = TcpStream::connect(address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let config = Config::new().host("localhost").ssl_mode(SslMode::Require);
    let settings = TlsSettings::new(&config, &config.endpoints().unwrap()[0]).unwrap();
    let channel =
        Channel::new(Transport::Tcp(socket.into()), "test".into(), 1 << 30, Duration::ZERO)
            .unwrap();
    (channel.secure(&settings, soon(), false).unwrap(), server)
}

#[test]
fn bytes_that_arrive_with_the_end_of_the_handshake_are_read() {
    // The server sends first, so that its bytes may arrive in one packet with the end of its
    // handshake.
    for _ in 0..20 {
        let (mut channel, server) = pair(|mut server| {
            server.write_all(b"hello").unwrap();
            server.flush().unwrap();
            server
        });
        assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
        assert_eq!(channel.inbox.unread(), b"hello");
        assert_eq!(channel.fill(Some(Instant::now())).unwrap(), Fill::TimedOut);
        drop(waiting("the scripted server", || server.join()).unwrap());
    }
}

#[test]
fn megabytes_in_both_directions_arrive_whole() {
    const LEN: usize = 3_000_000;
    let bytes = |seed: usize| (0..LEN).map(move |at| ((at * 31 + seed) % 251).to_le_bytes()[0]);
    let (mut channel, server) = pair(move |mut server| {
        let theirs: Vec<u8> = bytes(1).collect();
        // The plain stream of rustls reads while it writes, so neither side waits indefinitely.
        server.write_all(&theirs).unwrap();
        server.flush().unwrap();
        let mut received = vec![0; LEN];
        server.read_exact(&mut received).unwrap();
        received
    });
    let ours: Vec<u8> = bytes(2).collect();
    let mut arrived = Vec::new();
    while arrived.len() < LEN {
        assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
        arrived.extend_from_slice(channel.inbox.unread());
        channel.inbox.consume(channel.inbox.unread().len());
    }
    assert!(arrived.iter().copied().eq(bytes(1)));
    channel.outbox().extend_from_slice(&ours);
    channel.flush(soon(), "testing").unwrap();
    assert!(waiting("the scripted server", || server.join()).unwrap() == ours);
}

#[test]
fn the_end_of_the_connection_is_noticed_with_or_without_an_alert() {
    for close in [true, false] {
        let (mut channel, server) = pair(move |mut server| {
            server.write_all(b"last words").unwrap();
            server.flush().unwrap();
            if close {
                server.conn.send_close_notify();
                server.flush().unwrap();
            }
        });
        assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
        assert_eq!(channel.inbox.unread(), b"last words");
        waiting("the scripted server", || server.join()).unwrap();
        assert_eq!(channel.fill(soon()).unwrap(), Fill::Closed);
        // Sending to a closed connection is not an error; reading reports it.
        channel.outbox().extend_from_slice(b"status");
        channel.flush(soon(), "testing").unwrap_or_default();
    }
}

#[test]
fn bytes_that_are_not_tls_end_the_connection_after_the_valid_ones() {
    let (mut channel, server) = pair(|mut server| {
        server.read_exact(&mut [0]).unwrap();
        server.write_all(b"good").unwrap();
        server.flush().unwrap();
        server.sock.write_all(b"in clear, from someone else").unwrap();
        server
    });
    channel.outbox().extend_from_slice(b"x");
    channel.flush(soon(), "testing").unwrap();
    let server = waiting("the scripted server", || server.join()).unwrap();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    assert_eq!(channel.inbox.unread(), b"good");
    let error = channel.fill(soon()).unwrap_err();
    assert!(matches!(error.kind(), crate::error::ErrorKind::Tls(_)), "{error}");
    drop(server);
}

#[test]
fn another_thread_writes_while_this_one_reads() {
    const ROUNDS: u64 = 1000;
    let (mut channel, server) = pair(|mut server| {
        let mut message = [0; 8];
        for _ in 0..ROUNDS {
            server.read_exact(&mut message).unwrap();
            server.write_all(&message).unwrap();
            server.flush().unwrap();
        }
    });
    let writer = channel.writer();
    let writing = thread::spawn(move || {
        for round in 0..ROUNDS {
            let mut outbox = writer.outbox();
            outbox.extend_from_slice(&round.to_be_bytes());
            outbox.try_flush().unwrap();
        }
    });
    let mut arrived = Vec::new();
    while arrived.len() < 8 * usize::try_from(ROUNDS).unwrap() {
        assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
        arrived.extend_from_slice(channel.inbox.unread());
        channel.inbox.consume(channel.inbox.unread().len());
    }
    let sent: Vec<u8> = (0..ROUNDS).flat_map(u64::to_be_bytes).collect();
    assert_eq!(arrived, sent);
    waiting("the writer", || writing.join()).unwrap();
    waiting("the scripted server", || server.join()).unwrap();
}
