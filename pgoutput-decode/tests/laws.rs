//! The laws of decoding, tested on generated frames. Each test is named after its law.
//!
//! - 1: decoding is total
//! - 2: an error leaves the decoder unchanged
//! - 4: strict prefixes are rejected
//! - 5: the offset of an error is within the frame
//! - 9: control messages are rejected inside a chunk
//!
//! Laws 3 and 7 are in `reencode.rs`, law 10 in `memory.rs`.

use pgoutput_decode::{
    CopyData, DecodeError, Decoder, ErrorKind, HotStandbyFeedback, Message, OldTuple,
    PrimaryKeepalive, StandbyStatusUpdate, StreamAbortForm, TupleColumn, TupleData, TupleKind,
    XLogData, Xid,
};
use pgoutput_strategies::{any_frame, message, mutated, sequences};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const FORMS: [StreamAbortForm; 2] = [StreamAbortForm::Short, StreamAbortForm::Long];

/// Generates frames from valid through slightly damaged to random bytes.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let good = || any_frame().prop_map(|frame| frame.bytes);
    prop_oneof![1 => good(), 6 => mutated(good()), 1 => vec(any::<u8>(), 0..64)]
}

/// Returns a decoder outside a chunk and one inside.
fn both_states() -> [Decoder; 2] {
    let mut inside = Decoder::new();
    inside.decode(b"S\0\0\x03\x09\x01").unwrap();
    [Decoder::new(), inside]
}

/// Returns the errors of reading these bytes in every way. Accepted input is read completely.
fn errors(bytes: &[u8]) -> Vec<DecodeError> {
    let mut errors = Vec::new();
    for state in both_states() {
        let whole = { state }.decode(bytes);
        let prefixes = FORMS.map(|form| Ok({ state }.decode_prefix(bytes, form)?.0));
        for read in [whole].into_iter().chain(prefixes) {
            match read {
                Ok(message) => assert!(!format!("{message:?} {message:#?}").is_empty()),
                Err(error) => errors.push(error),
            }
        }
    }
    errors.extend(CopyData::decode(bytes).err());
    errors.extend(StandbyStatusUpdate::decode(bytes).err());
    errors.extend(HotStandbyFeedback::decode(bytes).err());
    errors
}

