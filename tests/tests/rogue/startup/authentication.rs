//! Authentication requests that must not be answered.

use std::net::{IpAddr, UdpSocket};

use pgoutput_reader::{AuthError, Config, Connection, ErrorKind, ProtocolError};

use super::{Case, case, check, sends};
use crate::server::{Client, PASSWORD, Rogue, TIMEOUT, accepted_client, authentication};

/// Runs SCRAM up to the client's proof. `server_first` makes the server's first message from the
/// client's nonce.
fn scram(client: &mut Client, server_first: impl FnOnce(&str) -> String) {
    client.startup();
    client.send(authentication(10, b"SCRAM-SHA-256\0\0"));
    let first = String::from_utf8(client.expect(b'p')).unwrap();
    let nonce = first.split_once(",r=").unwrap().1;
    client.send(authentication(11, server_first(nonce)));
}

const SALT: &str = "s=c2FsdA==,i=4096";

#[test]
fn invalid_requests_get_no_proof() {
    check(&[
        case!(
            "unknown authentication",
            sends!(authentication(77, b"")),
            ErrorKind::Protocol(ProtocolError::UnknownAuthentication(77))
        ),
        case!(
            "Kerberos",
            sends!(authentication(7, b"")),
            ErrorKind::Auth(AuthError::MethodUnsupported { .. })
        ),
        case!(
            "an md5 salt of three bytes",
            sends!(authentication(5, b"sal")),
            ErrorKind::Protocol(ProtocolError::Malformed { .. })
        ),
        case!(
            "an md5 salt of five bytes",
            sends!(authentication(5, b"salty")),
            ErrorKind::Protocol(ProtocolError::Malformed { .. })
        ),
        case!(
            "the password requested twice",
            sends!([authentication(3, b""), authentication(3, b"")].concat()),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })
        ),
        case!(
            "a billion rounds of SCRAM",
            |client| {
                scram(client, |nonce| format!("r={nonce}x,s=c2FsdA==,i=1000000000"));
                client.wait_for_silent_close();
            },
            ErrorKind::Auth(AuthError::IterationCount { asked: 1_000_000_000, .. })
        ),
        case!(
            "another nonce",
            |client| {
                scram(client, |_| format!("r=another,{SALT}"));
                client.wait_for_silent_close();
            },
            ErrorKind::Auth(AuthError::Scram { .. })
        ),
        case!(
            "a salt that is none",
            |client| {
                scram(client, |nonce| format!("r={nonce}x,s=?,i=4096"));
                client.wait_for_silent_close();
            },
            ErrorKind::Auth(AuthError::Scram { .. })
        ),
        case!(
            "a wrong signature",
            |client| {
                scram(client, |nonce| format!("r={nonce}x,{SALT}"));
                client.expect(b'p');
                client.send(authentication(12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
                client.wait_for_silent_close();
            },
            ErrorKind::Auth(AuthError::ServerNotVerified)
        ),
        case!(
            "accepted without a signature",
            |client| {
                scram(client, |nonce| format!("r={nonce}x,{SALT}"));
                client.expect(b'p');
                client.send(accepted_client());
                client.wait_for_silent_close();
            },
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })
        ),
        case!(
            "a proof before its question",
            sends!(authentication(12, b"v=AAAA")),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })
        ),
    ]);
}

/// Returns an address of this machine that is not a loopback address. A route lookup to another
/// machine sends nothing.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn a_remote_server_gets_no_password_by_default() {
    let Some(address) = outer_address() else {
        return pgoutput_harness::skip("this machine has no address but loopback ones");
    };
    for (method, rest) in [(3, &b""[..]), (5, b"salt"), (10, b"SCRAM-SHA-256\0\0")] {
        let rogue = Rogue::at(address, move |client| {
            client.tls_request();
            client.send(b"N");
            client.startup();
            client.send(authentication(method, rest));
            client.wait_for_silent_close();
        });
        // The user's default: no mode is chosen.
        let port = rogue.port();
        let config: Config =
            format!("host=localhost hostaddr={address} port={port} user=alice password={PASSWORD}")
                .parse()
                .unwrap();
        let error = Connection::connect(&config.connect_timeout(TIMEOUT)).unwrap_err();
        rogue.end();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Auth(AuthError::PasswordUnprotected { tls: false, .. })
            ),
            "{method}: {error:?}"
        );
    }
}
