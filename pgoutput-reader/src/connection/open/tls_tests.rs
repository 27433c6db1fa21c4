//! The request for TLS and its answers, with scripted servers on TCP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::config::SslNegotiation;
use crate::waiting::waiting;

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];

/// AuthenticationOk, the version, ReadyForQuery.
const ACCEPTED_CLIENT: &[u8] =
    b"R\0\0\0\x08\0\0\0\0S\0\0\0\x18server_version\x0013.1\0Z\0\0\0\x05I";

type Script = Box<dyn FnOnce(TcpStream) + Send>;

/// A server that runs one script for each connection, in order.
fn server(scripts: Vec<Script>) -> (Config, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        for script in scripts {
            let (socket, _) = listener.accept().unwrap();
            socket.set_read_timeout(Some(TIMEOUT)).unwrap();
            script(socket);
        }
    });
    let config = Config::new().host("localhost").hostaddr([127, 0, 0, 1].into()).port(port);
    (config.user("alice").connect_timeout(TIMEOUT), server)
}

fn request(socket: &mut TcpStream) {
    let mut request = [0; 8];
    socket.read_exact(&mut request).unwrap();
    assert_eq!(request, REQUEST);
}

/// Sends this answer to the request for TLS, and must receive nothing more.
fn answers(answer: &'static [u8]) -> Script {
    Box::new(move |mut socket| {
        request(&mut socket);
        socket.write_all(answer).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap_or(0), 0, "something was sent after a refusal");
    })
}

/// Reads a startup packet without TLS and accepts the client.
fn accepts_plain() -> Script {
    Box::new(|mut socket| {
        let mut head = [0; 8];
        socket.read_exact(&mut head).unwrap();
        let version: [u8; 4] = *head.last_chunk().unwrap();
        assert_eq!(version, [0, 3, 0, 0], "not a startup packet");
        let length = u32::from_be_bytes(*head.first_chunk().unwrap());
        let mut rest = vec![0; length as usize - 8];
        socket.read_exact(&mut rest).unwrap();
        socket.write_all(ACCEPTED_CLIENT).unwrap();
        let _ = socket.read(&mut [0]);
    })
}

fn tls_error(config: &Config) -> TlsError {
    match Connection::connect(config).map_err(Error::into_kind) {
        Err(ErrorKind::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_refusal_nothing_is_sent() {
    for (answer, expected) in [
        (&b"N"[..], TlsError::NotOffered { mode: SslMode::Require }),
        (b"Ecannot fork\0", TlsError::ErrorAnswer),
        (b"SR\0\0\0\x08\0\0\0\0", TlsError::Injected(9)),
        (b"NR\0\0\0\x08\0\0\0\0", TlsError::Injected(9)),
        (b"H", TlsError::Answer(b'H')),
    ] {
        let (config, server) = server(vec![answers(answer)]);
        let config = config.ssl_mode(SslMode::Require).password("secret");
        assert_eq!(tls_error(&config), expected);
        waiting("the scripted server", || server.join()).unwrap();
    }
}

#[test]
fn with_prefer_a_refusal_continues_unencrypted_and_a_failure_reconnects() {
    let refuses: Script = Box::new(|mut socket| {
        request(&mut socket);
        socket.write_all(b"N").unwrap();
        accepts_plain()(socket);
    });
    let (config, same) = server(vec![refuses]);
    let config = config.ssl_mode(SslMode::Prefer);
    drop(Connection::connect(&config).unwrap());
    waiting("the scripted server", || same.join()).unwrap();
    for answer in [&b"Ecannot fork\0"[..], b"Snot a handshake at all"] {
        let (config, another) = server(vec![answers_then_ignores(answer), accepts_plain()]);
        let config = config.ssl_mode(SslMode::Prefer);
        assert!(!Connection::connect(&config).unwrap().is_tls());
        waiting("the scripted server", || another.join()).unwrap();
    }
}

/// Sends this answer to the request for TLS, and ignores what the client sends.
fn answers_then_ignores(answer: &'static [u8]) -> Script {
    Box::new(move |mut socket| {
        request(&mut socket);
        socket.write_all(answer).unwrap();
        while socket.read(&mut [0; 1024]).is_ok_and(|len| len > 0) {}
    })
}

#[test]
fn a_handshake_that_makes_no_progress_ends_at_the_deadline() {
    let (config, server) = server(vec![answers_then_ignores(b"S")]);
    let config = config.ssl_mode(SslMode::Require).connect_timeout(Duration::from_millis(100));
    let error = Connection::connect(&config).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }), "{error}");
    waiting("the scripted server", || server.join()).unwrap();
}

/// A rustls server that chooses one of these protocols.
fn with_alpn(alpn: &[&[u8]]) -> Arc<ServerConfig> {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

#[test]
fn direct_tls_requires_the_protocol_name() {
    for (alpn, accepted) in [
        (&[&b"postgresql"[..]][..], true),
        (&[], false),
        (&[b"h2", b"postgresql"], true),
        (&[b"h2"], false),
    ] {
        let tls = with_alpn(alpn);
        let script: Script = Box::new(move |socket| {
            let connection = ServerConnection::new(tls).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let mut startup = [0; 4];
            if stream.read_exact(&mut startup).is_ok() {
                let mut rest = vec![0; u32::from_be_bytes(startup) as usize - 4];
                stream.read_exact(&mut rest).unwrap();
                stream.write_all(ACCEPTED_CLIENT).unwrap();
                let _ = stream.read(&mut [0]);
            }
        });
        let (config, server) = server(vec![script]);
        let config = config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        if accepted {
            assert!(Connection::connect(&config).unwrap().is_tls());
        } else {
            assert_eq!(tls_error(&config), TlsError::NoAlpn);
        }
        waiting("the scripted server", || server.join()).unwrap();
    }
}
