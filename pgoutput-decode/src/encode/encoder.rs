//! The state that keeps the messages of a replication stream in a valid order.

use alloc::vec::Vec;

use super::EncodeError;
use crate::id::Xid;
use crate::message::Message;
use crate::tag::Tag;

/// Encodes the messages of one replication stream, in order; the counterpart of
/// [`Decoder`](crate::Decoder).
///
/// It rejects messages that a decoder of the same stream would not read back. These are a Stream
/// Start inside a chunk, a Stream Stop outside of one, and any message that is not allowed at that
/// point. It also rejects a transaction id that is missing inside a chunk or present outside of
/// one. It does not check that transactions begin and end, nor that the table of a change was
/// described. Its state changes only after a message was written.
///
/// ```
/// use pgoutput_decode::encode::{EncodeError, Encoder};
/// use pgoutput_decode::message::StreamStartBody;
/// use pgoutput_decode::{Message, Xid};
///
/// let (mut encoder, mut out) = (Encoder::new(), Vec::new());
/// let start = Message::StreamStart(StreamStartBody { xid: Xid::new(777), first_segment: 1 });
/// encoder.encode(&start, &mut out)?;
/// assert_eq!(encoder.encode(&start, &mut out), Err(EncodeError::NestedStreamStart));
/// encoder.encode(&Message::StreamStop, &mut out)?;
/// assert_eq!(out, b"S\0\0\x03\x09\x01E");
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoder {
    stream: Option<Xid>,
}

impl Encoder {
    /// Creates an encoder for a replication stream that starts now.
    pub const fn new() -> Self {
        Self { stream: None }
    }

    /// Returns the top-level transaction of the open chunk, if one is open.
    pub const fn stream_xid(&self) -> Option<Xid> {
        self.stream
    }

    /// Appends the next message to `out`; see [`Message::encode`].
    ///
    /// # Errors
    /// Fails if the message is not allowed at this point or cannot be represented on the wire;
    /// `out` and the encoder are then unchanged.
    pub fn encode(&mut self, message: &Message<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.check(message)?;
        message.encode(out)?;
        match message {
            Message::StreamStart(body) => self.stream = Some(body.xid),
            Message::StreamStop => self.stream = None,
            _ => {}
        }
        Ok(())
    }

    fn check(self, message: &Message<'_>) -> Result<(), EncodeError> {
        let (tag, in_stream) = (message.tag(), self.stream.is_some());
        match tag {
            Tag::STREAM_START if in_stream => Err(EncodeError::NestedStreamStart),
            Tag::STREAM_STOP if !in_stream => Err(EncodeError::StrayStreamStop),
            _ if in_stream && Message::is_control(tag) => Err(EncodeError::InsideStream(tag)),
            _ if !Message::carries_stream_xid(tag) => Ok(()),
            _ => match (in_stream, message.stream_xid()) {
                (true, None) => Err(EncodeError::MissingXid(tag)),
                (false, Some(_)) => Err(EncodeError::UnexpectedXid(tag)),
                _ => Ok(()),
            },
        }
    }
}
