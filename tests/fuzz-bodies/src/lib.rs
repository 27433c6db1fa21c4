//! The bodies of the fuzz targets, one function each. `fuzz/fuzz_targets` and tests call them.
//!
//! A body takes any bytes and panics when a law is violated. It has no other output.
#![expect(clippy::missing_panics_doc, reason = "a panic is how a body reports a violated law")]

mod capture;
mod decode_input;
mod small_stack;
mod values;

use pgoutput_decode::encode::Encoder;
use pgoutput_decode::{
    CopyData, DecodeError, Decoder, ErrorKind, HotStandbyFeedback, Message, OldTuple,
    StandbyStatusUpdate, StreamAbortForm, TupleData,
};

pub use capture::{capture_file, capture_of, capture_records};
pub use decode_input::decode_input;
pub use values::{container_binary, container_text, value_binary, value_text, value_type};

/// The body of a fuzz target.
pub type Body = fn(&[u8]);

/// The targets by the name of the fuzz target and of its folder of seeds.
pub const TARGETS: [(&str, Body); 11] = [
    ("capture_file", capture_file),
    ("capture_records", capture_records),
    ("container_binary", container_binary),
    ("container_text", container_text),
    ("decode_input", decode_input),
    ("envelope", envelope),
    ("frame", frame),
    ("roundtrip", roundtrip),
    ("sequence", sequence),
    ("value_binary", value_binary),
    ("value_text", value_text),
];

/// Decodes one frame in both states, and as a prefix of a longer slice.
pub fn frame(bytes: &[u8]) {
    for in_stream in [false, true] {
        let whole = Message::decode(bytes, in_stream);
        let mut passed = 0_usize;
        let with = Message::decode_with(bytes, in_stream, |_, _| passed += 1);
        assert_eq!(with, whole, "passing the columns must not change the message");
        match &whole {
            Ok(message) => {
                visit(message);
                assert_eq!(passed, columns(message), "every column must be passed once");
            }
            Err(error) => check_error(error, bytes),
        }
        // Whole frames of rows, Begin and Commit take another path than a prefix does. Only the
        // length of a whole Stream Abort determines its form.
        let form = if bytes.len() > 9 { StreamAbortForm::Long } else { StreamAbortForm::Short };
        match Message::decode_prefix(bytes, in_stream, form) {
            Ok((message, [])) => assert_eq!(whole, Ok(message)),
            Ok((_, rest)) => {
                let error = whole.expect_err("trailing bytes");
                assert_eq!(error.kind(), ErrorKind::TrailingBytes { count: rest.len() });
                assert_eq!(error.offset(), bytes.len() - rest.len());
            }
            Err(error) => assert_eq!(whole, Err(error)),
        }
        for form in [StreamAbortForm::Short, StreamAbortForm::Long] {
            match Message::decode_prefix(bytes, in_stream, form) {
                Ok((message, rest)) => {
                    visit(&message);
                    assert!(bytes.ends_with(rest), "the rest must be a suffix");
                    let front = &bytes[..bytes.len() - rest.len()];
                    assert_eq!(
                        Message::decode(front, in_stream),
                        Ok(message),
                        "the prefix alone must decode to the same"
                    );
                }
                Err(error) => check_error(&error, bytes),
            }
        }
    }
}

/// Decodes a sequence of frames in one stream. [`split`] describes the input.
pub fn sequence(bytes: &[u8]) {
    let mut decoder = Decoder::new();
    for frame in split(bytes) {
        let before = decoder;
        match decoder.decode(frame) {
            Ok(message) => {
                visit(&message);
                match message {
                    Message::StreamStart(body) => {
                        assert_eq!(decoder.stream_xid(), Some(body.xid), "Stream Start opens");
                    }
                    Message::StreamStop => {
                        assert_eq!(decoder, Decoder::new(), "Stream Stop closes");
                    }
                    _ => assert_eq!(decoder, before, "no other message may change the state"),
                }
            }
            Err(error) => {
                check_error(&error, frame);
                assert_eq!(decoder, before, "an error must leave the decoder unchanged");
            }
        }
    }
}

