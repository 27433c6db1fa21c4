//! Old rows, and the kinds of tuples.

use core::fmt;

use super::{TupleColumn, TupleData};
use crate::column::ColumnFlags;

/// The kind of a tuple: which row of a change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TupleKind {
    /// `K`: the key of the old row. Only the columns of the replica identity have values; the
    /// others are NULL.
    Key,
    /// `O`: the whole old row (`REPLICA IDENTITY FULL`).
    Old,
    /// `N`: the new row.
    New,
}

/// The old row of a change, with the columns that the table's replica identity puts into the WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldTuple<'a> {
    /// `K`: the columns of the replica identity (the primary key, or the index chosen for it).
    Key(KeyTuple<'a>),
    /// `O`: the whole row (`REPLICA IDENTITY FULL`).
    Full(TupleData<'a>),
}

/// The key columns of an old row.
///
/// On the wire a key tuple is as wide as the table, with NULL for every column outside the key.
/// These NULLs are not values. Only [`full_width`](Self::full_width) returns them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyTuple<'a>(pub(crate) TupleData<'a>);

impl<'a> KeyTuple<'a> {
    /// Returns the key columns with their indexes in the table, from 0. `flags` are those of the
    /// Relation message.
    ///
    /// The result ends with the shorter of the two. Compare the widths first if they may differ.
    ///
    /// ```
    /// use pgoutput_decode::{ColumnFlags, Decoder, Message, OldTuple, TupleColumn};
    ///
    /// let frame = b"D\0\0\x40\x13K\0\x02t\0\0\0\x017n";
    /// let Message::Delete(delete) = Decoder::new().decode(frame)? else { panic!() };
    /// let OldTuple::Key(key) = delete.old else { panic!() };
    /// let columns: Vec<_> = key.columns([ColumnFlags::KEY, ColumnFlags(0)]).collect();
    /// assert_eq!(columns, [(0, TupleColumn::Text(b"7"))]);
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    pub fn columns<I>(
        &self,
        flags: I,
    ) -> impl Iterator<Item = (usize, TupleColumn<'a>)> + use<'a, I>
    where
        I: IntoIterator<Item = ColumnFlags>,
    {
        self.0
            .columns()
            .zip(flags)
            .enumerate()
            .filter(|(_, (_, flags))| flags.is_key())
            .map(|(index, (column, _))| (index, column))
    }

    /// Returns the tuple as received, with NULL for columns outside the key.
    pub const fn full_width(&self) -> TupleData<'a> {
        self.0
    }
}

impl fmt::Debug for KeyTuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
