//! The output of `pg_recvlogical -f -`: messages, each followed by a line feed.
//!
//! A message may contain line feeds, but it determines its own end. There is one exception: Stream
//! Abort has two lengths. The short form is 9 bytes long, and in the long form the tenth byte is
//! the highest byte of an LSN. That is a line feed only beyond the LSN A000000/0, after 700
//! petabytes of WAL, and such a message is read as the short form.

use pgoutput_decode::{ErrorKind, Message, StreamAbortForm, Tag};

use super::input::{Problem, Step};

/// The length of the short form of Stream Abort.
const SHORT_ABORT: usize = 9;

/// Finds the end of the message at the front.
pub(crate) fn next(bytes: &[u8], is_end: bool, in_stream: bool) -> Result<Step, Problem> {
    let Some(tag) = bytes.first().copied().map(Tag) else {
        return Ok(if is_end { Step::End } else { Step::More(1) });
    };
    let form = match bytes.get(SHORT_ABORT) {
        None if tag == Tag::STREAM_ABORT && !is_end => return Ok(Step::More(SHORT_ABORT + 1)),
        Some(b'\n') => StreamAbortForm::Short,
        _ => StreamAbortForm::Long,
    };
    let rest = match Message::decode_prefix(bytes, in_stream, form) {
        Ok((_, rest)) => rest,
        Err(error) => {
            let needed = match error.kind() {
                ErrorKind::Truncated { needed, .. } => error.offset().saturating_add(needed),
                // The terminator may be the next byte.
                ErrorKind::MissingTerminator { .. } => bytes.len() + 1,
                _ => return Err(Problem::Message(error)),
            };
            return if is_end { Err(Problem::Incomplete(error)) } else { Ok(Step::More(needed)) };
        }
    };
    let message = bytes.len() - rest.len();
    match rest.first() {
        Some(b'\n') => Ok(Step::Bytes { message, used: message + 1 }),
        Some(found) => Err(Problem::NoLineFeed { tag, found: *found }),
        // The line feed is written separately, so the input can end before it.
        None if is_end => Ok(Step::Bytes { message, used: message }),
        None => Ok(Step::More(message + 1)),
    }
}
