//! Reference to a column by its name or its index.

use alloc::string::{String, ToString};

use super::RowErrorKind;
use crate::relation::{Column, Relation};

/// The name of a column (`str`, `String`) or its index in the table, from 0 (`usize`). The trait is
/// sealed.
///
/// Names are compared as PostgreSQL stores them: case matters.
pub trait RowIndex: sealed::Sealed {}

impl<T: sealed::Sealed + ?Sized> RowIndex for T {}

mod sealed {
    use super::{Column, Relation, RowErrorKind, String, ToString};

    pub trait Sealed {
        /// Returns whether it refers to the column at this index.
        fn is(&self, column_index: usize, column: &Column) -> bool;

        /// Returns the text for error messages.
        fn written(&self) -> String;

        /// Returns the reason of the error if the table has no such column.
        fn missing(&self, _: &Relation) -> RowErrorKind {
            RowErrorKind::NoSuchColumn { wanted: self.written().into() }
        }
    }

    impl Sealed for usize {
        #[inline]
        fn is(&self, column_index: usize, _: &Column) -> bool {
            *self == column_index
        }

        fn written(&self) -> String {
            self.to_string()
        }

        fn missing(&self, relation: &Relation) -> RowErrorKind {
            RowErrorKind::NoSuchIndex { index: *self, columns: relation.columns().len() }
        }
    }

    impl Sealed for str {
        #[inline]
        fn is(&self, _: usize, column: &Column) -> bool {
            *column.name == *self
        }

        fn written(&self) -> String {
            self.into()
        }
    }

    impl Sealed for String {
        #[inline]
        fn is(&self, column_index: usize, column: &Column) -> bool {
            self.as_str().is(column_index, column)
        }

        fn written(&self) -> String {
            self.clone()
        }
    }

    impl<T: Sealed + ?Sized> Sealed for &T {
        #[inline]
        fn is(&self, column_index: usize, column: &Column) -> bool {
            T::is(self, column_index, column)
        }

        fn written(&self) -> String {
            T::written(self)
        }

        fn missing(&self, relation: &Relation) -> RowErrorKind {
            T::missing(self, relation)
        }
    }
}
