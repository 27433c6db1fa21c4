//! Errors for invalid input: the bytes, the exact error, its offset, and its message.

use pgoutput_decode::{
    CopyData, DecodeError, Decoder, ErrorKind, HotStandbyFeedback, Lsn, StandbyStatusUpdate, Tag,
};

struct Case {
    frame: &'static [u8],
    in_stream: bool,
    kind: ErrorKind,
    offset: usize,
    text: &'static str,
}

fn outside(frame: &'static [u8], kind: ErrorKind, offset: usize, text: &'static str) -> Case {
    Case { frame, in_stream: false, kind, offset, text }
}

fn inside(frame: &'static [u8], kind: ErrorKind, offset: usize, text: &'static str) -> Case {
    Case { frame, in_stream: true, kind, offset, text }
}

const fn truncated(field: &'static str, needed: usize, available: usize) -> ErrorKind {
    ErrorKind::Truncated { field, needed, available }
}

fn check(cases: impl IntoIterator<Item = Case>) {
    for Case { frame, in_stream, kind, offset, text } in cases {
        let shown = frame.escape_ascii();
        let mut decoder = Decoder::new();
        if in_stream {
            decoder.decode(b"S\0\0\x03\x09\x01").unwrap();
        }
        let before = decoder;
        let error = decoder.decode(frame).expect_err(text);
        assert_eq!(error.kind(), kind, "{shown}");
        assert_eq!(error.offset(), offset, "{shown}");
        assert_eq!(error.tag(), frame.first().map(|&byte| Tag(byte)), "{shown}");
        assert_eq!(error.to_string(), text, "{shown}");
        assert_eq!(decoder, before, "{shown}: the decoder is unchanged");
    }
}

#[test]
fn truncated_frames() {
    check([
        outside(
            b"",
            truncated("message tag", 1, 0),
            0,
            "truncated message tag at byte 0 of an empty frame: needed 1 bytes, had 0",
        ),
        outside(
            b"B\0\0\0\0\x01\x58\xFA\xC8\0\0",
            truncated("commit timestamp", 8, 2),
            9,
            "truncated commit timestamp at byte 9 of Begin ('B'): needed 8 bytes, had 2",
        ),
        outside(
            b"I\0\0\x40\x13N\0\x02t\0\0\0\x011",
            truncated("column kind", 1, 0),
            14,
            "truncated column kind at byte 14 of Insert ('I'): needed 1 bytes, had 0",
        ),
        outside(
            b"I\0\0\x40\x13N\0\x01t\0\0",
            truncated("column value length", 4, 2),
            9,
            "truncated column value length at byte 9 of Insert ('I'): needed 4 bytes, had 2",
        ),
        inside(
            b"I\0\0\x40",
            truncated("transaction id", 4, 3),
            1,
            "truncated transaction id at byte 1 of Insert ('I'): needed 4 bytes, had 3",
        ),
        // Neither of Stream Abort's two forms.
        outside(
            b"A\0\0\x03\x09\0\0\x03\x0A\0",
            truncated("abort LSN", 8, 1),
            9,
            "truncated abort LSN at byte 9 of Stream Abort ('A'): needed 8 bytes, had 1",
        ),
    ]);
}

#[test]
fn trailing_bytes() {
    check([
        outside(
            b"I\0\0\x40\x13N\0\x01nnn",
            ErrorKind::TrailingBytes { count: 2 },
            9,
            "2 trailing bytes at byte 9 of Insert ('I')",
        ),
        inside(
            b"E\0",
            ErrorKind::TrailingBytes { count: 1 },
            1,
            "1 trailing bytes at byte 1 of Stream Stop ('E')",
        ),
        outside(
            b"O\0\0\0\0\0\0\0\0a\0b\0",
            ErrorKind::TrailingBytes { count: 2 },
            11,
            "2 trailing bytes at byte 11 of Origin ('O')",
        ),
    ]);
}

