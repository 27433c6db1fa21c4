//! Messages that a server may send at any time, in addition to the result of a command.

use std::collections::BTreeMap;

use crate::error::{Error, LimitError, ProtocolError, ServerMessage};
use crate::proto::backend::Message;
use crate::proto::lossy;

/// The most parameters, and the most notices not taken yet, that are kept.
const KEPT_LIMIT: usize = 256;

/// The longest name plus value of a parameter, in bytes.
const PARAMETER_LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct AsyncMessages {
    /// Parameters by name, as last reported.
    pub(super) parameters: BTreeMap<String, String>,
    /// Notices not taken yet.
    pub(super) notices: Vec<ServerMessage>,
}

impl AsyncMessages {
    /// Keeps a notice or a parameter. An ErrorResponse, or a message that is not allowed now, is an
    /// error.
    pub(super) fn take(
        &mut self,
        message: Message<'_>,
        tag: u8,
        during: &'static str,
    ) -> Result<(), Error> {
        match message {
            Message::NoticeResponse(fields) => {
                self.notices.push(fields.to_message(true));
                bounded(self.notices.len(), "notices")
            }
            Message::ParameterStatus { name, value } => {
                let length = name.len() + value.len();
                if length > PARAMETER_LIMIT {
                    let (length, limit) = (length as u64, PARAMETER_LIMIT as u64);
                    return Err(LimitError::Message { tag, length, limit }.into());
                }
                self.parameters.insert(lossy(name), lossy(value));
                bounded(self.parameters.len(), "parameters")
            }
            // A walsender that has streamed before also sends keepalives while it looks for the
            // start of a slot. Notifications are for LISTEN, which is not used here.
            Message::CopyData([b'k', ..]) | Message::NotificationResponse => Ok(()),
            Message::ErrorResponse(fields) => Err(fields.to_message(true).into()),
            _ => Err(ProtocolError::Unexpected { tag, during }.into()),
        }
    }
}

fn bounded(kept: usize, unit: &'static str) -> Result<(), Error> {
    if kept > KEPT_LIMIT {
        return Err(LimitError::Kept { limit: KEPT_LIMIT, unit }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_number_of_kept_messages_is_limited() {
        let mut messages = AsyncMessages { parameters: BTreeMap::new(), notices: Vec::new() };
        let mut take = |tag, body: &[u8]| {
            messages
                .take(Message::parse(tag, body).unwrap(), tag, "testing")
                .map_err(Error::into_kind)
        };
        for round in 0..KEPT_LIMIT {
            take(b'N', b"Mhello\0\0").unwrap();
            // The same parameter again does not count.
            take(b'S', b"TimeZone\0UTC\0").unwrap();
            if round > 0 {
                take(b'S', format!("p{round}\0x\0").as_bytes()).unwrap();
            }
        }
        let kept = |result| {
            matches!(result, Err(ErrorKind::Limit(LimitError::Kept { limit: KEPT_LIMIT, .. })))
        };
        assert!(kept(take(b'N', b"Mhello\0\0")));
        assert!(kept(take(b'S', b"one more\0x\0")));
        let long = [&b"p1\0"[..], &vec![b'x'; PARAMETER_LIMIT], b"\0"].concat();
        assert!(matches!(take(b'S', &long), Err(ErrorKind::Limit(LimitError::Message { .. }))));
    }
}
