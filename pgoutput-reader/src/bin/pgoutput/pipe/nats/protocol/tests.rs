use proptest::prelude::*;

use super::*;

/// Reads all operations of a stream that arrives in pieces.
fn all(bytes: &[u8], piece: usize) -> Result<Vec<String>, ProtocolError> {
    let (mut found, mut start) = (Vec::new(), 0);
    for end in (0..=bytes.len()).step_by(piece).chain([bytes.len()]) {
        while let Some((operation, length)) = read(&bytes[start..end.max(start)])? {
            found.push(format!("{operation:?}"));
            start += length;
        }
    }
    found.push(format!("{} left", bytes.len() - start));
    Ok(found)
}

const STREAM: &[u8] =
    b"INFO {\"version\":\"2.12.1\"}\r\nPING\r\npong\r\n+OK\r\n-ERR 'Stale Connection'\r\n\
    MSG _INBOX.a.1 1 5\r\nhello\r\nMSG _INBOX.a.1 1 answer.to 0\r\n\r\n\
    HMSG _INBOX.a.2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a 1 12 15\r\nNATS/1.0\r\n\r\nabc\r\n";

#[test]
fn all_operations_are_read() {
    let found = all(STREAM, STREAM.len()).unwrap();
    assert_eq!(found.len(), 10, "{found:#?}");
    assert_eq!(found[9], "0 left");
    let (operation, length) =
        read(b"HMSG a.b 1 to 12 15\r\nNATS/1.0\r\n\r\nabc\r\nPING").unwrap().unwrap();
    let message = Message { subject: "a.b", headers: b"NATS/1.0\r\n\r\n", payload: b"abc" };
    assert_eq!((operation, length), (Operation::Message(message), 38));
    let (operation, _) = read(b"-ERR 'Authorization Violation'\r\n").unwrap().unwrap();
    assert_eq!(operation, Operation::Error("Authorization Violation"));
}

#[test]
fn pieces_of_any_size_give_the_same_operations() {
    let whole = all(STREAM, STREAM.len()).unwrap();
    for piece in 1..STREAM.len() {
        assert_eq!(all(STREAM, piece).unwrap(), whole, "pieces of {piece} bytes");
    }
}

#[test]
fn what_no_server_sends_is_an_error() {
    for (bytes, error) in [
        (&b"HELLO\r\n"[..], ProtocolError::Unknown),
        (b"\r\n", ProtocolError::Unknown),
        (b"MSG a 1\r\n", ProtocolError::Message),
        (b"MSG a 1 -5\r\nhello\r\n", ProtocolError::Message),
        (b"MSG a 1 b c 5\r\nhello\r\n", ProtocolError::Message),
        (b"MSG a 1 99999999999999999999\r\n", ProtocolError::Message),
        (b"MSG a 1 999999999\r\n", ProtocolError::Size(999_999_999)),
        (b"HMSG a 1 9 5\r\nhello\r\n", ProtocolError::Message),
        (b"MSG a 1 5\r\nhello12", ProtocolError::End),
        (b"-ERR '\xff'\r\n", ProtocolError::Text),
    ] {
        assert_eq!(read(bytes), Err(error), "{}", bytes.escape_ascii());
    }
    assert_eq!(read(&[b'a'; LINE]), Err(ProtocolError::Line(LINE)));
    assert_eq!(read(&[b'a'; LINE - 1]), Ok(None));
    let info = [&b"INFO "[..], &vec![b'a'; INFO_LINE]].concat();
    assert_eq!(read(&info[..INFO_LINE - 1]), Ok(None));
    assert_eq!(read(&info), Err(ProtocolError::Line(INFO_LINE)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn altered_operations_are_read_without_panic(
        changes in prop::collection::vec((0..STREAM.len(), any::<u8>()), 1..5), piece in 1..50_usize
    ) {
        let mut bytes = STREAM.to_vec();
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        prop_assert_eq!(all(&bytes, piece).is_ok(), all(&bytes, 1).is_ok());
    }
}
