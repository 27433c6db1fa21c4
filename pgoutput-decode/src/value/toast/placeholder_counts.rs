//! Counts of the placeholders of unchanged values that are accepted and refused while a row is
//! read.
//!
//! `serde` reads from its buffers without the deserialiser that filled them, and drops errors
//! inside a flattened `Option` and when it tries one variant of an enum after the other. The code
//! that accepts a placeholder, and the error that refuses one, therefore count it here, in a
//! thread-local.

use core::cell::Cell;
use std::thread_local;

/// How many placeholders were accepted and refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Accepted by a `Toast`.
    pub(crate) taken: usize,
    /// Refused by any other type.
    pub(crate) refused: usize,
}

thread_local! {
    static MARKS: Cell<Marks> = const { Cell::new(Marks { taken: 0, refused: 0 }) };
}

pub(crate) fn taken() {
    let marks = MARKS.get();
    MARKS.set(Marks { taken: marks.taken.saturating_add(1), ..marks });
}

pub(crate) fn refused() {
    let marks = MARKS.get();
    MARKS.set(Marks { refused: marks.refused.saturating_add(1), ..marks });
}

/// Counts the placeholders of one row. A row being read around it does not count them.
pub(crate) struct Watch {
    outer: Marks,
}

impl Watch {
    #[inline]
    pub(crate) fn start() -> Self {
        Self { outer: MARKS.take() }
    }

    /// Returns the counts since the start.
    #[inline]
    pub(crate) fn end(self) -> Marks {
        MARKS.replace(self.outer)
    }
}
