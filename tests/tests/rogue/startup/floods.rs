//! Answers that are too long, shorter than announced, or missing.

use std::thread;
use std::time::Duration;

use pgoutput_reader::{AuthError, Connection, ErrorKind, LimitError, ProtocolError};

use super::{Case, SHORT, case, check, check_with, sends};
use crate::server::{Client, Rogue, accepted_client, authentication, message};

fn notice() -> Vec<u8> {
    message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0")
}

#[test]
fn excessive_answers_are_rejected() {
    check(&[
        case!(
            "a length of two gigabytes",
            sends!(b"R\x7F\xFF\xFF\xFF\0\0\0\0"),
            ErrorKind::Limit(LimitError::Message { tag: b'R', .. })
        ),
        case!(
            "a negative length",
            sends!(b"R\xFF\xFF\xFF\xFF\0\0\0\0"),
            ErrorKind::Protocol(ProtocolError::Length { tag: b'R', length: -1 })
        ),
        case!(
            "a length that does not count itself",
            sends!(b"R\0\0\0\x03"),
            ErrorKind::Protocol(ProtocolError::Length { length: 3, .. })
        ),
        case!(
            "notices without end",
            |client| {
                client.startup();
                client.send_endlessly(notice());
            },
            ErrorKind::Limit(LimitError::Handshake { unit: "messages", .. })
        ),
        case!(
            "long notices without end",
            |client| {
                client.startup();
                client.send_endlessly(message(
                    b'N',
                    [&b"M"[..], &vec![b'x'; 60_000], b"\0\0"].concat(),
                ));
            },
            ErrorKind::Limit(LimitError::Handshake { unit: "bytes", .. })
        ),
        case!(
            "parameters without end",
            |client| {
                client.startup();
                client.send(authentication(0, b""));
                client.send_endlessly(message(b'S', b"a\0b\0"));
            },
            ErrorKind::Limit(LimitError::Handshake { unit: "messages", .. })
        ),
        case!(
            "a bare error without end",
            |client| {
                client.startup();
                client.send(b"E");
                client.send_endlessly([b'x'; 1000]);
            },
            ErrorKind::Server(_)
        ),
        case!(
            "a key of a gigabyte",
            sends!([&authentication(0, b"")[..], b"K\x40\0\0\0"].concat()),
            ErrorKind::Limit(LimitError::Message { tag: b'K', .. })
        ),
        case!(
            "mechanisms without end",
            sends!(authentication(10, [&b"OTHER\0".repeat(10_000)[..], b"\0"].concat())),
            ErrorKind::Auth(AuthError::MechanismUnsupported { .. })
        ),
    ]);
}

#[test]
fn an_early_end_is_an_error() {
    check(&[
        case!("nothing at all", |client| drop(client.startup()), ErrorKind::Io { .. }),
        case!("not even a word to the startup packet", |_| (), ErrorKind::Io { .. }),
        case!(
            "half a header",
            |client| {
                client.startup();
                client.send(b"R\0\0");
            },
            ErrorKind::Io { .. }
        ),
        case!(
            "half a message",
            |client| {
                client.startup();
                client.send(b"R\0\0\0\x08\0\0");
            },
            ErrorKind::Io { .. }
        ),
        case!(
            "accepted and gone",
            |client| {
                client.startup();
                client.send(authentication(0, b""));
            },
            ErrorKind::Io { .. }
        ),
    ]);
}

#[test]
fn stalled_connections_end_in_time() {
    let cases = [
        case!(
            "silence",
            |client| {
                client.startup();
                client.wait_for_silent_close();
            },
            ErrorKind::Timeout { .. }
        ),
        case!(
            "a startup packet that is not even read",
            Client::wait_for_close,
            ErrorKind::Timeout { .. }
        ),
        case!(
            "a byte now and then",
            |client| {
                client.startup();
                assert!(!client.send_slowly(
                    [authentication(0, b""), notice().repeat(100)].concat(),
                    SHORT / 10
                ));
            },
            ErrorKind::Timeout { .. }
        ),
        case!(
            "a notice now and then",
            |client| {
                client.startup();
                while client.send(notice()) {
                    thread::sleep(SHORT / 10);
                }
            },
            ErrorKind::Timeout { .. }
        ),
        case!(
            "accepted, and never ready",
            |client| {
                client.startup();
                client.send(authentication(0, b""));
                client.wait_for_silent_close();
            },
            ErrorKind::Timeout { .. }
        ),
    ];
    check_with(&cases, |config| config.connect_timeout(SHORT));
}

#[test]
fn a_slow_server_is_accepted() {
    let rogue = Rogue::new(|client| {
        client.startup();
        assert!(client.send_slowly(accepted_client(), Duration::from_millis(1)));
        client.wait_for_close();
    });
    let connection = Connection::connect(&rogue.config()).unwrap();
    assert_eq!(connection.server_version().to_string(), "18.1");
    drop(connection);
    rogue.end();
}
