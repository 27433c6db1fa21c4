//! The state of decoding: whether a chunk of an in-progress transaction is open.

use crate::error::DecodeError;
use crate::id::Xid;
use crate::message::{Message, StreamAbortForm};
use crate::tuple::{TupleColumn, TupleKind};

/// Decodes the messages of one replication stream, in order.
///
/// The protocol has one piece of state: whether a chunk of an in-progress transaction is open. A
/// decoder holds only that, is `Copy`, and serves one `START_REPLICATION`: create a new decoder for
/// every new replication stream. Its state changes only after a whole valid message, so an error
/// leaves it unchanged.
///
/// ```
/// use pgoutput_decode::{Decoder, Message, TupleColumn};
///
/// let mut decoder = Decoder::new();
/// // Stream Start of transaction 777, an Insert of its subtransaction 778, Stream Stop.
/// let start = decoder.decode(b"S\0\0\x03\x09\x01")?;
/// let insert = decoder.decode(b"I\0\0\x03\x0A\0\0\x40\x13N\0\x01t\0\0\0\x0242")?;
/// let Message::Insert(body) = insert else { panic!("{insert:?}") };
/// assert_eq!(body.xid.unwrap().as_u32(), 778);
/// assert_eq!(body.new.get(0), Some(TupleColumn::Text(b"42")));
/// assert_eq!(decoder.stream_xid().unwrap().as_u32(), 777);
/// decoder.decode(b"E")?;
/// assert_eq!(decoder.stream_xid(), None);
/// # let _ = start;
/// # Ok::<(), pgoutput_decode::DecodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decoder {
    stream: Option<Xid>,
}

impl Decoder {
    /// Creates a decoder for a replication stream that starts now.
    pub const fn new() -> Self {
        Self { stream: None }
    }

    /// Returns the top-level transaction of the open chunk, if one is open.
    pub const fn stream_xid(&self) -> Option<Xid> {
        self.stream
    }

    /// Decodes the next message: one whole frame, such as the data of an XLogData.
    ///
    /// # Errors
    /// Fails if the frame is not exactly one message that may come next; the decoder is then
    /// unchanged. [`DecodeError::at_lsn`] adds the position to the error.
    #[inline]
    pub fn decode<'a>(&mut self, frame: &'a [u8]) -> Result<Message<'a>, DecodeError> {
        let message = Message::decode(frame, self.stream.is_some())?;
        self.follow(&message);
        Ok(message)
    }

    /// Decodes the next message and passes each column of its tuples to `each`; see
    /// [`Message::decode_with`].
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode). Discard the columns passed to `each` before an error.
    #[inline]
    pub fn decode_with<'a>(
        &mut self,
        frame: &'a [u8],
        each: impl FnMut(TupleKind, TupleColumn<'a>),
    ) -> Result<Message<'a>, DecodeError> {
        let message = Message::decode_with(frame, self.stream.is_some(), each)?;
        self.follow(&message);
        Ok(message)
    }

    /// Decodes the next message from the front of `bytes` and returns it with the bytes after it.
    ///
    /// It is meant for tools that read concatenated messages; see [`Message::decode_prefix`] for
    /// `form`.
    ///
    /// ```
    /// use pgoutput_decode::{Decoder, StreamAbortForm};
    ///
    /// let mut rest: &[u8] = b"S\0\0\x03\x09\x01E";
    /// let (mut decoder, mut tags) = (Decoder::new(), Vec::new());
    /// while !rest.is_empty() {
    ///     let message;
    ///     (message, rest) = decoder.decode_prefix(rest, StreamAbortForm::Short)?;
    ///     tags.push(message.tag().name().unwrap());
    /// }
    /// assert_eq!(tags, ["Stream Start", "Stream Stop"]);
    /// # Ok::<(), pgoutput_decode::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// Fails if `bytes` does not start with a message that may come next; the decoder is then
    /// unchanged.
    pub fn decode_prefix<'a>(
        &mut self,
        bytes: &'a [u8],
        form: StreamAbortForm,
    ) -> Result<(Message<'a>, &'a [u8]), DecodeError> {
        let (message, rest) = Message::decode_prefix(bytes, self.stream.is_some(), form)?;
        self.follow(&message);
        Ok((message, rest))
    }

    #[inline]
    fn follow(&mut self, message: &Message<'_>) {
        match message {
            Message::StreamStart(body) => self.stream = Some(body.xid),
            Message::StreamStop => self.stream = None,
            _ => {}
        }
    }
}
