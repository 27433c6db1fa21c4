//! What an event holds: copies of its rows, or of its message.

use pgoutput_decode::message::{MessageBody, MessageFlags, TruncateFlags};
use pgoutput_decode::{Lsn, OldTuple, OldTupleBuf, TupleBuf, TupleData, Xid};

use super::TableSchema;
use crate::error::StreamError;

/// What came with the change. Everything that can be wrong with it was found when it was made.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// As wide as the table.
    Rows {
        new: Option<TupleBuf>,
        old: Option<OldTupleBuf>,
    },
    /// TRUNCATE: one message names many tables and has one event for each.
    Truncate(TruncateFlags),
    Message(Box<LogicalMessage>),
}

/// A logical decoding message.
#[derive(Debug, Clone)]
pub(crate) struct LogicalMessage {
    xid: Option<Xid>,
    flags: MessageFlags,
    lsn: Lsn,
    prefix: Box<str>,
    content: Box<[u8]>,
}

impl Content {
    /// The rows of a change of this table.
    ///
    /// Some servers send rows wider than the table they described (15.0 and 15.1, with column
    /// lists): nothing says then which value belongs to which column.
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
            xid: body.xid,
            flags: body.flags,
            lsn: body.lsn,
            prefix: body.prefix.into(),
            content: body.content.into(),
        }))
    }

    /// The new row and the old one; `None` if it is no change of rows.
    pub(super) fn rows(&self) -> Option<(Option<TupleData<'_>>, Option<OldTuple<'_>>)> {
        match self {
            Self::Rows { new, old } => {
                let new = new.as_ref().map(TupleBuf::as_tuple);
                Some((new, old.as_ref().map(OldTupleBuf::as_old)))
            }
            Self::Truncate(_) | Self::Message(_) => None,
        }
    }
}

impl LogicalMessage {
    pub(super) fn body(&self) -> MessageBody<'_> {
        let Self { xid, flags, lsn, prefix, content } = self;
        MessageBody { xid: *xid, flags: *flags, lsn: *lsn, prefix, content }
    }
}

/// The row with NULL for columns that it does not have.
pub(crate) fn full_width(old: OldTuple<'_>) -> TupleData<'_> {
    match old {
        OldTuple::Key(key) => key.full_width(),
        OldTuple::Full(tuple) => tuple,
    }
}
