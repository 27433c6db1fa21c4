//! Frames of the captures as starting points of fuzzing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Capture, load};

/// A file in `fuzz/seeds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The fuzz target.
    pub target: &'static str,
    /// A name that describes it.
    pub name: &'static str,
    /// The target's input.
    pub bytes: Vec<u8>,
}

impl Seed {
    /// Returns its path.
    pub fn path(&self) -> PathBuf {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
        seeds.join(self.target).join(self.name)
    }
}

/// Name, capture, section, and the frame: the n-th with this tag, from 0.
const FRAMES: [(&str, &str, &str, char, usize); 20] = [
    ("v10-copied-row", "10/proto1", "copy", 'I', 2),
    ("v10-update-of-key", "10/proto1", "update of the key", 'U', 0),
    ("v10-toast-unchanged", "10/proto1", "unchanged large value", 'U', 0),
    ("v11-truncate-cascade", "11/proto1", "truncate with cascade and restart identity", 'T', 0),
    ("v12-relation-odd-names", "12/proto1", "odd names", 'R', 0),
    ("v12-table-without-columns", "12/proto1", "table without columns", 'I', 0),
    ("v13-origin", "13/proto1", "replication origin", 'O', 0),
    (
        "v13-update-full-toast",
        "13/proto1",
        "unchanged large value with replica identity full",
        'U',
        0,
    ),
    ("v14-relation-of-all-types", "14/proto1-messages", "a column of each type", 'R', 0),
    ("v14-row-of-all-types", "14/proto1-messages", "a column of each type", 'I', 0),
    ("v14-row-of-all-types-binary", "14/proto1-messages-binary", "a column of each type", 'I', 0),
    ("v15-delete-by-index", "15/proto1-messages", "replica identity index", 'D', 0),
    ("v15-delete-full", "15/proto1-messages", "replica identity full", 'D', 0),
    ("v15-rollback-prepared", "15/proto3-two_phase", "prepared transaction rolled back", 'r', 0),
    (
        "v16-stream-abort-long",
        "16/proto4-parallel-two_phase-messages",
        "rolled back as a whole",
        'A',
        0,
    ),
    ("v16-type-of-domain", "16/proto1-messages", "types of one's own", 'Y', 1),
    ("v17-message-empty", "17/proto1-messages", "logical messages", 'M', 3),
    (
        "v17-message-in-chunk",
        "17/proto2-streaming-messages",
        "every kind of change in a large transaction",
        'M',
        1,
    ),
    (
        "v18-stream-prepare",
        "18/proto3-streaming-two_phase-messages",
        "large transaction prepared",
        'p',
        0,
    ),
    ("v18-row-of-nulls", "18/proto1-messages-binary", "a column of each type", 'I', 3),
];

/// Name, capture, first and last section: all frames of these.
const SEQUENCES: [(&str, &str, &str, &str); 6] = [
    ("v10-altered-table", "10/proto1", "altered table", "altered table"),
    (
        "v14-every-change-in-chunk",
        "14/proto2-streaming-messages",
        "every kind of change in a large transaction",
        "every kind of change in a large transaction",
    ),
    (
        "v15-streamed-and-prepared",
        "15/proto3-streaming-two_phase-messages",
        "large transaction prepared",
        "large prepared transaction rolled back",
    ),
    (
        "v16-streamed-savepoint-rolled-back-parallel",
        "16/proto4-parallel-two_phase-messages",
        "large transaction with a savepoint to be rolled back",
        "rolled back to the savepoint, and committed",
    ),
    (
        "v17-two-streamed-at-a-time",
        "17/proto4-streaming-two_phase",
        "two large transactions at a time",
        "two large transactions at a time",
    ),
    (
        "v18-streamed-from-origin-binary",
        "18/proto4-parallel-two_phase-messages-binary",
        "large transaction of a replication origin",
        "large transaction of a replication origin",
    ),
];

/// Returns all seeds, from the committed captures.
///
/// # Errors
/// If a capture cannot be read, or does not contain a frame.
pub fn seeds() -> io::Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for (name, file, title, tag, number) in FRAMES {
        let (capture, _) = load(file)?;
        let bytes = frame(&capture, title, tag, number).ok_or_else(|| missing(name))?;
        seeds.push(Seed { target: "frame", name, bytes });
    }
    for (name, file, first, last) in SEQUENCES {
        let (capture, _) = load(file)?;
        let place = |title| capture.sections.iter().position(|section| section.title == title);
        let sections = place(first).zip(place(last));
        let sections = sections.and_then(|(first, last)| capture.sections.get(first..=last));
        let frames = sections.ok_or_else(|| missing(name))?.iter().flat_map(|part| &part.frames);
        let bytes = pgoutput_fuzz_bodies::join(frames.map(|frame| &*frame.bytes));
        seeds.push(Seed { target: "sequence", name, bytes: bytes.clone() });
        seeds.push(Seed { target: "roundtrip", name, bytes });
    }
    Ok(seeds)
}

fn frame(capture: &Capture, title: &str, tag: char, number: usize) -> Option<Vec<u8>> {
    let frames = capture.section(title)?.frames.iter();
    let mut tagged =
        frames.filter(|frame| frame.bytes.first().map(|byte| char::from(*byte)) == Some(tag));
    tagged.nth(number).map(|frame| frame.bytes.clone())
}

fn missing(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("the captures hold nothing for the seed {name}"),
    )
}

/// Writes all seeds into `fuzz/seeds`.
///
/// # Errors
/// Those of [`seeds`], or if they cannot be written.
pub fn write_seeds() -> io::Result<()> {
    seeds()?.iter().try_for_each(|seed| fs::write(seed.path(), &seed.bytes))
}
