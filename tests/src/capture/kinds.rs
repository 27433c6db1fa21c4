//! What a capture holds, in letters.

use std::collections::BTreeMap;

use pgoutput_decode::{DecodeError, Decoder, Message};

use super::{Capture, Frame};

/// The first byte of every message, a line for each section; without the descriptions that say nothing new.
///
/// # Errors
/// A frame that cannot be decoded.
pub fn kinds(capture: &Capture) -> Result<String, DecodeError> {
    let mut new = News::default();
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

/// The messages of a stream without Relation and Type messages that repeat what was said before.
///
/// How often a server repeats them is a matter of chance: it does so whenever another session's change of a catalogue
/// has made it forget that it has sent them, and the news of such a change travel beside the log.
#[derive(Debug, Default)]
pub struct News<'a> {
    decoder: Decoder,
    said: BTreeMap<(u8, u32), Message<'a>>,
}

impl<'a> News<'a> {
    /// The message of the stream's next frame, unless it repeats what was said.
    ///
    /// # Errors
    /// A frame that cannot be decoded.
    pub fn next(&mut self, frame: &'a Frame) -> Result<Option<Message<'a>>, DecodeError> {
        let message = self.decoder.decode(&frame.bytes)?;
        // Whose transaction it is does not matter.
        let (key, said) = match message {
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
        let before = self.said.insert(key, said);
        Ok((before != Some(said)).then_some(message))
    }
}
