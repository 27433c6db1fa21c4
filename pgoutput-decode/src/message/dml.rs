//! Insert, Update, Delete, Truncate.
//!
//! Nearly all messages of a stream are whole frames of the three kinds of rows. They are first read
//! by functions that only distinguish valid from invalid, which is faster than being able to create
//! an error. An invalid frame is read again for its error.

use core::fmt;
use core::iter::FusedIterator;

use byteorder::{BigEndian, ByteOrder};

use super::stream_xid;
use crate::cursor::{Cursor, split_u32};
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::{Oid, Xid};
use crate::message::Message;
use crate::tuple::{KeyTuple, OldTuple, TupleColumn, TupleData, TupleKind};

/// Decodes a frame that is an Insert.
pub(super) fn insert(frame: &[u8], in_stream: bool) -> Result<Message<'_>, DecodeError> {
    insert_with(frame, in_stream, |_, _| ())
}

/// Decodes a frame that is an Update.
pub(super) fn update(frame: &[u8], in_stream: bool) -> Result<Message<'_>, DecodeError> {
    update_with(frame, in_stream, |_, _| ())
}

/// Decodes a frame that is a Delete.
pub(super) fn delete(frame: &[u8], in_stream: bool) -> Result<Message<'_>, DecodeError> {
    delete_with(frame, in_stream, |_, _| ())
}

/// Does the same as [`insert`], and passes the columns to `each`.
#[inline]
pub(super) fn insert_with<'a>(
    frame: &'a [u8],
    in_stream: bool,
    each: impl FnMut(TupleKind, TupleColumn<'a>),
) -> Result<Message<'a>, DecodeError> {
    let body = || {
        // Reads the row before the ids, so that no register holds the ids during the walk over the
        // columns.
        let new = last_tuple(frame.get(if in_stream { 9 } else { 5 }..)?, each)?;
        let (xid, relation, _) = change(frame, in_stream)?;
        Some(InsertBody { xid, relation, new })
    };
    match body() {
        Some(body) => Ok(Message::Insert(body)),
        None => Message::decode_other(frame, in_stream),
    }
}

/// Does the same as [`update`], and passes the columns to `each`.
#[inline]
pub(super) fn update_with<'a>(
    frame: &'a [u8],
    in_stream: bool,
    mut each: impl FnMut(TupleKind, TupleColumn<'a>),
) -> Result<Message<'a>, DecodeError> {
    let body = || {
        let (xid, relation, rest) = change(frame, in_stream)?;
        let (old, rest) = match rest.first()? {
            b'N' => (None, rest),
            _ => old_tuple_of(rest, &mut each).map(|(old, rest)| (Some(old), rest))?,
        };
        Some(UpdateBody { xid, relation, old, new: last_tuple(rest, each)? })
    };
    match body() {
        Some(body) => Ok(Message::Update(body)),
        None => Message::decode_other(frame, in_stream),
    }
}

/// Does the same as [`delete`], and passes the columns to `each`.
#[inline]
pub(super) fn delete_with<'a>(
    frame: &'a [u8],
    in_stream: bool,
    each: impl FnMut(TupleKind, TupleColumn<'a>),
) -> Result<Message<'a>, DecodeError> {
    let body = || {
        let (xid, relation, rest) = change(frame, in_stream)?;
        let (old, rest) = old_tuple_of(rest, each)?;
        rest.is_empty().then_some(DeleteBody { xid, relation, old })
    };
    match body() {
        Some(body) => Ok(Message::Delete(body)),
        None => Message::decode_other(frame, in_stream),
    }
}

/// Reads the fields before a change's tuples, and returns them with the bytes of the tuples.
#[inline]
fn change(frame: &[u8], in_stream: bool) -> Option<(Option<Xid>, Oid, &[u8])> {
    let (_, rest) = frame.split_first()?;
    let (xid, rest) = if in_stream {
        let (xid, rest) = split_u32(rest)?;
        (Some(Xid::new(xid)), rest)
    } else {
        (None, rest)
    };
    let (relation, rest) = split_u32(rest)?;
    Some((xid, Oid::new(relation), rest))
}

/// Reads the new row, which ends the frame.
#[inline]
fn last_tuple<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(TupleKind, TupleColumn<'a>),
) -> Option<TupleData<'a>> {
    let (kind, bytes) = bytes.split_first()?;
    let tuple = TupleData::whole(bytes, |column| each(TupleKind::New, column))?;
    (*kind == b'N').then_some(tuple)
}

/// Reads the old row, and returns it with the bytes after it.
#[inline]
fn old_tuple_of<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(TupleKind, TupleColumn<'a>),
) -> Option<(OldTuple<'a>, &'a [u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let kind = match kind {
        b'K' => TupleKind::Key,
        b'O' => TupleKind::Old,
        _ => return None,
    };
    let (tuple, rest) = TupleData::split(bytes, |column| each(kind, column))?;
    let old = match kind {
        TupleKind::Key => OldTuple::Key(KeyTuple(tuple)),
        _ => OldTuple::Full(tuple),
    };
    Some((old, rest))
}

/// The body of Insert: a row was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InsertBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The new row.
    pub new: TupleData<'a>,
}

