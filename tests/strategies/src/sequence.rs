//! Whole streams, as a walsender of one protocol version may send them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::message::{change, message};
use crate::wire::Wire;

/// Frames that are sent together, without another transaction between them.
type Segment = Vec<Vec<u8>>;

/// A legal sequence of messages of any protocol version, 1 to 4.
pub fn sequences() -> impl Strategy<Value = Vec<Vec<u8>>> {
    (1..=4_u8).prop_flat_map(sequence)
}

/// A legal sequence of messages of this protocol version. From version 2 on it includes in-progress
/// transactions in chunks, with subtransactions, interleaved with others. From 3 on it includes
/// two-phase commit of both, and in version 4 the longer form of Stream Abort.
pub fn sequence(version: u8) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec((transaction(version), any::<Index>()), 1..5).prop_map(|transactions| {
        let (mut waiting, order): (Vec<_>, Vec<_>) =
            transactions.into_iter().map(|(segments, index)| (segments.into_iter(), index)).unzip();
        let (mut frames, mut turn) = (Vec::new(), 0);
        // Each turn, one of the open transactions sends its next segment.
        while !waiting.is_empty() {
            let at = (order[turn % order.len()].index(usize::MAX) ^ turn) % waiting.len();
            match waiting[at].next() {
                Some(segment) => frames.extend(segment),
                None => drop(waiting.remove(at)),
            }
            turn += 1;
        }
        frames
    })
}

fn transaction(version: u8) -> BoxedStrategy<Vec<Segment>> {
    let plain = prop_oneof![3 => between(b'B', b'C', vec![]), 1 => outside()];
    if version == 1 {
        return plain.boxed();
    }
    if version == 2 {
        return prop_oneof![plain, streamed(version)].boxed();
    }
    let prepared = prop_oneof![between(b'b', b'P', vec![b'K']), between(b'b', b'P', vec![b'r'])];
    prop_oneof![plain, streamed(version), prepared].boxed()
}

/// A message of `pg_logical_emit_message` outside of any transaction.
fn outside() -> impl Strategy<Value = Vec<Segment>> {
    change(b'M', None).prop_map(|frame| vec![vec![frame]])
}

/// A transaction from its first to its last message, and what follows it later.
fn between(first: u8, last: u8, later: Vec<u8>) -> impl Strategy<Value = Vec<Segment>> {
    let origin = proptest::option::of(message(b'O', false));
    let later: Vec<_> = later.into_iter().map(|kind| message(kind, false)).collect();
    (message(first, false), origin, changes(None), message(last, false), later).prop_map(
        |(first, origin, changes, last, later)| {
            let whole = [first].into_iter().chain(origin).chain(changes).chain([last]).collect();
            [whole].into_iter().chain(later.into_iter().map(|frame| vec![frame])).collect()
        },
    )
}

/// An in-progress transaction in chunks, with aborts of subtransactions between the chunks.
fn streamed(version: u8) -> impl Strategy<Value = Vec<Segment>> {
    let end = if version < 3 { vec!["c", "A"] } else { vec!["c", "A", "pK", "pr"] };
    let chunks = |xid| vec((chunk(xid), proptest::option::weighted(0.3, any::<u32>())), 1..4);
    (any::<u32>(), any::<[u64; 2]>())
        .prop_flat_map(move |(xid, tail)| (Just(xid), Just(tail), chunks(xid), select(end.clone())))
        .prop_flat_map(move |(xid, tail, chunks, end)| {
            let abort = move |subxid: u32| {
                let wire = Wire::tagged(b'A').u32(xid).u32(subxid);
                if version < 4 { wire.0 } else { wire.u64(tail[0]).u64(tail[1]).0 }
            };
            let mut segments: Vec<Segment> = Vec::new();
            for (index, (changes, aborted)) in chunks.into_iter().enumerate() {
                let start = Wire::tagged(b'S').u32(xid).u8(u8::from(index == 0)).0;
                segments.push([start].into_iter().chain(changes).chain([vec![b'E']]).collect());
                segments.extend(aborted.map(|subxid| vec![abort(subxid)]));
            }
            let end: Vec<_> = end
                .bytes()
                .map(
                    |kind| {
                        if kind == b'A' { Just(abort(xid)).boxed() } else { message(kind, false) }
                    },
                )
                .collect();
            (Just(segments), end).prop_map(|(segments, end)| {
                segments.into_iter().chain(end.into_iter().map(|frame| vec![frame])).collect()
            })
        })
}

/// The content of a chunk: changes of the top transaction and of subtransactions, mixed.
fn chunk(xid: u32) -> impl Strategy<Value = Segment> {
    let origin = proptest::option::weighted(0.2, message(b'O', true));
    let part = prop_oneof![Just(xid), any::<u32>()];
    (origin, vec(part.prop_flat_map(|xid| any_change(Some(xid))), 0..5))
        .prop_map(|(origin, changes)| origin.into_iter().chain(changes).collect())
}

fn changes(xid: Option<u32>) -> impl Strategy<Value = Segment> {
    vec(any_change(xid), 0..6)
}

fn any_change(xid: Option<u32>) -> impl Strategy<Value = Vec<u8>> {
    select(&b"MRYIUDT"[..]).prop_flat_map(move |kind| change(kind, xid))
}
