use super::*;

const SAMPLES: &[(u8, &[u8])] = &[
    (b'R', b"\0\0\0\0"),
    (b'R', b"\0\0\0\x05salt"),
    (b'R', b"\0\0\0\x0ASCRAM-SHA-256\0\0"),
    (b'K', b"\0\0\0\x07\0\0\0\x09"),
    (b'K', b"\0\0\0\x07a key of protocol 3.2, as long as it likes"),
    (b'S', b"server_version\x0015.18\0"),
    (b'Z', b"I"),
    (b'E', b"SERROR\0C42704\0Mno such slot\0\0"),
    (b'N', b"\0"),
    (b'T', b"\0\x01name\0\0\0\0\0\0\0\0\0\0\x19\xFF\xFF\xFF\xFF\xFF\xFF\0\0"),
    (b'D', b"\0\x02\xFF\xFF\xFF\xFF\0\0\0\x01x"),
    (b'C', b"SELECT 1\0"),
    (b'I', b""),
    (b'c', b""),
    (b'W', b"\0\0\0"),
    (b'v', b"\0\x03\0\0\0\0\0\0"),
];

#[test]
fn every_message_is_read() {
    for (tag, body) in SAMPLES {
        Message::parse(*tag, body).unwrap();
    }
}

#[test]
fn a_message_that_is_too_short_or_too_long_is_malformed() {
    for (tag, body) in SAMPLES {
        // These contain arbitrary bytes, or bytes that are not parsed.
        let open = matches!(tag, b'W' | b'v' | b'K') || body.starts_with(b"\0\0\0\x0A");
        for end in 0..body.len() {
            if !open {
                let cut = Message::parse(*tag, &body[..end]);
                assert!(matches!(cut, Err(ProtocolError::Malformed { .. })), "{cut:?}");
            }
        }
        if !open {
            let longer = [body, &b"\0"[..]].concat();
            let too_long = Message::parse(*tag, &longer);
            assert!(matches!(too_long, Err(ProtocolError::Malformed { .. })), "{too_long:?}");
        }
    }
}

#[test]
fn rows_return_names_and_values() {
    let Message::RowDescription(columns) = Message::parse(b'T', SAMPLES[9].1).unwrap() else {
        panic!()
    };
    assert_eq!(columns.names().collect::<Vec<_>>(), [b"name"]);
    let Message::DataRow(values) = Message::parse(b'D', SAMPLES[10].1).unwrap() else { panic!() };
    assert_eq!(values.iter().collect::<Vec<_>>(), [None, Some(&b"x"[..])]);
}

#[test]
fn an_incorrect_count_is_malformed() {
    for (tag, body) in [
        (b'D', &b"\xFF\xFF\0\0\0\0"[..]),
        (b'D', b"\0\x01\xFF\xFF\xFF\xFE"),
        (b'D', b"\0\x01\x7F\xFF\xFF\xFFx"),
        (b'T', b"\xFF\xFF"),
        (b'T', b"\0\0name\0"),
    ] {
        let read = Message::parse(tag, body);
        assert!(matches!(read, Err(ProtocolError::Malformed { .. })), "{read:?}");
    }
}

#[test]
fn unknown_tags_are_named() {
    for tag in (0..=u8::MAX).filter(|tag| !b"ACDEGHIKNRSTWZcdv".contains(tag)) {
        assert_eq!(Message::parse(tag, b""), Err(ProtocolError::UnknownTag(tag)));
    }
    assert_eq!(Message::parse(b'R', b"\0\0\0\x63"), Err(ProtocolError::UnknownAuthentication(99)));
}

#[test]
fn a_malformed_message_has_its_name_in_the_manual() {
    let names = [
        (b'C', "CommandComplete"),
        (b'D', "DataRow"),
        (b'R', "Authentication"),
        (b'S', "ParameterStatus"),
        (b'T', "RowDescription"),
        (b'Z', "ReadyForQuery"),
    ];
    for (tag, name) in names {
        let Err(ProtocolError::Malformed { message, .. }) = Message::parse(tag, b"") else {
            panic!("an empty {name} was read")
        };
        assert_eq!(message, name);
    }
    let Err(ProtocolError::Malformed { message, .. }) = Message::parse(b'I', b"x") else {
        panic!("a body was read")
    };
    assert_eq!(message, "EmptyQueryResponse");
}
