//! The committed captures: every frame of real servers obeys the laws of decoding.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p pgoutput-tests --test captures` writes the readings.

use std::collections::BTreeSet;

use pgoutput_decode::{
    Decoder, Message, OldTuple, Relations, StreamAbortForm, TupleColumn, TupleData,
};
use pgoutput_tests::capture::{Capture, Variant, file_names, load, reading, seeds, store};

/// The first bytes of the messages in each capture, in the order of the manual's sections on
/// transactions, rows, streams and two-phase commit. They are the same for every major with this
/// version and these options.
const KINDS: [(&str, &str); 11] = [
    ("proto1", "BCORYIUDT"),
    ("proto1-messages", "BCOMRYIUDT"),
    ("proto1-messages-binary", "BCOMRYIUDT"),
    ("proto2-streaming-messages", "BCOMRYIUDTSEcA"),
    ("proto2-streaming-messages-binary", "BCOMRYIUDTSEcA"),
    ("proto3-two_phase", "BCORYIUDTbPKr"),
    ("proto3-streaming-two_phase-messages", "BCOMRYIUDTSEcAbPKrp"),
    ("proto4-streaming-two_phase", "BCORYIUDTSEcAbPKrp"),
    ("proto4-parallel-two_phase-messages", "BCOMRYIUDTSEcAbPKrp"),
    ("proto4-parallel-two_phase-messages-binary", "BCOMRYIUDTSEcAbPKrp"),
    ("proto4-parallel-origin_none", "BCRYIUDTSEcA"),
];

/// The tags of all messages.
const ALL_KINDS: &str = "BCOMRYIUDTSEcAbPKrp";

fn captures() -> Vec<(String, Capture)> {
    let names = file_names().unwrap();
    names.into_iter().map(|name| (name.clone(), load(&name).unwrap().0)).collect()
}

/// Calls `check` with every frame, and whether it is in a chunk.
fn every_frame(check: impl Fn(&[u8], bool)) {
    for (name, capture) in captures() {
        let mut decoder = Decoder::new();
        for section in &capture.sections {
            // Shown when a check fails.
            println!("{name}: {}", section.title);
            for frame in &section.frames {
                check(&frame.bytes, decoder.stream_xid().is_some());
                decoder.decode(&frame.bytes).unwrap();
            }
        }
    }
}

#[test]
fn every_major_and_variant_has_a_capture() {
    let majors = pgoutput_harness::MAJORS;
    let mut names: Vec<_> = majors
        .flat_map(|major| Variant::of_major(major).map(move |v| format!("{major}/{}", v.name)))
        .collect();
    names.sort();
    assert_eq!(file_names().unwrap(), names);
}

#[test]
fn each_capture_contains_its_kinds_of_message() {
    for (name, capture) in captures() {
        let (major, variant) = name.split_once('/').unwrap();
        let found: BTreeSet<char> =
            capture.frames().map(|frame| char::from(frame.bytes[0])).collect();
        let (_, kinds) = KINDS.iter().find(|(of, _)| *of == variant).expect(variant);
        // Truncate is sent from 11 on.
        let kinds = kinds.chars().filter(|kind| major != "10" || *kind != 'T');
        assert_eq!(found, kinds.collect(), "{name}");
    }
    let all: BTreeSet<char> = KINDS.iter().flat_map(|(_, kinds)| kinds.chars()).collect();
    assert_eq!(all, ALL_KINDS.chars().collect());
    assert_eq!(ALL_KINDS.len(), 19);
}

