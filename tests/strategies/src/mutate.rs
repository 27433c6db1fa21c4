//! Damage to frames.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A way to damage a frame.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Cuts it off.
    Truncate(Index),
    /// Appends bytes.
    Extend(Vec<u8>),
    /// Flips one bit.
    Flip(Index, u8),
    /// Replaces the bytes between two indexes.
    Splice(Index, Index, Vec<u8>),
    /// Writes a number where a length or a count may be.
    Lie(Index, i32),
}

impl Mutation {
    /// Applies the damage.
    pub fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        match self {
            Self::Truncate(at) => bytes.truncate(at.index(len + 1)),
            Self::Extend(more) => bytes.extend(more),
            Self::Flip(at, bit) => {
                if let Some(byte) = (len > 0).then(|| &mut bytes[at.index(len)]) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Splice(one, other, with) => {
                let (one, other) = (one.index(len + 1), other.index(len + 1));
                bytes.splice(one.min(other)..one.max(other), with.iter().copied());
            }
            Self::Lie(at, number) => {
                let at = at.index(len + 1);
                let end = len.min(at + 4);
                bytes[at..end].copy_from_slice(&number.to_be_bytes()[..end - at]);
            }
        }
    }
}

/// Any mutation.
pub fn mutation() -> impl Strategy<Value = Mutation> {
    let few = || vec(any::<u8>(), 0..6);
    let numbers = select(&[-1, i32::MIN, i32::MAX, 0, 1, 0x7FFF_FFF0, 0x0001_0000][..]);
    prop_oneof![
        any::<Index>().prop_map(Mutation::Truncate),
        vec(any::<u8>(), 1..6).prop_map(Mutation::Extend),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (any::<Index>(), any::<Index>(), few())
            .prop_map(|(a, b, with)| Mutation::Splice(a, b, with)),
        (any::<Index>(), numbers).prop_map(|(at, number)| Mutation::Lie(at, number)),
    ]
}

/// The output of `base`, damaged one to three times.
pub fn mutated(base: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (base, vec(mutation(), 1..4)).prop_map(|(mut bytes, mutations)| {
        for mutation in mutations {
            mutation.apply(&mut bytes);
        }
        bytes
    })
}
