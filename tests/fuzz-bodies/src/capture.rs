//! Capture files: raw bytes, and records with correct checksums.

use std::io::Cursor;

use pgoutput_decode::Decoder;
use pgoutput_reader::{CapturedFrame, CapturedFrames, Reader, SchemaOutput, SpillOptions};

use crate::split;

/// The magic number and the version.
const START: &[u8] = b"PGOCAP\r\n\0\0\0\x01";

/// The payload of the header of generated captures.
const HEADER: &str = "capture\u{0}7\0file\u{0}1\0server_version_num\u{0}150018\0\
    system_identifier\u{0}7\0timeline\u{0}1\0database\0app\0slot\0s\0publication\0p\0";

/// Reads any bytes as a capture file.
pub fn capture_file(bytes: &[u8]) {
    check(bytes);
}

/// Replays a capture of these records: of each, [`split`] returns the kind and the payload.
pub fn capture_records(bytes: &[u8]) {
    check(&capture_of(bytes));
}

/// Returns the capture file with these records, in the form that [`split`] reads, after a header.
pub fn capture_of(records: &[u8]) -> Vec<u8> {
    let mut file = START.to_vec();
    let mut checksum = continued(0, START);
    let header = [b"H", HEADER.as_bytes()].concat();
    for record in std::iter::once(&*header).chain(split(records)) {
        let Some((kind, payload)) = record.split_first() else { continue };
        let length = u32::try_from(payload.len()).expect("a short payload");
        let head = [&[*kind][..], &length.to_be_bytes(), &[0; 8]].concat();
        checksum = continued(checksum, &head);
        file.extend(head);
        file.extend(checksum.to_be_bytes());
        checksum = continued(checksum, payload);
        file.extend(payload);
        file.extend(checksum.to_be_bytes());
    }
    file
}

fn continued(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// Two replays of the same file give the same, and an error is the last item.
fn check(file: &[u8]) {
    let first = replay(file, SchemaOutput::Each);
    assert_eq!(first, replay(file, SchemaOutput::Each), "a replay is repeatable");
    replay(file, SchemaOutput::Once);
    frames(file);
}

/// Returns the events as JSON, and the error at the end.
fn replay(file: &[u8], schema: SchemaOutput) -> Vec<String> {
    let builder = Reader::replay_from(Cursor::new(file.to_vec()))
        .schema_output(schema)
        .schema_changes(true)
        .commits(true)
        .spill(SpillOptions::new().memory_limit(0).limit(1 << 20));
    let mut items = Vec::new();
    match builder.open() {
        Ok(mut reader) => {
            for event in &mut reader {
                let is_error = event.is_err();
                items.push(match event {
                    Ok(event) => serde_json::to_string(&event).unwrap_or_else(|e| e.to_string()),
                    Err(error) => error.to_string(),
                });
                if is_error {
                    break;
                }
            }
            assert!(reader.next().is_none(), "the reader ends after its end");
        }
        Err(error) => items.push(error.to_string()),
    }
    items
}

/// Reads the undecoded messages.
fn frames(file: &[u8]) {
    let Ok(mut frames) = CapturedFrames::new(Cursor::new(file.to_vec()), "fuzzed") else { return };
    let mut decoder = Decoder::new();
    while let Ok(Some(frame)) = frames.next_frame() {
        match frame {
            CapturedFrame::Message { frame, .. } | CapturedFrame::Known(frame) => {
                let _ = decoder.decode(frame.data);
            }
            CapturedFrame::Restarted { .. } => decoder = Decoder::new(),
            _ => {}
        }
    }
}
