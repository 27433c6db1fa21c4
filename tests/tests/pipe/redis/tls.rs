//! TLS, in front of a server that has none.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, refused, stored, until_now};

/// A certificate and its key, in PEM.
struct Pair {
    certificate: String,
    key: String,
}

struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), certificate)
    }

    fn certify(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

/// Accepts TLS, and passes everything on to `port` of 127.0.0.1. Returns its own port.
fn terminate(port: u16, pair: &Pair, clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.1.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
        None => builder.with_no_client_auth(),
    };
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                for stream in [&client, &server] {
                    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                }
                pass(&mut StreamOwned::new(connection, client), server);
            });
        }
    });
    own
}

/// Passes bytes on in both directions, one after the other, until one side closes.
fn pass(client: &mut (impl Read + Write), mut server: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    loop {
        for from_client in [true, false] {
            let read =
                if from_client { client.read(&mut buffer) } else { server.read(&mut buffer) };
            let read = match read {
                Ok(0) => return,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock) => continue,
                Err(_) => return,
            };
            let written = if from_client {
                server.write_all(&buffer[..read])
            } else {
                client.write_all(&buffer[..read]).and_then(|()| client.flush())
            };
            if written.is_err() {
                return;
            }
        }
    }
}

#[test]
fn certificates_are_verified() {
    let Some(redis) = RedisServer::all().next() else { return };
    let (authority, others) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let ca = file("ca.pem", &authority.1);
    let other_ca = file("other.pem", &others.1);
    let client = others.certify("client");
    let (cert, key) = (file("cert.pem", &client.certificate), file("key.pem", &client.key));

    let fixture = fixture(newest());
    fixture.run(["INSERT INTO t VALUES (1)"]);
    let port = redis.engine().port();
    let to = |port: u16, options: &str| format!("rediss://localhost:{port}?timeout=20&{options}");
    let refusal = |to: &str| refused(&mut until_now(&fixture, to));

    let plain = terminate(port, &authority.certify("localhost"), None);
    let error = refusal(&to(plain, &format!("sslrootcert={other_ca}")));
    assert!(error.contains("not of a known authority"), "{error}");
    let error = refusal(&to(plain, ""));
    assert!(error.contains("not of a known authority"), "{error}");
    let error = refusal(&to(plain, "sslrootcert=/missing.pem"));
    assert!(error.contains("reading /missing.pem"), "{error}");
    let error = refusal(&format!("rediss://127.0.0.1:{plain}?sslrootcert={ca}"));
    assert!(error.contains("not for this host name"), "{error}");
    let error = refusal(&to(port, &format!("sslrootcert={ca}&connect_timeout=2")));
    assert!(error.contains("with TLS for rediss://"), "{error}");
    let error = refusal(&format!("redis://localhost:{plain}"));
    assert!(error.contains("rediss://"), "{error}");
    stored(&mut until_now(&fixture, &to(plain, &format!("sslrootcert={ca}"))));
    assert_eq!(ids(&redis, STREAM), [1]);

    fixture.run(["INSERT INTO t SELECT generate_series(2, 5000)"]);
    let mutual = terminate(port, &authority.certify("localhost"), Some(&others));
    let error = refusal(&to(mutual, &format!("sslrootcert={ca}")));
    assert!(error.contains("asks for a client certificate"), "{error}");
    let options = format!("sslrootcert={ca}&sslcert={cert}&sslkey={key}");
    stored(&mut until_now(&fixture, &to(mutual, &options)));
    assert!(ids(&redis, STREAM).into_iter().eq(1..=5000));
}
