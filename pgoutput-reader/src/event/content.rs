//! The content of an event: copies of its rows, or of its message.

use pgoutput_decode::message::{MessageBody, MessageFlags, TruncateFlags};
use pgoutput_decode::{Lsn, OldTuple, OldTupleBuf, TupleBuf, TupleData};

use super::{SchemaChange, TableSchema};
use crate::error::StreamError;

/// The content of an event. It was checked when the event was created.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The rows of a change. They are as wide as the table.
    Rows {
        new: Option<TupleBuf>,
        old: Option<OldTupleBuf>,
    },
    /// The options of a TRUNCATE. One message names many tables, and each table has its own event.
    Truncate(TruncateFlags),
    Message(Box<LogicalMessage>),
    /// The description of a table, with what changed if that was requested.
    Schema(Option<Box<SchemaChange>>),
    /// The end of a transaction.
    End,
}

/// A logical decoding message.
#[derive(Debug, Clone)]
pub(crate) struct LogicalMessage {
    flags: MessageFlags,
    lsn: Lsn,
    prefix: Box<str>,
    content: Box<[u8]>,
}

impl Content {
    /// Returns the rows of a change of this table.
    ///
    /// Some servers (15.0 and 15.1, with column lists) send rows wider than the described table.
    /// Their values cannot be assigned to columns.
    pub(crate) fn of_rows(
        table: &TableSchema,
        new: Option<TupleData<'_>>,
        old: Option<OldTuple<'_>>,
        lsn: Lsn,
    ) -> Result<Self, StreamError> {
        let described = table.columns().len();
        let widths = [new.map(|new| new.len()), old.map(|old| full_width(old).len())];
        if let Some(sent) = widths.into_iter().flatten().find(|sent| *sent != described) {
            let table = format!("{}.{}", table.schema_name(), table.name());
            return Err(StreamError::RowWidth { table, described, sent, lsn });
        }
        Ok(Self::Rows { new: new.map(TupleBuf::from), old: old.map(OldTupleBuf::from) })
    }

    pub(crate) fn of_message(body: &MessageBody<'_>) -> Self {
        Self::Message(Box::new(LogicalMessage {
            flags: body.flags,
            lsn: body.lsn,
            prefix: body.prefix.into(),
            content: body.content.into(),
        }))
    }

    /// Returns the new row and the old one; `None` if the event is not a change of rows.
    pub(crate) fn rows(&self) -> Option<(Option<TupleData<'_>>, Option<OldTuple<'_>>)> {
        match self {
            Self::Rows { new, old } => {
                let new = new.as_ref().map(TupleBuf::as_tuple);
                Some((new, old.as_ref().map(OldTupleBuf::as_old)))
            }
            Self::Truncate(_) | Self::Message(_) | Self::Schema(_) | Self::End => None,
        }
    }
}

impl LogicalMessage {
    pub(super) fn body(&self) -> MessageBody<'_> {
        let Self { flags, lsn, prefix, content } = self;
        // Only a message of a chunk has an id, and an event is the same without chunks.
        MessageBody { xid: None, flags: *flags, lsn: *lsn, prefix, content }
    }
}

/// Returns the row with NULL for columns that it does not have.
pub(crate) fn full_width(old: OldTuple<'_>) -> TupleData<'_> {
    match old {
        OldTuple::Key(key) => key.full_width(),
        OldTuple::Full(tuple) => tuple,
    }
}
