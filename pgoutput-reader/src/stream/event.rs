//! One message with its positions, lent or kept.

use pgoutput_decode::{DecodeError, Lsn, Message, TimestampTz};

/// A message of a [`ReplicationStream`](crate::ReplicationStream) with its positions, lent until the next one is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEvent<'a> {
    /// Where the change stands in the log; zero for messages without a record of their own, such as Relation.
    pub wal_start: Lsn,
    /// The server's end of log; logical replication sends `wal_start` again.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    /// The message.
    pub message: Message<'a>,
    pub(crate) frame: &'a [u8],
    pub(crate) in_stream: bool,
}

impl StreamEvent<'_> {
    /// The message's bytes.
    pub fn frame(&self) -> &[u8] {
        self.frame
    }

    /// Whether the message stood in a streamed chunk, which decides how its bytes are read.
    pub fn in_stream(&self) -> bool {
        self.in_stream
    }

    /// Keeps the message: one allocation, one copy of its bytes.
    pub fn to_owned(&self) -> StreamEventBuf {
        StreamEventBuf {
            wal_start: self.wal_start,
            wal_end: self.wal_end,
            send_time: self.send_time,
            in_stream: self.in_stream,
            frame: self.frame.into(),
        }
    }
}

/// A message of a [`ReplicationStream`](crate::ReplicationStream) with its positions, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEventBuf {
    /// Where the change stands in the log; zero for messages without a record of their own, such as Relation.
    pub wal_start: Lsn,
    /// The server's end of log; logical replication sends `wal_start` again.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub send_time: TimestampTz,
    in_stream: bool,
    frame: Box<[u8]>,
}

impl StreamEventBuf {
    /// The message, read from the kept bytes.
    ///
    /// # Errors
    /// None in practice: the same bytes were decoded when they arrived.
    pub fn message(&self) -> Result<Message<'_>, DecodeError> {
        Message::decode(&self.frame, self.in_stream).map_err(|error| error.at_lsn(self.wal_start))
    }

    /// The message's bytes.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Whether the message stood in a streamed chunk, which decides how its bytes are read.
    pub fn in_stream(&self) -> bool {
        self.in_stream
    }
}
