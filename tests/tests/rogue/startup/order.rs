//! Invalid messages, and messages out of order.

use pgoutput_reader::{ErrorKind, LimitError, ProtocolError};

use super::{Case, case, check, ends, sends};
use crate::server::{authentication, message};

fn error(text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C28000\0M{text}\0Da detail\0Ha hint\0\0"))
}

#[test]
fn unexpected_messages_are_named() {
    check(&[
        case!(
            "another protocol",
            sends!(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            ErrorKind::Limit(LimitError::Message { tag: b'H', .. })
        ),
        case!(
            "an unknown message",
            sends!(message(b'?', b"")),
            ErrorKind::Protocol(ProtocolError::UnknownTag(b'?'))
        ),
        case!(
            "ready before anything",
            sends!(message(b'Z', b"I")),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'Z', .. })
        ),
        case!(
            "a key before acceptance",
            sends!(message(b'K', b"\0\0\0\x01\0\0\0\x01")),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'K', .. })
        ),
        case!(
            "a parameter before acceptance",
            sends!(message(b'S', b"server_version\x0018.1\0")),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'S', .. })
        ),
        case!(
            "changes before acceptance",
            sends!([message(b'W', b"\0\0\0"), message(b'd', b"w")].concat()),
            ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'W', .. })
        ),
        case!(
            "a key of two bytes",
            sends!([authentication(0, b""), message(b'K', b"\0\0")].concat()),
            ErrorKind::Protocol(ProtocolError::Malformed { message: "BackendKeyData", .. })
        ),
        case!(
            "a parameter without a zero byte",
            sends!([authentication(0, b""), message(b'S', b"server_version\x0018.1")].concat()),
            ErrorKind::Protocol(ProtocolError::Malformed { message: "ParameterStatus", .. })
        ),
        case!(
            "an error without a zero byte",
            sends!(message(b'E', b"SFATAL\0Mno")),
            ErrorKind::Protocol(ProtocolError::Malformed { message: "ErrorResponse", .. })
        ),
        case!(
            "ready without its version",
            sends!([authentication(0, b""), message(b'Z', b"I")].concat()),
            ErrorKind::Protocol(ProtocolError::ServerVersion(_))
        ),
        case!(
            "a version that is none",
            sends!(
                [
                    authentication(0, b""),
                    message(b'S', b"server_version\0\x1B[2Jx\0"),
                    message(b'Z', b"I")
                ]
                .concat()
            ),
            ErrorKind::Protocol(ProtocolError::ServerVersion(_))
        ),
        case!(
            "a newer protocol than requested",
            sends!(message(b'v', b"\0\x03\0\x02\0\0\0\0")),
            ErrorKind::Protocol(ProtocolError::Negotiation { major: 3, minor: 2 })
        ),
        case!(
            "protocol options that were not requested",
            sends!(message(b'v', b"\0\x03\0\0\xFF\xFF\xFF\xFF")),
            ErrorKind::Protocol(ProtocolError::Negotiation { .. })
        ),
    ]);
}

#[test]
fn an_unauthenticated_error_shows_only_one_line() {
    let error = ends(
        "an error with more to it",
        |client| {
            client.startup();
            client.send(self::error("\x1B[2Jno\nentry"));
            client.wait_for_close();
        },
        |config| config,
    );
    assert_eq!(error.sqlstate(), Some("28000"));
    let text = error.to_string();
    assert!(!text.contains("a detail") && !text.contains("a hint"), "{text}");
}