#[test]
fn unknown_tags_and_kinds() {
    check([
        outside(
            b"z\0",
            ErrorKind::UnknownTag(Tag(b'z')),
            0,
            "unknown message 'z' at byte 0 of the frame",
        ),
        inside(
            b"\xFF",
            ErrorKind::UnknownTag(Tag(0xFF)),
            0,
            "unknown message 0xFF at byte 0 of the frame",
        ),
        // An envelope that was not removed.
        outside(
            b"w\0",
            ErrorKind::UnknownTag(Tag::XLOG_DATA),
            0,
            "unexpected XLogData ('w') at byte 0 of the frame",
        ),
        outside(
            b"I\0\0\x40\x13K\0\x01n",
            ErrorKind::UnknownTupleKind(b'K'),
            5,
            "unknown tuple kind 0x4B at byte 5 of Insert ('I')",
        ),
        outside(
            b"U\0\0\x40\x13K\0\x01nO\0\x01n",
            ErrorKind::UnknownTupleKind(b'O'),
            9,
            "unknown tuple kind 0x4F at byte 9 of Update ('U')",
        ),
        outside(
            b"D\0\0\x40\x13N\0\x01n",
            ErrorKind::UnknownTupleKind(b'N'),
            5,
            "unknown tuple kind 0x4E at byte 5 of Delete ('D')",
        ),
        outside(
            b"I\0\0\x40\x13N\0\x02nx",
            ErrorKind::UnknownColumnKind(b'x'),
            9,
            "unknown column kind 0x78 at byte 9 of Insert ('I')",
        ),
    ]);
}

#[test]
fn negative_and_oversized_lengths() {
    check([
        outside(
            b"I\0\0\x40\x13N\0\x01t\xFF\xFF\xFF\xFFabc",
            ErrorKind::NegativeLength { field: "column value length", length: -1 },
            9,
            "negative column value length -1 at byte 9 of Insert ('I')",
        ),
        outside(
            b"I\0\0\x40\x13N\0\x01b\x80\0\0\0",
            ErrorKind::NegativeLength { field: "column value length", length: i32::MIN },
            9,
            "negative column value length -2147483648 at byte 9 of Insert ('I')",
        ),
        outside(
            b"T\xFF\xFF\xFF\xFE\0",
            ErrorKind::NegativeLength { field: "relation count", length: -2 },
            1,
            "negative relation count -2 at byte 1 of Truncate ('T')",
        ),
        outside(
            b"M\0\0\0\0\0\0\0\0\0p\0\xFF\xFF\xFF\xFF",
            ErrorKind::NegativeLength { field: "content length", length: -1 },
            12,
            "negative content length -1 at byte 12 of Message ('M')",
        ),
        outside(
            b"I\0\0\x40\x13N\0\x01t\x7F\xFF\xFF\xFFabc",
            truncated("column value", 0x7FFF_FFFF, 3),
            13,
            "truncated column value at byte 13 of Insert ('I'): needed 2147483647 bytes, had 3",
        ),
        outside(
            b"I\0\0\x40\x13N\xFF\xFFnn",
            truncated("column kind", 1, 0),
            10,
            "truncated column kind at byte 10 of Insert ('I'): needed 1 bytes, had 0",
        ),
        outside(
            b"T\0\0\x10\0\0\0\0\x40\x13",
            truncated("relation ids", 0x4000, 4),
            6,
            "truncated relation ids at byte 6 of Truncate ('T'): needed 16384 bytes, had 4",
        ),
        outside(
            b"M\0\0\0\0\0\0\0\0\0p\0\0\0\0\x03ab",
            truncated("content", 3, 2),
            16,
            "truncated content at byte 16 of Message ('M'): needed 3 bytes, had 2",
        ),
    ]);
}

