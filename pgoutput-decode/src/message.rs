//! The 19 messages of pgoutput, protocol versions 1 to 4.
//!
//! Each family has a file. Fields are described in the manual's words (section "Logical Replication
//! Message Formats"). [`Message::decode`] is the pure function that [`Decoder`](crate::Decoder)
//! calls.

mod dml;
mod logical;
mod relation;
mod stream;
mod transaction;
mod two_phase;

pub use dml::{DeleteBody, InsertBody, Oids, OidsIter, TruncateBody, TruncateFlags, UpdateBody};
pub use logical::{MessageBody, MessageFlags};
pub use relation::{
    ColumnBody, RelationBody, RelationColumns, RelationColumnsIter, ReplicaIdentity, TypeBody,
};
pub use stream::{
    StreamAbortBody, StreamAbortForm, StreamAbortTail, StreamCommitBody, StreamStartBody,
};
pub use transaction::{BeginBody, CommitBody, OriginBody};
pub use two_phase::{
    BeginPrepareBody, CommitPreparedBody, PrepareBody, RollbackPreparedBody, StreamPrepareBody,
};

use crate::cursor::Cursor;
use crate::error::DecodeError;
use crate::field_name::FieldName;
use crate::id::Xid;
use crate::tag::Tag;
use crate::tuple::{TupleColumn, TupleKind};

