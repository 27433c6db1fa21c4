//! Message, written by `pg_logical_emit_message`.

use core::fmt;

use super::stream_xid;
use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::lsn::Lsn;

/// The body of Message, written by `pg_logical_emit_message` (option `messages`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessageBody<'a> {
    /// Inside a chunk, the id of the *top-level* transaction; zero for a message outside of
    /// transactions.
    pub xid: Option<Xid>,
    /// The flags, which include whether it belongs to a transaction.
    pub flags: MessageFlags,
    /// The LSN of the message: the end of its record.
    pub lsn: Lsn,
    /// The prefix.
    pub prefix: &'a str,
    /// The content, which may be any bytes.
    pub content: &'a [u8],
}

/// The flags of a [`MessageBody`], as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageFlags(pub u8);

impl MessageFlags {
    /// The message belongs to a transaction and is sent with it. Without this flag it is sent at
    /// once.
    pub const TRANSACTIONAL: Self = Self(1);

    /// Returns true if the message belongs to a transaction.
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL.0 != 0
    }
}

impl<'a> MessageBody<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>, in_stream: bool) -> Result<Self, DecodeError> {
        let xid = stream_xid(cursor, in_stream)?;
        let flags = MessageFlags(cursor.u8(FieldName::Flags)?);
        let lsn = cursor.lsn(FieldName::MessageLsn)?;
        let prefix = cursor.string(FieldName::MessagePrefix)?;
        let length = cursor.length(FieldName::ContentLength)?;
        Ok(Self { xid, flags, lsn, prefix, content: cursor.bytes(FieldName::Content, length)? })
    }
}

impl fmt::Debug for MessageBody<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBody")
            .field("xid", &self.xid)
            .field("flags", &self.flags)
            .field("lsn", &self.lsn)
            .field("prefix", &self.prefix)
            .field("content", &format_args!("b\"{}\"", self.content.escape_ascii()))
            .finish()
    }
}
