//! What became of the marks of unchanged values while one row was read.
//!
//! A buffer of `serde` is asked without the deserialiser that filled it, and drops errors: inside of a flattened `Option`,
//! and of enums that try one variant after the other. So those who take marks and the error that refuses them note it
//! here, for the thread that reads.

use core::cell::Cell;
use std::thread_local;

/// How often a mark was taken and refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// By a `Toast`.
    pub(crate) taken: usize,
    /// By anything else.
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

/// Counts the marks of one reading; one around it, of another row, does not see them.
pub(crate) struct Watch {
    outer: Marks,
}

impl Watch {
    #[inline]
    pub(crate) fn start() -> Self {
        Self { outer: MARKS.take() }
    }

    /// What became of the marks since the start.
    #[inline]
    pub(crate) fn end(self) -> Marks {
        MARKS.replace(self.outer)
    }
}