impl<'a> InsertBody<'a> {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        let xid = stream_xid(cursor, in_stream)?;
        let relation = cursor.oid(FieldName::RelationId)?;
        Ok(Self { xid, relation, new: new_tuple(cursor)? })
    }
}

/// The body of Update: a row was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The old row: its key if the change affected it, the whole row with `REPLICA IDENTITY FULL`,
    /// otherwise absent.
    pub old: Option<OldTuple<'a>>,
    /// The new row.
    pub new: TupleData<'a>,
}

impl<'a> UpdateBody<'a> {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        let xid = stream_xid(cursor, in_stream)?;
        let relation = cursor.oid(FieldName::RelationId)?;
        let old = match cursor.rest().first() {
            Some(b'K' | b'O') => Some(old_tuple(cursor)?),
            _ => None,
        };
        Ok(Self { xid, relation, old, new: new_tuple(cursor)? })
    }
}

/// The body of Delete: a row was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The old row: its key, or the whole row with `REPLICA IDENTITY FULL`.
    pub old: OldTuple<'a>,
}

impl<'a> DeleteBody<'a> {
    #[inline]
    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        let xid = stream_xid(cursor, in_stream)?;
        let relation = cursor.oid(FieldName::RelationId)?;
        Ok(Self { xid, relation, old: old_tuple(cursor)? })
    }
}

fn new_tuple<'a>(cursor: &mut Cursor<'a>) -> Result<TupleData<'a>, DecodeError> {
    match cursor.u8(FieldName::TupleKind)? {
        b'N' => TupleData::read(cursor),
        other => Err(cursor.error_before(DecodeError::unknown_tuple_kind(other))),
    }
}

fn old_tuple<'a>(cursor: &mut Cursor<'a>) -> Result<OldTuple<'a>, DecodeError> {
    match cursor.u8(FieldName::TupleKind)? {
        b'K' => TupleData::read(cursor).map(KeyTuple).map(OldTuple::Key),
        b'O' => TupleData::read(cursor).map(OldTuple::Full),
        other => Err(cursor.error_before(DecodeError::unknown_tuple_kind(other))),
    }
}

/// The body of Truncate: tables were emptied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruncateBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The options of the command.
    pub flags: TruncateFlags,
    /// The tables.
    pub relations: Oids<'a>,
}

/// The options of a TRUNCATE, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TruncateFlags(pub u8);

impl TruncateFlags {
    /// `CASCADE`.
    pub const CASCADE: Self = Self(1);
    /// `RESTART IDENTITY`.
    pub const RESTART_IDENTITY: Self = Self(2);

    /// Returns true with `CASCADE`.
    pub const fn cascade(self) -> bool {
        self.0 & Self::CASCADE.0 != 0
    }

    /// Returns true with `RESTART IDENTITY`.
    pub const fn restart_identity(self) -> bool {
        self.0 & Self::RESTART_IDENTITY.0 != 0
    }
}

impl<'a> TruncateBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        let xid = stream_xid(cursor, in_stream)?;
        // The count comes before the flags, and the ids after them.
        let count = cursor.length(FieldName::RelationCount)?;
        let flags = TruncateFlags(cursor.u8(FieldName::Flags)?);
        let bytes = cursor.bytes(FieldName::RelationIds, count.saturating_mul(4))?;
        Ok(Self { xid, flags, relations: Oids { bytes } })
    }
}

/// A list of object ids, borrowed from the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Oids<'a> {
    bytes: &'a [u8],
}

impl<'a> Oids<'a> {
    /// Creates a list of ids that were checked to be complete.
    #[cfg(feature = "encode")]
    pub(crate) const fn from_checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Returns the number of ids.
    pub const fn len(&self) -> usize {
        self.bytes.len() / 4
    }

    /// Returns true if there are no ids.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the ids in order.
    pub const fn iter(&self) -> OidsIter<'a> {
        OidsIter { bytes: self.bytes }
    }
}

impl<'a> IntoIterator for Oids<'a> {
    type Item = Oid;
    type IntoIter = OidsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &Oids<'a> {
    type Item = Oid;
    type IntoIter = OidsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Oids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterator over [`Oids`].
#[derive(Debug, Clone)]
pub struct OidsIter<'a> {
    bytes: &'a [u8],
}

impl Iterator for OidsIter<'_> {
    type Item = Oid;

    fn next(&mut self) -> Option<Oid> {
        let (id, rest) = self.bytes.split_first_chunk::<4>()?;
        self.bytes = rest;
        Some(Oid::new(BigEndian::read_u32(id)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.bytes.len() / 4;
        (left, Some(left))
    }
}

impl ExactSizeIterator for OidsIter<'_> {}
impl FusedIterator for OidsIter<'_> {}
