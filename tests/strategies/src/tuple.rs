//! Rows.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::wire::Wire;

/// Any TupleData: the column count and the columns, each null, unchanged, text or binary, with any
/// bytes.
pub fn tuple() -> impl Strategy<Value = Vec<u8>> {
    vec(column(), 0..8).prop_map(|columns| {
        let start = Wire::default().columns(columns.len());
        columns.iter().fold(start, |wire, column| wire.bytes(column)).0
    })
}

fn column() -> impl Strategy<Value = Vec<u8>> {
    let value = || vec(any::<u8>(), 0..24);
    prop_oneof![
        1 => Just(vec![b'n']),
        1 => Just(vec![b'u']),
        2 => value().prop_map(|value| valued(b't', &value)),
        1 => "[0-9]{1,9}".prop_map(|text| valued(b't', text.as_bytes())),
        2 => value().prop_map(|value| valued(b'b', &value)),
    ]
}

fn valued(kind: u8, value: &[u8]) -> Vec<u8> {
    Wire::tagged(kind).length(value.len()).bytes(value).0
}
