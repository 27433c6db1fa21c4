//! Answers to the request for TLS.

use pgoutput_reader::{ErrorKind, SslMode, TlsError};

use super::{Case, SHORT, case, check_with};
use crate::server::accepted_client;

#[test]
fn without_required_tls_nothing_is_sent() {
    let cases = [
        case!(
            "refused",
            |client| {
                client.tls_request();
                client.send(b"N");
                client.wait_for_silent_close();
            },
            ErrorKind::Tls(TlsError::NotOffered { mode: SslMode::Require })
        ),
        case!(
            "refused, and on in clear",
            |client| {
                client.tls_request();
                client.send([&b"N"[..], &accepted_client()].concat());
                client.wait_for_silent_close();
            },
            ErrorKind::Tls(TlsError::Injected(_))
        ),
        case!(
            "granted, followed by bytes in clear",
            |client| {
                client.tls_request();
                client.send([&b"S"[..], &accepted_client()].concat());
                client.wait_for_silent_close();
            },
            ErrorKind::Tls(TlsError::Injected(_))
        ),
        case!(
            "an error before authentication",
            |client| {
                client.tls_request();
                client.send([&b"E"[..], b"call 555 and say swordfish\0"].concat());
                client.wait_for_silent_close();
            },
            ErrorKind::Tls(TlsError::ErrorAnswer)
        ),
        case!(
            "an answer that is none",
            |client| {
                client.tls_request();
                client.send(b"?");
                client.wait_for_silent_close();
            },
            ErrorKind::Tls(TlsError::Answer(b'?'))
        ),
        case!("closed at the request", |client| client.tls_request(), ErrorKind::Io { .. }),
    ];
    check_with(&cases, |config| config.ssl_mode(SslMode::Require));
    let broken = [case!(
        "no handshake after it",
        |client| {
            client.tls_request();
            client.send(b"S");
            // The client's first bytes. Later bytes cannot have been injected before them.
            client.receive();
            client.send(b"no TLS at all, and long enough for the head of a record");
            client.wait_for_close();
        },
        ErrorKind::Tls(_)
    )];
    check_with(&broken, |config| config.ssl_mode(SslMode::Require));
    let silent = [case!(
        "silence after it",
        |client| {
            client.tls_request();
            client.send(b"S");
            client.wait_for_close();
        },
        ErrorKind::Timeout { .. }
    )];
    check_with(&silent, |config| config.ssl_mode(SslMode::Require).connect_timeout(SHORT));
}