/// Reads the payload of CopyData from either side. A payload that is read must encode to the same
/// bytes.
pub fn envelope(bytes: &[u8]) {
    match CopyData::decode(bytes) {
        Ok(envelope) => {
            let mut out = Vec::new();
            envelope.encode(&mut out);
            assert_eq!(out, bytes, "{envelope:?}");
        }
        Err(error) => check_error(&error, bytes),
    }
    match StandbyStatusUpdate::decode(bytes) {
        Ok(status) => assert_eq!(status.to_bytes(), bytes),
        Err(error) => check_error(&error, bytes),
    }
    match HotStandbyFeedback::decode(bytes) {
        Ok(feedback) => assert_eq!(feedback.to_bytes(), bytes),
        Err(error) => check_error(&error, bytes),
    }
}

/// Decodes, encodes and decodes. An accepted frame must encode to the same bytes, and the encoder's
/// state must follow.
pub fn roundtrip(bytes: &[u8]) {
    for in_stream in [false, true] {
        if let Ok(message) = Message::decode(bytes, in_stream) {
            let out = message.to_bytes().expect("what was decoded can be encoded");
            assert_eq!(out, bytes, "{message:?}");
            assert_eq!(Message::decode(&out, in_stream), Ok(message));
        }
    }
    let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new());
    for frame in split(bytes) {
        if let Ok(message) = decoder.decode(frame) {
            let mut out = Vec::new();
            encoder.encode(&message, &mut out).expect("the encoder is in step");
            assert_eq!(out, frame, "{message:?}");
        }
        assert_eq!(encoder.stream_xid(), decoder.stream_xid());
    }
}

/// Returns the frames of a sequence. Each follows its length in two bytes, big-endian. The last one
/// may be shorter than that.
pub fn split(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    core::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (frame, rest) = rest.split_at(length);
        bytes = rest;
        Some(frame)
    })
}

/// Joins frames in the form that [`split`] reads. A frame has at most 65535 bytes.
pub fn join<'f>(frames: impl IntoIterator<Item = &'f [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for frame in frames {
        let length = u16::try_from(frame.len()).expect("a short frame");
        bytes.extend(length.to_be_bytes());
        bytes.extend(frame);
    }
    bytes
}

fn check_error(error: &DecodeError, frame: &[u8]) {
    assert!(error.offset() <= frame.len(), "{error} is outside of {} bytes", frame.len());
    assert!(!error.to_string().is_empty());
}

/// Reads everything that a message lends.
fn visit(message: &Message<'_>) {
    match message {
        Message::Insert(body) => walk(body.new),
        Message::Update(body) => {
            body.old.into_iter().for_each(old);
            walk(body.new);
        }
        Message::Delete(body) => old(body.old),
        Message::Relation(body) => {
            assert_eq!(body.columns.iter().count(), body.columns.len());
        }
        Message::Truncate(body) => {
            assert_eq!(body.relations.iter().count(), body.relations.len());
        }
        _ => {}
    }
    assert!(!format!("{message:?}").is_empty());
}

/// Returns how many columns its rows have.
fn columns(message: &Message<'_>) -> usize {
    let old = |old: OldTuple<'_>| match old {
        OldTuple::Key(key) => key.full_width().len(),
        OldTuple::Full(row) => row.len(),
    };
    match message {
        Message::Insert(body) => body.new.len(),
        Message::Update(body) => body.old.map_or(0, old) + body.new.len(),
        Message::Delete(body) => old(body.old),
        _ => 0,
    }
}

fn old(tuple: OldTuple<'_>) {
    match tuple {
        OldTuple::Key(key) => walk(key.full_width()),
        OldTuple::Full(row) => walk(row),
    }
}

fn walk(tuple: TupleData<'_>) {
    assert_eq!(tuple.columns().count(), tuple.len());
    assert_eq!(tuple.get(tuple.len()), None);
}