/// A message of the pgoutput plugin, borrowed from its frame.
///
/// It has the messages of protocol versions 1 to 4. A later version may add more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// `B`: a transaction starts; its changes follow up to Commit.
    Begin(BeginBody),
    /// `M`: a message from `pg_logical_emit_message`.
    Message(MessageBody<'a>),
    /// `C`: the transaction is complete.
    Commit(CommitBody),
    /// `O`: the origin of the transaction.
    Origin(OriginBody<'a>),
    /// `R`: the description of a table, before its first change and after it was altered.
    Relation(RelationBody<'a>),
    /// `Y`: the name of a type that is not built in.
    Type(TypeBody<'a>),
    /// `I`: a row was added.
    Insert(InsertBody<'a>),
    /// `U`: a row was changed.
    Update(UpdateBody<'a>),
    /// `D`: a row was removed.
    Delete(DeleteBody<'a>),
    /// `T`: tables were emptied.
    Truncate(TruncateBody<'a>),
    /// `S`: a chunk of an in-progress transaction starts (version 2).
    StreamStart(StreamStartBody),
    /// `E`: the chunk ends.
    StreamStop,
    /// `c`: an in-progress transaction was committed.
    StreamCommit(StreamCommitBody),
    /// `A`: an in-progress transaction, or one of its subtransactions, was rolled back.
    StreamAbort(StreamAbortBody),
    /// `b`: a prepared transaction starts; its changes follow up to Prepare (version 3).
    BeginPrepare(BeginPrepareBody<'a>),
    /// `P`: the transaction is prepared.
    Prepare(PrepareBody<'a>),
    /// `K`: a prepared transaction was committed.
    CommitPrepared(CommitPreparedBody<'a>),
    /// `r`: a prepared transaction was rolled back.
    RollbackPrepared(RollbackPreparedBody<'a>),
    /// `p`: an in-progress transaction is prepared.
    StreamPrepare(StreamPrepareBody<'a>),
}

impl<'a> Message<'a> {
    /// Decodes one whole frame.
    ///
    /// `in_stream` is whether the frame comes between a Stream Start and its Stream Stop, where
    /// seven kinds of messages carry the id of their (sub)transaction. [`Decoder`](crate::Decoder)
    /// tracks this.
    ///
    /// # Errors
    /// The frame is not exactly one message; see [`ErrorKind`](crate::ErrorKind).
    #[inline]
    pub fn decode(frame: &'a [u8], in_stream: bool) -> Result<Self, DecodeError> {
        // Nearly all messages are rows, Begin and Commit. Each kind has its own function, which
        // writes the message where the caller wants it and only recognises valid frames. An invalid
        // frame is read again below, by the cursor, for its error.
        match frame.first() {
            Some(b'I') => dml::insert(frame, in_stream),
            Some(b'U') => dml::update(frame, in_stream),
            Some(b'D') => dml::delete(frame, in_stream),
            Some(b'B') if !in_stream => transaction::begin(frame),
            Some(b'C') if !in_stream => transaction::commit(frame),
            _ => Self::decode_other(frame, in_stream),
        }
    }

    /// Decodes one whole frame as [`decode`](Self::decode) does, and passes the columns of its rows
    /// to `each`.
    ///
    /// Use it to read every column of every row. Decoding walks over a row to check it, and this
    /// avoids the second walk that [`TupleData::columns`](crate::TupleData::columns) takes. Columns
    /// come in the order of the frame, those of an old row first.
    ///
    /// ```
    /// use pgoutput_decode::{Message, TupleColumn, TupleKind};
    ///
    /// let frame = b"U\0\0\x40\x13K\0\x02t\0\0\0\x011nN\0\x02t\0\0\0\x012u";
    /// let mut columns = Vec::new();
    /// let push = |kind, column| columns.push((kind, column));
    /// let message = Message::decode_with(frame, false, push)?;
    /// assert_eq!(message, Message::decode(frame, false)?);
    /// assert_eq!(columns, [
    ///     (TupleKind::Key, TupleColumn::Text(b"1")),
    ///     (TupleKind::Key, TupleColumn::Null),
    ///     (TupleKind::New, TupleColumn::Text(b"2")),
    ///     (TupleKind::New, TupleColumn::Unchanged),
    /// ]);
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode). Discard the columns that were passed before an error.
    #[inline]
    pub fn decode_with(
        frame: &'a [u8],
        in_stream: bool,
        each: impl FnMut(TupleKind, TupleColumn<'a>),
    ) -> Result<Self, DecodeError> {
        match frame.first() {
            Some(b'I') => dml::insert_with(frame, in_stream, each),
            Some(b'U') => dml::update_with(frame, in_stream, each),
            Some(b'D') => dml::delete_with(frame, in_stream, each),
            _ => Self::decode(frame, in_stream),
        }
    }

    #[cold]
    fn decode_other(frame: &'a [u8], in_stream: bool) -> Result<Self, DecodeError> {
        let (tag, mut cursor) = Cursor::open(frame)?;
        let form = if cursor.rest().len() > StreamAbortBody::SHORT_LEN {
            StreamAbortForm::Long
        } else {
            StreamAbortForm::Short
        };
        let message = Self::read(tag, &mut cursor, in_stream, form)?;
        cursor.finish()?;
        Ok(message)
    }

    /// Decodes the message at the front of `bytes`, and returns it with the bytes after it.
    ///
    /// It is meant for tools that read concatenated messages. Every message determines its own end
    /// except Stream Abort, which has a longer form with `streaming 'parallel'`. The caller
    /// specifies the form.
    ///
    /// # Errors
    /// `bytes` does not start with a message.
    pub fn decode_prefix(
        bytes: &'a [u8],
        in_stream: bool,
        form: StreamAbortForm,
    ) -> Result<(Self, &'a [u8]), DecodeError> {
        let (tag, mut cursor) = Cursor::open(bytes)?;
        let message = Self::read(tag, &mut cursor, in_stream, form)?;
        Ok((message, cursor.rest()))
    }

    fn read(
        tag: Tag,
        cursor: &mut Cursor<'a>,
        in_stream: bool,
        form: StreamAbortForm,
    ) -> Result<Self, DecodeError> {
        Ok(match tag {
            Tag::INSERT => Self::Insert(InsertBody::read(cursor, in_stream)?),
            Tag::UPDATE => Self::Update(UpdateBody::read(cursor, in_stream)?),
            Tag::DELETE => Self::Delete(DeleteBody::read(cursor, in_stream)?),
            Tag::TRUNCATE => Self::Truncate(TruncateBody::read(cursor, in_stream)?),
            Tag::RELATION => Self::Relation(RelationBody::read(cursor, in_stream)?),
            Tag::TYPE => Self::Type(TypeBody::read(cursor, in_stream)?),
            Tag::MESSAGE => Self::Message(MessageBody::read(cursor, in_stream)?),
            Tag::ORIGIN => Self::Origin(OriginBody::read(cursor)?),
            Tag::STREAM_START if in_stream => {
                return Err(cursor.error_before(DecodeError::NESTED_STREAM_START));
            }
            Tag::STREAM_START => Self::StreamStart(StreamStartBody::read(cursor)?),
            Tag::STREAM_STOP if !in_stream => {
                return Err(cursor.error_before(DecodeError::STRAY_STREAM_STOP));
            }
            Tag::STREAM_STOP => Self::StreamStop,
            _ => return Self::read_control(tag, cursor, in_stream, form),
        })
    }

    /// Reads the messages that begin and end transactions, none of which is allowed inside a chunk.
    fn read_control(
        tag: Tag,
        cursor: &mut Cursor<'a>,
        in_stream: bool,
        form: StreamAbortForm,
    ) -> Result<Self, DecodeError> {
        // The tags of envelopes and undefined bytes are unknown here, in either state.
        if in_stream && Self::is_control(tag) {
            return Err(cursor.error_before(DecodeError::INSIDE_STREAM));
        }
        Ok(match tag {
            Tag::BEGIN => Self::Begin(BeginBody::read(cursor)?),
            Tag::COMMIT => Self::Commit(CommitBody::read(cursor)?),
            Tag::STREAM_COMMIT => Self::StreamCommit(StreamCommitBody::read(cursor)?),
            Tag::STREAM_ABORT => Self::StreamAbort(StreamAbortBody::read(cursor, form)?),
            Tag::BEGIN_PREPARE => Self::BeginPrepare(BeginPrepareBody::read(cursor)?),
            Tag::PREPARE => Self::Prepare(PrepareBody::read(cursor)?),
            Tag::COMMIT_PREPARED => Self::CommitPrepared(CommitPreparedBody::read(cursor)?),
            Tag::ROLLBACK_PREPARED => Self::RollbackPrepared(RollbackPreparedBody::read(cursor)?),
            Tag::STREAM_PREPARE => Self::StreamPrepare(StreamPrepareBody::read(cursor)?),
            _ => return Err(cursor.error_before(DecodeError::unknown_tag(tag))),
        })
    }

    /// Returns whether the kind is not allowed between Stream Start and Stream Stop, apart from
    /// these two.
    pub(crate) const fn is_control(tag: Tag) -> bool {
        matches!(
            tag,
            Tag::BEGIN
                | Tag::COMMIT
                | Tag::STREAM_COMMIT
                | Tag::STREAM_ABORT
                | Tag::BEGIN_PREPARE
                | Tag::PREPARE
                | Tag::COMMIT_PREPARED
                | Tag::ROLLBACK_PREPARED
                | Tag::STREAM_PREPARE
        )
    }

    /// Returns the tag: the message's first byte.
    pub const fn tag(&self) -> Tag {
        match self {
            Self::Begin(_) => Tag::BEGIN,
            Self::Message(_) => Tag::MESSAGE,
            Self::Commit(_) => Tag::COMMIT,
            Self::Origin(_) => Tag::ORIGIN,
            Self::Relation(_) => Tag::RELATION,
            Self::Type(_) => Tag::TYPE,
            Self::Insert(_) => Tag::INSERT,
            Self::Update(_) => Tag::UPDATE,
            Self::Delete(_) => Tag::DELETE,
            Self::Truncate(_) => Tag::TRUNCATE,
            Self::StreamStart(_) => Tag::STREAM_START,
            Self::StreamStop => Tag::STREAM_STOP,
            Self::StreamCommit(_) => Tag::STREAM_COMMIT,
            Self::StreamAbort(_) => Tag::STREAM_ABORT,
            Self::BeginPrepare(_) => Tag::BEGIN_PREPARE,
            Self::Prepare(_) => Tag::PREPARE,
            Self::CommitPrepared(_) => Tag::COMMIT_PREPARED,
            Self::RollbackPrepared(_) => Tag::ROLLBACK_PREPARED,
            Self::StreamPrepare(_) => Tag::STREAM_PREPARE,
        }
    }

    /// Returns whether this is one of the seven kinds that carry a transaction id inside a chunk.
    #[cfg(feature = "encode")]
    pub(crate) const fn carries_stream_xid(tag: Tag) -> bool {
        matches!(
            tag,
            Tag::MESSAGE
                | Tag::RELATION
                | Tag::TYPE
                | Tag::INSERT
                | Tag::UPDATE
                | Tag::DELETE
                | Tag::TRUNCATE
        )
    }

    /// Returns the transaction id that seven kinds of messages carry inside a chunk, as received;
    /// `None` outside a chunk.
    ///
    /// One chunk mixes rows of a transaction and of its subtransactions, and only some of them may
    /// be aborted later. Use this id, not that of the chunk, to assign a row to its
    /// (sub)transaction.
    pub const fn stream_xid(&self) -> Option<Xid> {
        match self {
            Self::Message(body) => body.xid,
            Self::Relation(body) => body.xid,
            Self::Type(body) => body.xid,
            Self::Insert(body) => body.xid,
            Self::Update(body) => body.xid,
            Self::Delete(body) => body.xid,
            Self::Truncate(body) => body.xid,
            _ => None,
        }
    }
}

/// Reads the id that seven kinds of messages begin with inside a chunk.
#[inline]
fn stream_xid(cursor: &mut Cursor<'_>, in_stream: bool) -> Result<Option<Xid>, DecodeError> {
    if in_stream { cursor.xid(FieldName::TransactionId).map(Some) } else { Ok(None) }
}
