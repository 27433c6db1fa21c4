//! A message of a replication stream with its LSNs, lent or owned.

use pgoutput_decode::{DecodeError, Lsn, Message, TimestampTz};

/// A message of a [`ReplicationStream`](crate::ReplicationStream) with its LSNs, lent until the
/// next one is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEvent<'a> {
    /// The LSN of the change; zero for messages without a record of their own, such as Relation.
    pub wal_start: Lsn,
    /// The server's WAL end; logical replication repeats `wal_start`.
    pub wal_end: Lsn,
    /// The server's clock when it sent the message.
    pub send_time: TimestampTz,
    /// The message.
    pub message: Message<'a>,
    pub(crate) frame: &'a [u8],
    pub(crate) in_stream: bool,
}

impl StreamEvent<'_> {
    /// Returns the bytes of the message.
    pub fn frame(&self) -> &[u8] {
        self.frame
    }

    /// Returns whether the message is part of a chunk, which decides how its bytes are read.
    pub fn in_stream(&self) -> bool {
        self.in_stream
    }

    /// Copies the message, with one allocation.
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

/// A message of a [`ReplicationStream`](crate::ReplicationStream) with its LSNs, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEventBuf {
    /// The LSN of the change; zero for messages without a record of their own, such as Relation.
    pub wal_start: Lsn,
    /// The server's WAL end; logical replication repeats `wal_start`.
    pub wal_end: Lsn,
    /// The server's clock when it sent the message.
    pub send_time: TimestampTz,
    in_stream: bool,
    frame: Box<[u8]>,
}

impl StreamEventBuf {
    /// Decodes the message.
    ///
    /// # Errors
    /// None in practice: the same bytes were decoded when they arrived.
    pub fn message(&self) -> Result<Message<'_>, DecodeError> {
        Message::decode(&self.frame, self.in_stream).map_err(|error| error.at_lsn(self.wal_start))
    }

    /// Returns the bytes of the message.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Returns whether the message is part of a chunk, which decides how its bytes are read.
    pub fn in_stream(&self) -> bool {
        self.in_stream
    }
}
