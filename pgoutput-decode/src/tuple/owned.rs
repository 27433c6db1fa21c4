//! Tuples that own their bytes.

use alloc::vec::Vec;
use core::fmt;

use super::{KeyTuple, OldTuple, TupleData};

/// A tuple that owns its bytes: a copy of one in a frame, or built column by column with the
/// feature `encode`. Reading its columns cannot fail.
///
/// ```
/// use pgoutput_decode::{Message, TupleBuf};
///
/// let frame = b"I\0\0\x40\x13N\0\x02t\0\0\0\x011n".to_vec();
/// let Message::Insert(insert) = Message::decode(&frame, false)? else { panic!() };
/// let row = TupleBuf::from(insert.new);
/// assert_eq!(row.as_tuple(), insert.new);
/// # Ok::<(), pgoutput_decode::DecodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TupleBuf {
    pub(crate) columns: u16,
    pub(crate) bytes: Vec<u8>,
}

/// The old row of a change with a copy of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldTupleBuf {
    /// `K`: the columns of the replica identity.
    Key(TupleBuf),
    /// `O`: the whole row.
    Full(TupleBuf),
}

impl From<TupleData<'_>> for TupleBuf {
    fn from(tuple: TupleData<'_>) -> Self {
        Self { columns: tuple.columns, bytes: tuple.bytes.into() }
    }
}

impl TupleBuf {
    /// Returns the row.
    #[inline]
    pub fn as_tuple(&self) -> TupleData<'_> {
        TupleData { columns: self.columns, bytes: &self.bytes }
    }
}

impl From<OldTuple<'_>> for OldTupleBuf {
    fn from(old: OldTuple<'_>) -> Self {
        match old {
            OldTuple::Key(key) => Self::Key(key.full_width().into()),
            OldTuple::Full(tuple) => Self::Full(tuple.into()),
        }
    }
}

impl OldTupleBuf {
    /// Returns the row.
    #[inline]
    pub fn as_old(&self) -> OldTuple<'_> {
        match self {
            Self::Key(key) => OldTuple::Key(KeyTuple(key.as_tuple())),
            Self::Full(tuple) => OldTuple::Full(tuple.as_tuple()),
        }
    }
}

impl fmt::Debug for TupleBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tuple().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn both_kinds_of_old_rows_are_kept_as_they_are() {
        for kind in [b'K', b'O'] {
            let mut frame = b"D\0\0\x40\x13".to_vec();
            frame.push(kind);
            frame.extend(b"\0\x03t\0\0\0\x017nb\0\0\0\0");
            let Message::Delete(delete) = Message::decode(&frame, false).unwrap() else { panic!() };
            let kept = OldTupleBuf::from(delete.old);
            assert_eq!(kept.as_old(), delete.old);
            assert_eq!(matches!(kept, OldTupleBuf::Key(_)), kind == b'K');
        }
    }
}