/// Beyond the kinds of message, the forms of tuples and columns.
#[test]
fn each_capture_contains_every_form_of_a_row() {
    for (name, capture) in captures() {
        let binary = name.ends_with("-binary");
        let mut found = BTreeSet::new();
        let mut mixed = false;
        let mut decoder = Decoder::new();
        for frame in capture.frames() {
            let (old, new) = match decoder.decode(&frame.bytes).unwrap() {
                Message::Insert(body) => (None, Some(body.new)),
                Message::Update(body) => (body.old, Some(body.new)),
                Message::Delete(body) => (Some(body.old), None),
                _ => continue,
            };
            found.extend(match old {
                Some(OldTuple::Key(_)) => Some("key"),
                Some(OldTuple::Full(_)) => Some("full"),
                None => None,
            });
            let forms = new.into_iter().flat_map(|row| row.columns()).map(|column| match column {
                TupleColumn::Null => "null",
                TupleColumn::Unchanged => "unchanged",
                TupleColumn::Text(_) => "text",
                TupleColumn::Binary(_) => "binary",
            });
            let forms: BTreeSet<_> = forms.collect();
            mixed |= forms.is_superset(&["text", "binary"].into());
            found.extend(forms);
        }
        let mut all = BTreeSet::from(["key", "full", "null", "unchanged", "text"]);
        all.extend(binary.then_some("binary"));
        assert_eq!(found, all, "{name}");
        assert_eq!(mixed, binary, "{name}: text and binary in one row");
    }
}

#[test]
fn readings_match_the_reviewed_ones() {
    let update = std::env::var("UPDATE_SNAPSHOTS").is_ok_and(|value| value == "1");
    for name in file_names().unwrap() {
        let (capture, reviewed) = load(&name).unwrap();
        if update {
            store(&name, &capture).unwrap();
            continue;
        }
        let now = reading(&capture);
        for (number, (now, reviewed)) in (1..).zip(now.lines().zip(reviewed.lines())) {
            assert_eq!(now, reviewed, "{name}.txt, line {number}");
        }
        assert_eq!(now.lines().count(), reviewed.lines().count(), "{name}.txt");
    }
}

#[test]
fn fuzz_seeds_are_frames_of_captures() {
    for seed in seeds().unwrap() {
        let path = seed.path();
        let committed = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{}: {error}: run capture --seeds", path.display()));
        assert_eq!(committed, seed.bytes, "{}: run capture --seeds", path.display());
    }
}

#[test]
fn law_2_a_rejected_frame_leaves_the_decoder_unchanged() {
    for (name, capture) in captures() {
        let mut decoder = Decoder::new();
        for frame in capture.frames() {
            let before = decoder;
            let mut longer = frame.bytes.clone();
            longer.push(0);
            decoder.decode(&frame.bytes[..frame.bytes.len() - 1]).unwrap_err();
            decoder.decode(&longer).unwrap_err();
            assert_eq!(decoder, before, "{name}, {}", frame.lsn);
            decoder.decode(&frame.bytes).unwrap();
        }
        assert_eq!(decoder, Decoder::new(), "{name}: nothing is left open");
    }
}

#[test]
fn law_3_every_frame_is_encoded_to_the_same_bytes() {
    every_frame(|frame, in_stream| {
        let message = Message::decode(frame, in_stream).unwrap();
        assert_eq!(message.to_bytes().unwrap(), frame, "{message:?}");
    });
}

#[test]
fn law_4_every_strict_prefix_is_rejected() {
    const SHORT_STREAM_ABORT: usize = 9;
    every_frame(|frame, in_stream| {
        for length in 0..frame.len() {
            let accepted = Message::decode(&frame[..length], in_stream).is_ok();
            let short_form = frame[0] == b'A' && length == SHORT_STREAM_ABORT;
            assert_eq!(accepted, short_form, "{length} bytes of {frame:02x?}");
        }
    });
}

