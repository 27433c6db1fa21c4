//! Single messages.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::tuple::tuple;
use crate::wire::{Wire, name};

/// The tags of all 19 messages.
pub const KINDS: [u8; 19] = *b"BMCORYIUDTSEcAbPKrp";

/// The seven kinds that carry a transaction id inside a chunk.
const WITH_STREAM_XID: &[u8] = b"MRYIUDT";

/// A frame, and the state it is sent in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is between Stream Start and Stream Stop.
    pub in_stream: bool,
    /// One whole message.
    pub bytes: Vec<u8>,
}

/// Any valid message in either state.
pub fn any_frame() -> impl Strategy<Value = Frame> {
    any::<bool>().prop_flat_map(frame)
}

/// Any valid message in this state.
pub fn frame(in_stream: bool) -> impl Strategy<Value = Frame> {
    let kinds: Vec<u8> = if in_stream {
        WITH_STREAM_XID.iter().chain(b"OE").copied().collect()
    } else {
        KINDS.into_iter().filter(|&kind| kind != b'E').collect()
    };
    select(kinds)
        .prop_flat_map(move |kind| message(kind, in_stream))
        .prop_map(move |bytes| Frame { in_stream, bytes })
}

/// Any valid message of this kind, with arbitrary numbers and flags.
///
/// # Panics
/// If `kind` is not in [`KINDS`].
pub fn message(kind: u8, in_stream: bool) -> BoxedStrategy<Vec<u8>> {
    let xid = if in_stream { any::<u32>().prop_map(Some).boxed() } else { Just(None).boxed() };
    match kind {
        b'M' | b'R' | b'Y' | b'I' | b'U' | b'D' | b'T' => {
            xid.prop_flat_map(move |xid| change(kind, xid)).boxed()
        }
        _ => control(kind),
    }
}

/// One of the seven kinds, with or without the id before it.
pub(crate) fn change(kind: u8, xid: Option<u32>) -> BoxedStrategy<Vec<u8>> {
    let start = Wire::tagged(kind).stream_xid(xid);
    match kind {
        b'M' => (any::<u8>(), any::<u64>(), name(), vec(any::<u8>(), 0..40))
            .prop_map(move |(flags, lsn, prefix, content)| {
                let wire = start.clone().u8(flags).u64(lsn).string(&prefix);
                wire.length(content.len()).bytes(&content).0
            })
            .boxed(),
        b'R' => (any::<u32>(), name(), name(), any::<u8>(), vec(relation_column(), 0..6))
            .prop_map(move |(oid, namespace, name, identity, columns)| {
                let wire = start.clone().u32(oid).string(&namespace).string(&name).u8(identity);
                columns.iter().fold(wire.columns(columns.len()), |wire, it| wire.bytes(it)).0
            })
            .boxed(),
        b'Y' => (any::<u32>(), name(), name())
            .prop_map(move |(oid, namespace, name)| {
                start.clone().u32(oid).string(&namespace).string(&name).0
            })
            .boxed(),
        b'T' => (any::<u8>(), vec(any::<u32>(), 0..5))
            .prop_map(move |(flags, oids)| {
                let wire = start.clone().length(oids.len()).u8(flags);
                oids.into_iter().fold(wire, Wire::u32).0
            })
            .boxed(),
        b'I' => row(start, vec![b'N']),
        b'U' => prop_oneof![row(start.clone(), vec![b'N']), old_and_new(start)].boxed(),
        b'D' => select(&b"KO"[..]).prop_flat_map(move |old| row(start.clone(), vec![old])).boxed(),
        other => panic!("'{}' is not one of the seven kinds", other.escape_ascii()),
    }
}

fn old_and_new(start: Wire) -> impl Strategy<Value = Vec<u8>> {
    select(&b"KO"[..]).prop_flat_map(move |old| row(start.clone(), vec![old, b'N']))
}

/// A relation id, and a tuple after each of these letters.
fn row(start: Wire, letters: Vec<u8>) -> BoxedStrategy<Vec<u8>> {
    let count = letters.len();
    (any::<u32>(), vec(tuple(), count))
        .prop_map(move |(relation, tuples)| {
            letters
                .iter()
                .zip(tuples)
                .fold(start.clone().u32(relation), |wire, (&letter, tuple)| {
                    wire.u8(letter).bytes(&tuple)
                })
                .0
        })
        .boxed()
}

fn relation_column() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), name(), any::<u32>(), any::<i32>()).prop_map(|(flags, name, oid, modifier)| {
        Wire::default().u8(flags).string(&name).u32(oid).bytes(&modifier.to_be_bytes()).0
    })
}

/// One of the messages without the id of a subtransaction before them.
fn control(kind: u8) -> BoxedStrategy<Vec<u8>> {
    let layout: &'static str = match kind {
        b'B' => "884",
        b'C' => "1888",
        b'O' => "8s",
        b'S' => "41",
        b'E' => "",
        b'c' => "41888",
        b'A' => {
            return prop_oneof![fields(kind, "44"), fields(kind, "4488")].boxed();
        }
        b'b' => "8884s",
        b'P' | b'p' | b'K' => "18884s",
        b'r' => "188884s",
        other => panic!("'{}' is not a message", other.escape_ascii()),
    };
    fields(kind, layout)
}

/// Fields of the given sizes in bytes, `s` for a name.
fn fields(kind: u8, layout: &'static str) -> BoxedStrategy<Vec<u8>> {
    (vec(any::<u64>(), layout.len()), name())
        .prop_map(move |(numbers, name)| {
            let start = Wire::tagged(kind);
            layout
                .bytes()
                .zip(numbers)
                .fold(start, |wire, (width, number)| match width {
                    b's' => wire.string(&name),
                    _ => wire.bytes(&number.to_be_bytes()[8 - usize::from(width - b'0')..]),
                })
                .0
        })
        .boxed()
}
