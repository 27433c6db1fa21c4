//! The columns of a Relation message that is in no frame yet.

use alloc::vec::Vec;
use core::fmt;

use super::EncodeError;
use super::writer::{Writer, one_more};
use crate::ColumnFlags;
use crate::Oid;
use crate::message::{ColumnBody, RelationColumns};

/// Columns of a table built one by one, in one buffer; lends itself to a
/// [`RelationBody`](crate::message::RelationBody) as [`RelationColumns`].
///
/// ```
/// use pgoutput_decode::encode::{EncodeError, RelationColumnsBuf};
/// use pgoutput_decode::{ColumnFlags, Oid};
///
/// let mut columns = RelationColumnsBuf::new();
/// columns.push(ColumnFlags::KEY, "id", Oid::new(23), -1)?.push(ColumnFlags(0), "note", Oid::new(25), -1)?;
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
    /// No columns.
    pub const fn new() -> Self {
        Self { count: 0, bytes: Vec::new() }
    }

    /// Adds a column: its flags, name, type and type modifier (-1 for none), as in [`ColumnBody`].
    ///
    /// # Errors
    /// A name with a zero byte inside, a column over `u16::MAX`; the columns are unchanged then.
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

    /// The columns, for a Relation message.
    pub fn as_columns(&self) -> RelationColumns<'_> {
        RelationColumns::from_checked(self.count, &self.bytes)
    }
}

impl fmt::Debug for RelationColumnsBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_columns(), f)
    }
}