/// A frame with the wrong in-stream bit is rejected, unless its bytes are valid in both states.
/// Those frames are:
///
/// - Origin, which is the same in both states;
/// - Relation and Type outside a chunk with a schema name of four bytes or more: these bytes are
///   then read as the table's oid, and its oid as the transaction's id;
/// - Message outside a chunk with a prefix of four bytes or more, in the same way;
/// - Message in a chunk whose LSN ends in four bytes other than zero that are UTF-8, which are then
///   read as the start of the prefix.
///
/// The messages around them are always rejected, and so is every capture as a whole.
#[test]
fn law_9_the_wrong_in_stream_bit_is_rejected() {
    every_frame(|frame, in_stream| {
        let right = Message::decode(frame, in_stream).unwrap();
        let wrong = Message::decode(frame, !in_stream);
        let is_ambiguous = match right {
            Message::Origin(_) => {
                assert_eq!(wrong, Ok(right));
                true
            }
            Message::Relation(body) => !in_stream && body.wire_namespace.len() >= 4,
            Message::Type(body) => !in_stream && body.wire_namespace.len() >= 4,
            Message::Message(body) if in_stream => {
                let low = body.lsn.as_u64().to_be_bytes();
                let low = &low[4..];
                !low.contains(&0) && std::str::from_utf8(low).is_ok()
            }
            Message::Message(body) => body.prefix.len() >= 4,
            _ => false,
        };
        assert_eq!(wrong.is_ok(), is_ambiguous, "{right:?} as {wrong:?}");
    });
}

#[test]
fn law_9_a_capture_is_rejected_with_the_wrong_in_stream_bit() {
    for (name, capture) in captures() {
        let mut decoder = Decoder::new();
        decoder.decode(b"S\0\0\x03\x09\x01").unwrap();
        let first = capture.frames().next().unwrap();
        assert!(decoder.decode(&first.bytes).is_err(), "{name}: opened in the middle of a chunk");
        let outside: Vec<_> = capture.frames().filter(|frame| frame.bytes[0] != b'S').collect();
        let mut decoder = Decoder::new();
        let refused = outside.iter().any(|frame| decoder.decode(&frame.bytes).is_err());
        assert_eq!(refused, outside.len() < capture.frames().count(), "{name}: without its starts");
    }
}

#[test]
fn frames_are_decoded_from_one_slice() {
    for (name, capture) in captures() {
        let form =
            if capture.is_parallel() { StreamAbortForm::Long } else { StreamAbortForm::Short };
        let bytes: Vec<u8> = capture.frames().flat_map(|frame| frame.bytes.clone()).collect();
        let (mut one, mut all, mut rest) = (Decoder::new(), Decoder::new(), &*bytes);
        for frame in capture.frames() {
            let expected = one.decode(&frame.bytes).unwrap();
            let message;
            (message, rest) = all.decode_prefix(rest, form).unwrap();
            assert_eq!(message, expected, "{name}, {}", frame.lsn);
        }
        assert!(rest.is_empty(), "{name}");
    }
}

#[test]
fn every_row_has_the_columns_of_its_table() {
    for (name, capture) in captures() {
        let (mut decoder, mut relations) = (Decoder::new(), Relations::new());
        for frame in capture.frames() {
            let message = decoder.decode(&frame.bytes).unwrap();
            let rows = match &message {
                Message::Relation(body) => {
                    relations.update(body);
                    continue;
                }
                Message::Insert(body) => (body.relation, [Some(body.new), None]),
                Message::Update(body) => (body.relation, [Some(body.new), body.old.map(full)]),
                Message::Delete(body) => (body.relation, [Some(full(body.old)), None]),
                Message::Truncate(body) => {
                    let known = body.relations.iter().all(|table| relations.get(table).is_some());
                    assert!(known, "{name}, {}: {message:?}", frame.lsn);
                    continue;
                }
                _ => continue,
            };
            let table = relations.get(rows.0).expect("described before its rows");
            for row in rows.1.into_iter().flatten() {
                assert_eq!(row.len(), table.columns().len(), "{name}, {}", frame.lsn);
                assert_eq!(row.columns().count(), row.len(), "{name}, {}", frame.lsn);
            }
        }
    }
}

fn full(tuple: OldTuple<'_>) -> TupleData<'_> {
    match tuple {
        OldTuple::Key(key) => key.full_width(),
        OldTuple::Full(row) => row,
    }
}