/// Returns the columns of a message's tuples, in the order of the frame.
fn columns<'a>(message: &Message<'a>) -> Vec<(TupleKind, TupleColumn<'a>)> {
    let old = |old: OldTuple<'a>| match old {
        OldTuple::Key(key) => (TupleKind::Key, key.full_width()),
        OldTuple::Full(tuple) => (TupleKind::Old, tuple),
    };
    let new = |new| (TupleKind::New, new);
    let rows: Vec<(TupleKind, TupleData<'a>)> = match message {
        Message::Insert(body) => vec![new(body.new)],
        Message::Update(body) => body.old.map(old).into_iter().chain([new(body.new)]).collect(),
        Message::Delete(body) => vec![old(body.old)],
        _ => Vec::new(),
    };
    rows.iter().flat_map(|(kind, row)| row.columns().map(|column| (*kind, column))).collect()
}

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn law_1_decode_is_total(bytes in any_bytes()) {
        for error in errors(&bytes) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn law_1_every_generated_message_is_accepted(frame in any_frame()) {
        let message = Message::decode(&frame.bytes, frame.in_stream)?;
        let tag = message.tag().0;
        prop_assert_eq!(Some(&tag), frame.bytes.first());
        let with_xid = frame.in_stream && b"MRYIUDT".contains(&tag);
        prop_assert_eq!(message.stream_xid().is_some(), with_xid);
    }

    #[test]
    fn law_1_decoding_with_columns_equals_decoding(bytes in any_bytes()) {
        for in_stream in [false, true] {
            let mut passed = Vec::new();
            let each = |kind, column| passed.push((kind, column));
            let with = Message::decode_with(&bytes, in_stream, each);
            let message = Message::decode(&bytes, in_stream);
            prop_assert_eq!(&with, &message);
            if let Ok(message) = message {
                prop_assert_eq!(passed, columns(&message));
            }
        }
    }

    #[test]
    fn law_1_every_valid_stream_is_accepted(frames in sequences()) {
        let mut decoder = Decoder::new();
        for frame in &frames {
            decoder.decode(frame)?;
        }
        prop_assert_eq!(decoder, Decoder::new(), "every chunk was closed");
    }

    #[test]
    fn law_2_an_error_leaves_the_decoder_unchanged(bytes in any_bytes()) {
        for before in both_states() {
            let mut decoder = before;
            if decoder.decode(&bytes).is_err() {
                prop_assert_eq!(decoder, before);
            }
            for form in FORMS {
                let mut decoder = before;
                if decoder.decode_prefix(&bytes, form).is_err() {
                    prop_assert_eq!(decoder, before);
                }
            }
        }
    }

    #[test]
    fn law_2_rejected_frames_in_between_do_not_affect_a_stream(
        frames in sequences(),
        damage in vec(any_bytes(), 1..8),
    ) {
        let (mut clean, mut disturbed) = (Decoder::new(), Decoder::new());
        for (frame, damage) in frames.iter().zip(damage.iter().cycle()) {
            // Damage may produce a valid frame, which may change the state.
            let before = disturbed;
            if disturbed.decode(damage).is_ok() {
                disturbed = before;
            }
            prop_assert_eq!(clean.decode(frame)?, disturbed.decode(frame)?);
            prop_assert_eq!(clean, disturbed);
        }
    }

    #[test]
    fn law_4_every_strict_prefix_is_rejected(frame in any_frame()) {
        for end in 0..frame.bytes.len() {
            let decoded = Message::decode(&frame.bytes[..end], frame.in_stream);
            // The short form of Stream Abort is a prefix of the long one; nothing in it
            // distinguishes them.
            if frame.bytes[0] == b'A' && end == 9 {
                prop_assert!(decoded.is_ok());
                continue;
            }
            let kind = decoded.expect_err("a prefix").kind();
            prop_assert!(
                matches!(kind, ErrorKind::Truncated { .. } | ErrorKind::MissingTerminator { .. }),
                "{:?}", kind
            );
        }
    }

    #[test]
    fn law_4_every_strict_prefix_of_an_envelope_is_rejected(bytes in any::<[u8; 40]>()) {
        // After its header an XLogData may end anywhere: the rest is its data.
        let with = |tag: u8, len: usize| [&[tag][..], &bytes[..len - 1]].concat();
        for payload in [with(b'w', XLogData::HEADER_LEN), with(b'k', PrimaryKeepalive::LEN)] {
            prop_assert!(CopyData::decode(&payload).is_ok());
            for end in 0..payload.len() {
                prop_assert!(CopyData::decode(&payload[..end]).is_err());
            }
        }
        let (status, feedback) =
            (with(b'r', StandbyStatusUpdate::LEN), with(b'h', HotStandbyFeedback::LEN));
        prop_assert_eq!(&StandbyStatusUpdate::decode(&status)?.to_bytes()[..], &status[..]);
        prop_assert_eq!(&HotStandbyFeedback::decode(&feedback)?.to_bytes()[..], &feedback[..]);
        for end in 0..status.len() {
            prop_assert!(StandbyStatusUpdate::decode(&status[..end]).is_err());
        }
        for end in 0..feedback.len() {
            prop_assert!(HotStandbyFeedback::decode(&feedback[..end]).is_err());
        }
    }

    #[test]
    fn law_4_bytes_after_a_message_are_trailing_or_left_over(
        frame in any_frame(),
        more in vec(any::<u8>(), 1..20),
    ) {
        let long_abort = frame.bytes[0] == b'A' && frame.bytes.len() > 9;
        let form = if long_abort { StreamAbortForm::Long } else { StreamAbortForm::Short };
        let alone = Message::decode(&frame.bytes, frame.in_stream)?;
        let longer = [&frame.bytes[..], &more].concat();
        let (message, rest) = Message::decode_prefix(&longer, frame.in_stream, form)?;
        prop_assert_eq!((message, rest), (alone, &more[..]));
        // After the short Stream Abort they would be the tail of the long one.
        if frame.bytes[0] != b'A' || long_abort {
            let error = Message::decode(&longer, frame.in_stream).expect_err("trailing bytes");
            prop_assert_eq!(error.kind(), ErrorKind::TrailingBytes { count: more.len() });
            prop_assert_eq!(error.offset(), frame.bytes.len());
        }
    }

    #[test]
    fn law_5_the_offset_of_an_error_is_within_the_frame(bytes in any_bytes()) {
        for error in errors(&bytes) {
            prop_assert!(error.offset() <= bytes.len(), "{} in {} bytes", error, bytes.len());
            prop_assert_eq!(error.tag().map(|tag| tag.0), bytes.first().copied());
            if let ErrorKind::Truncated { needed, available, .. } = error.kind() {
                prop_assert_eq!(available, bytes.len() - error.offset());
                prop_assert!(needed > available);
            }
        }
    }

    #[test]
    fn law_9_a_control_message_is_rejected_inside_a_chunk(
        bytes in select(&b"BCcAbPKrp"[..]).prop_flat_map(|kind| message(kind, false)),
    ) {
        prop_assert!(Message::decode(&bytes, false).is_ok());
        let error = Message::decode(&bytes, true).expect_err("outside only");
        prop_assert_eq!((error.kind(), error.offset()), (ErrorKind::InsideStream, 0));
    }

    #[test]
    fn law_9_start_and_stop_are_rejected_in_the_wrong_state(start in message(b'S', false)) {
        let mut decoder = Decoder::new();
        prop_assert_eq!(decoder.decode(b"E").unwrap_err().kind(), ErrorKind::StrayStreamStop);
        decoder.decode(&start)?;
        let xid = u32::from_be_bytes(start[1..5].try_into()?);
        prop_assert_eq!(decoder.stream_xid(), Some(Xid::new(xid)));
        prop_assert_eq!(decoder.decode(&start).unwrap_err().kind(), ErrorKind::NestedStreamStart);
        decoder.decode(b"E")?;
        prop_assert_eq!(decoder.stream_xid(), None);
    }
}
