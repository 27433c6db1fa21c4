//! What a server may say at any moment, beside the answer to a command.

use std::collections::BTreeMap;

use crate::Error;
use crate::error::{LimitError, ProtocolError, ServerMessage};
use crate::proto::backend::Message;
use crate::proto::lossy;

/// Most parameters, and most notices not yet taken, that are kept.
const KEPT_LIMIT: usize = 1024;

#[derive(Debug)]
pub(super) struct Aside {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) notices: Vec<ServerMessage>,
}

impl Aside {
    /// Keeps a notice or a parameter; an ErrorResponse, and whatever cannot come now, is an error.
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
                self.parameters.insert(lossy(name), lossy(value));
                bounded(self.parameters.len(), "parameters")
            }
            // A walsender that has streamed before sends keepalives also while it looks for the start of a slot.
            // Notifications are for LISTEN, which nothing here says.
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