#[test]
fn names_without_a_terminator_or_not_utf8() {
    check([
        outside(
            b"O\0\0\0\0\0\0\0\0upstream",
            ErrorKind::MissingTerminator { field: "origin name" },
            9,
            "origin name without terminating zero at byte 9 of Origin ('O')",
        ),
        outside(
            b"R\0\0\x40\x13public\0readme",
            ErrorKind::MissingTerminator { field: "relation name" },
            12,
            "relation name without terminating zero at byte 12 of Relation ('R')",
        ),
        outside(
            b"R\0\0\x40\x13public\0\xE9t\xE9\0d\0\0",
            ErrorKind::InvalidUtf8 { field: "relation name" },
            12,
            "relation name is not UTF-8 at byte 12 of Relation ('R')",
        ),
        outside(
            b"R\0\0\x40\x13\0t\0d\0\x01\0\xFF\0\0\0\0\x17\0\0\0\0",
            ErrorKind::InvalidUtf8 { field: "column name" },
            12,
            "column name is not UTF-8 at byte 12 of Relation ('R')",
        ),
        inside(
            b"Y\0\0\x03\x09\0\0\x40\x13\xC0\0mood\0",
            ErrorKind::InvalidUtf8 { field: "namespace" },
            9,
            "namespace is not UTF-8 at byte 9 of Type ('Y')",
        ),
    ]);
}

#[test]
fn messages_that_are_not_allowed() {
    check([
        outside(
            b"E",
            ErrorKind::StrayStreamStop,
            0,
            "Stream Stop outside a chunk at byte 0 of Stream Stop ('E')",
        ),
        inside(
            b"S\0\0\x03\x0A\x01",
            ErrorKind::NestedStreamStart,
            0,
            "Stream Start inside a chunk at byte 0 of Stream Start ('S')",
        ),
        inside(
            b"B\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ErrorKind::InsideStream,
            0,
            "message not allowed inside a chunk at byte 0 of Begin ('B')",
        ),
    ]);
}

#[test]
fn envelopes() {
    let cases: [(Result<(), DecodeError>, &str); 10] = [
        (
            CopyData::decode(b"").map(drop),
            "truncated message tag at byte 0 of an empty frame: needed 1 bytes, had 0",
        ),
        (
            CopyData::decode(b"w\0\0\0\0\0\0\0\x01\0").map(drop),
            "truncated WAL end at byte 9 of XLogData ('w'): needed 8 bytes, had 1",
        ),
        (
            CopyData::decode(&[&b"k"[..], &[0; 16]].concat()).map(drop),
            "truncated reply request at byte 17 of Primary keepalive ('k'): needed 1 bytes, had 0",
        ),
        (
            CopyData::decode(&[&b"k"[..], &[0; 18]].concat()).map(drop),
            "1 trailing bytes at byte 18 of Primary keepalive ('k')",
        ),
        // A message without its envelope.
        (
            CopyData::decode(b"I\0\0\x40\x13N\0\0").map(drop),
            "unexpected Insert ('I') at byte 0 of the frame",
        ),
        (CopyData::decode(b"?").map(drop), "unknown message '?' at byte 0 of the frame"),
        (
            StandbyStatusUpdate::decode(b"r\0").map(drop),
            "truncated write position at byte 1 of Standby status update ('r'): \
             needed 8 bytes, had 1",
        ),
        (
            StandbyStatusUpdate::decode(b"h").map(drop),
            "unexpected Hot standby feedback ('h') at byte 0 of the frame",
        ),
        (
            HotStandbyFeedback::decode(b"r").map(drop),
            "unexpected Standby status update ('r') at byte 0 of the frame",
        ),
        (
            HotStandbyFeedback::decode(&[&b"h"[..], &[0; 25]].concat()).map(drop),
            "1 trailing bytes at byte 25 of Hot standby feedback ('h')",
        ),
    ];
    for (result, text) in cases {
        assert_eq!(result.expect_err(text).to_string(), text);
    }
}

#[test]
fn an_error_is_rebased_and_has_a_position() {
    let error = Decoder::new().decode(b"I\0\0\x40").unwrap_err();
    let error = error.rebased(25).at_lsn(Lsn::new(0x158_FAC8));
    assert_eq!((error.offset(), error.lsn()), (26, Some(Lsn::new(0x158_FAC8))));
    assert_eq!(
        error.to_string(),
        "truncated relation id at byte 26 of Insert ('I'), WAL 0/158FAC8: needed 4 bytes, had 3"
    );
    assert_eq!(format!("{error:?}"), format!("DecodeError({error})"));
}
