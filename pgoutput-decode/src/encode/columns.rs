//! Builder of the columns of a Relation message.

use alloc::vec::Vec;
use core::fmt;

use super::EncodeError;
use super::writer::{Writer, one_more};
use crate::column::ColumnFlags;
use crate::id::Oid;
use crate::message::{ColumnBody, RelationColumns};

/// Builder of the columns of a table, added one by one, in one buffer.
/// [`as_columns`](Self::as_columns) borrows them for a
/// [`RelationBody`](crate::message::RelationBody).
///
/// ```
/// use pgoutput_decode::encode::{EncodeError, RelationColumnsBuf};
/// use pgoutput_decode::{ColumnFlags, Oid};
///
/// let mut columns = RelationColumnsBuf::new();
/// columns
///     .push(ColumnFlags::KEY, "id", Oid::new(23), -1)?
///     .push(ColumnFlags(0), "note", Oid::new(25), -1)?;
/// let names: Vec<_> = columns.as_columns().iter().map(|column| column.name).collect();
/// assert_eq!(names, ["id", "note"]);
/// assert_eq!(
///     columns.push(ColumnFlags(0), "a\0b", Oid::new(25), -1).unwrap_err(),
///     EncodeError::InteriorZero { field: "column name", offset: 1 },
/// );
/// assert_eq!(columns.as_columns().len(), 2);
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RelationColumnsBuf {
    count: u16,
    bytes: Vec<u8>,
}

impl RelationColumnsBuf {
    /// Creates a builder without columns.
    pub const fn new() -> Self {
        Self { count: 0, bytes: Vec::new() }
    }

    /// Adds a column: its flags, name, type and type modifier (-1 for none), as in [`ColumnBody`].
    ///
    /// # Errors
    /// Fails on a name that contains a zero byte, and on more than `u16::MAX` columns; the columns
    /// are then unchanged.
    pub fn push(
        &mut self,
        flags: ColumnFlags,
        name: &str,
        type_oid: Oid,
        type_modifier: i32,
    ) -> Result<&mut Self, EncodeError> {
        let count = one_more(self.count)?;
        let column = ColumnBody { flags, name, type_oid, type_modifier };
        Writer::append(&mut self.bytes, |writer| column.write(writer))?;
        self.count = count;
        Ok(self)
    }

    /// Returns the columns, for a Relation message.
    pub fn as_columns(&self) -> RelationColumns<'_> {
        RelationColumns::from_checked(self.count, &self.bytes)
    }
}

impl fmt::Debug for RelationColumnsBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_columns(), f)
    }
}
