//! The contents of a capture as message tags.

use std::collections::BTreeMap;

use pgoutput_decode::{DecodeError, Decoder, Message};

use super::{Capture, Frame};

/// Returns the first byte of every message, a line for each section, without repeated descriptions.
///
/// # Errors
/// If a frame cannot be decoded.
pub fn kinds(capture: &Capture) -> Result<String, DecodeError> {
    let mut new = WithoutRepetitions::default();
    let mut lines = String::new();
    for section in &capture.sections {
        lines += &section.title;
        lines += ": ";
        for frame in &section.frames {
            if new.next(frame)?.is_some() {
                lines.extend(frame.bytes.first().map(|tag| char::from(*tag)));
            }
        }
        lines.push('\n');
    }
    Ok(lines)
}

/// The messages of a stream without Relation and Type messages that repeat earlier ones.
///
/// The number of repetitions depends on timing: a server repeats them whenever another session's
/// change of a catalogue invalidates its cache, and invalidations are not ordered with the WAL.
#[derive(Debug, Default)]
pub struct WithoutRepetitions<'a> {
    decoder: Decoder,
    described: BTreeMap<(u8, u32), Message<'a>>,
}

impl<'a> WithoutRepetitions<'a> {
    /// Returns the message of the stream's next frame, unless it repeats an earlier one.
    ///
    /// # Errors
    /// If the frame cannot be decoded.
    pub fn next(&mut self, frame: &'a Frame) -> Result<Option<Message<'a>>, DecodeError> {
        let message = self.decoder.decode(&frame.bytes)?;
        // The transaction does not matter.
        let (key, description) = match message {
            Message::Relation(mut body) => {
                body.xid = None;
                ((b'R', body.oid.as_u32()), Message::Relation(body))
            }
            Message::Type(mut body) => {
                body.xid = None;
                ((b'Y', body.oid.as_u32()), Message::Type(body))
            }
            _ => return Ok(Some(message)),
        };
        let before = self.described.insert(key, description);
        Ok((before != Some(description)).then_some(message))
    }
}
