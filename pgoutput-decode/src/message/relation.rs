//! Relation and Type: the descriptions of tables, and the names of types.

use core::fmt;
use core::iter::FusedIterator;

use super::stream_xid;
use crate::column::ColumnFlags;
use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::{Oid, Xid};

/// The body of Relation: the description of a table, sent before its first change in this
/// replication stream and after it was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The table's id, by which its changes refer to it.
    pub oid: Oid,
    /// The schema as received; empty means `pg_catalog`. See [`namespace`](Self::namespace).
    pub wire_namespace: &'a str,
    /// The table's name.
    pub name: &'a str,
    /// The replica identity, which decides which columns old rows contain.
    pub replica_identity: ReplicaIdentity,
    /// The columns.
    pub columns: RelationColumns<'a>,
}

impl<'a> RelationBody<'a> {
    /// Returns the name of the schema.
    pub const fn namespace(&self) -> &'a str {
        namespace(self.wire_namespace)
    }

    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: stream_xid(cursor, in_stream)?,
            oid: cursor.oid(FieldName::RelationId)?,
            wire_namespace: cursor.string(FieldName::Namespace)?,
            name: cursor.string(FieldName::RelationName)?,
            replica_identity: ReplicaIdentity(cursor.u8(FieldName::ReplicaIdentity)?),
            columns: RelationColumns::read(cursor)?,
        })
    }
}

const fn namespace(wire: &str) -> &str {
    if wire.is_empty() { "pg_catalog" } else { wire }
}

/// The `REPLICA IDENTITY` of a table, the letter in `pg_class.relreplident`, as received.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplicaIdentity(pub u8);

impl ReplicaIdentity {
    /// `d`: the primary key, if there is one.
    pub const DEFAULT: Self = Self(b'd');
    /// `n`: nothing.
    pub const NOTHING: Self = Self(b'n');
    /// `f`: the whole row.
    pub const FULL: Self = Self(b'f');
    /// `i`: the index chosen with `REPLICA IDENTITY USING INDEX`.
    pub const INDEX: Self = Self(b'i');
}

impl fmt::Debug for ReplicaIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DEFAULT => f.write_str("Default"),
            Self::NOTHING => f.write_str("Nothing"),
            Self::FULL => f.write_str("Full"),
            Self::INDEX => f.write_str("Index"),
            Self(byte) => write!(f, "ReplicaIdentity(0x{byte:02X})"),
        }
    }
}

/// A column of a Relation message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnBody<'a> {
    /// The flags, which include whether it is part of the replica identity.
    pub flags: ColumnFlags,
    /// The name.
    pub name: &'a str,
    /// The id of the type, as in `pg_attribute.atttypid`.
    pub type_oid: Oid,
    /// The type modifier, as in `pg_attribute.atttypmod`; -1 if the type has none.
    pub type_modifier: i32,
}

impl<'a> ColumnBody<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            flags: ColumnFlags(cursor.u8(FieldName::ColumnFlags)?),
            name: cursor.string(FieldName::ColumnName)?,
            type_oid: cursor.oid(FieldName::ColumnType)?,
            type_modifier: cursor.i32(FieldName::TypeModifier)?,
        })
    }
}

/// The columns of a Relation message, checked and borrowed from the frame.
#[derive(Clone, Copy)]
pub struct RelationColumns<'a> {
    count: u16,
    start: Cursor<'a>,
}

impl<'a> RelationColumns<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        let count = cursor.u16(FieldName::ColumnCount)?;
        let start = *cursor;
        for _ in 0..count {
            ColumnBody::read(cursor)?;
        }
        Ok(Self { count, start })
    }

    /// Creates a list of `count` columns that `bytes` was checked to contain.
    #[cfg(feature = "encode")]
    pub(crate) const fn from_checked(count: u16, bytes: &'a [u8]) -> Self {
        Self { count, start: Cursor::over(bytes) }
    }

    /// Returns the column count as it is on the wire.
    #[cfg(feature = "encode")]
    pub(crate) const fn count(&self) -> u16 {
        self.count
    }

    /// Returns the number of columns.
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Returns true for a table without columns, which PostgreSQL allows.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the columns in order.
    pub const fn iter(&self) -> RelationColumnsIter<'a> {
        RelationColumnsIter { left: self.count, cursor: self.start }
    }
}

impl<'a> IntoIterator for RelationColumns<'a> {
    type Item = ColumnBody<'a>;
    type IntoIter = RelationColumnsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &RelationColumns<'a> {
    type Item = ColumnBody<'a>;
    type IntoIter = RelationColumnsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for RelationColumns<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for RelationColumns<'_> {}

impl fmt::Debug for RelationColumns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Iterator over the columns of a [`RelationBody`].
#[derive(Clone)]
pub struct RelationColumnsIter<'a> {
    left: u16,
    cursor: Cursor<'a>,
}

impl<'a> Iterator for RelationColumnsIter<'a> {
    type Item = ColumnBody<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        ColumnBody::read(&mut self.cursor).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left.into(), Some(self.left.into()))
    }
}

impl fmt::Debug for RelationColumnsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl ExactSizeIterator for RelationColumnsIter<'_> {}
impl FusedIterator for RelationColumnsIter<'_> {}

/// The body of Type: the name of a type that is not built in, sent before the Relation message that
/// needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeBody<'a> {
    /// Inside a chunk, the id of the (sub)transaction.
    pub xid: Option<Xid>,
    /// The type's id.
    pub oid: Oid,
    /// The schema as received; empty means `pg_catalog`. See [`namespace`](Self::namespace).
    pub wire_namespace: &'a str,
    /// The type's name.
    pub name: &'a str,
}

impl<'a> TypeBody<'a> {
    /// Returns the name of the schema.
    pub const fn namespace(&self) -> &'a str {
        namespace(self.wire_namespace)
    }

    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: stream_xid(cursor, in_stream)?,
            oid: cursor.oid(FieldName::TypeId)?,
            wire_namespace: cursor.string(FieldName::Namespace)?,
            name: cursor.string(FieldName::TypeName)?,
        })
    }
}
