//! Unchanged values that were refused, and the refusal dropped: `serde` makes `None` of a flattened `Option` then, and
//! goes on to the next variant of an untagged enum.

use alloc::vec::Vec;

use serde::de::Deserialize;

use super::failure::Failure;
use super::{RowDeserializer, StandIn};
use crate::tuple::TupleColumn;
use crate::value::placeholder_counts::{Marks, Watch};

/// The error of a row that was read although an unchanged value was refused, if no `Toast` has taken that value since.
pub(super) fn refused<'a, T: Deserialize<'a>>(
    row: RowDeserializer<'a, '_>,
    marks: Marks,
) -> Option<Failure> {
    // A mark does not say whose it is. Where `Toast`s have taken some, the refusals may be those of enums that tried other
    // variants before. With NULL in the place of a mark that is taken, fewer are taken; with NULL in the place of all
    // others, fewer are refused if one of these was.
    if marks.taken > 0 {
        let read = |null: &[usize]| {
            let row = RowDeserializer { stand_in: Some(StandIn::Null(null)), ..row };
            let watch = Watch::start();
            drop(T::deserialize(row));
            watch.end()
        };
        let unchanged = row.row.columns().filter(|column| column.value == TupleColumn::Unchanged);
        let not_taken: Vec<_> = unchanged
            .map(|column| column.index)
            .filter(|index| read(&[*index]).taken >= marks.taken)
            .collect();
        if read(&not_taken).refused >= marks.refused {
            return None;
        }
    }
    Some(Failure::mark())
}
