//! How a column is named: by its name or its place.

use alloc::string::{String, ToString};

use super::RowErrorKind;
use crate::Relation;

/// The name of a column (`str`, `String`) or its place in the table, from 0 (`usize`). Not to be implemented elsewhere.
///
/// Names are compared as PostgreSQL stores them: case matters.
pub trait RowIndex: sealed::Sealed {}

impl<T: sealed::Sealed + ?Sized> RowIndex for T {}

mod sealed {
    use super::{Relation, RowErrorKind, String, ToString};

    pub trait Sealed {
        /// The place in the table, if that has such a column.
        fn place(&self, relation: &Relation) -> Option<usize>;

        /// For error messages.
        fn written(&self) -> String;

        /// What is wrong when the table has no such column.
        fn missing(&self, _: &Relation) -> RowErrorKind {
            RowErrorKind::NoSuchColumn { wanted: self.written().into() }
        }
    }

    impl Sealed for usize {
        #[inline]
        fn place(&self, relation: &Relation) -> Option<usize> {
            Some(*self).filter(|place| *place < relation.columns().len())
        }

        fn written(&self) -> String {
            self.to_string()
        }

        fn missing(&self, relation: &Relation) -> RowErrorKind {
            RowErrorKind::NoSuchPlace { place: *self, columns: relation.columns().len() }
        }
    }

    impl Sealed for str {
        #[inline]
        fn place(&self, relation: &Relation) -> Option<usize> {
            relation.columns().iter().position(|column| *column.name == *self)
        }

        fn written(&self) -> String {
            self.into()
        }
    }

    impl Sealed for String {
        #[inline]
        fn place(&self, relation: &Relation) -> Option<usize> {
            self.as_str().place(relation)
        }

        fn written(&self) -> String {
            self.clone()
        }
    }

    impl<T: Sealed + ?Sized> Sealed for &T {
        #[inline]
        fn place(&self, relation: &Relation) -> Option<usize> {
            T::place(self, relation)
        }

        fn written(&self) -> String {
            T::written(self)
        }

        fn missing(&self, relation: &Relation) -> RowErrorKind {
            T::missing(self, relation)
        }
    }
}
