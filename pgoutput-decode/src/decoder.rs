//! The one bit of state that decoding needs.

use crate::message::StreamAbortForm;
use crate::{DecodeError, Message, TupleColumn, TupleKind, Xid};

/// Decodes the messages of one replication stream, in order.
///
/// The protocol has one piece of state: whether a streamed chunk is open. A decoder holds just that, is
/// `Copy`, and lives for one `START_REPLICATION`; a new connection takes a new decoder. It moves on only
/// after a whole good message, so after an error it is what it was before.
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
    /// A decoder for a stream that starts now.
    pub const fn new() -> Self {
        Self { stream: None }
    }

    /// The top-level transaction of the chunk that is open, if one is.
    pub const fn stream_xid(&self) -> Option<Xid> {
        self.stream
    }

    /// Decodes the next message: one whole frame, such as the data of an XLogData.
    ///
    /// # Errors
    /// Whatever keeps the frame from being exactly one message in this place; the decoder is unchanged
    /// then. [`DecodeError::at_lsn`] adds the position to the error.
    #[inline]
    pub fn decode<'a>(&mut self, frame: &'a [u8]) -> Result<Message<'a>, DecodeError> {
        let message = Message::decode(frame, self.stream.is_some())?;
        self.follow(&message);
        Ok(message)
    }

    /// Decodes the next message and hands over the columns of its rows on the way; see [`Message::decode_with`].
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode), at which the columns handed over count for nothing.
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

    /// Decodes the next message from the front of `bytes` and returns it with what is left.
    ///
    /// For tools that hold concatenated messages; see [`Message::decode_prefix`] for `form`.
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
    /// Whatever keeps `bytes` from starting with a message in this place; the decoder is unchanged then.
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
