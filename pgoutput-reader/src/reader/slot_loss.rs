//! What the server's last words mean for the slot.

use super::tables::Tables;
use crate::error::SetupError;
use crate::{Error, ErrorKind};

/// The reason behind an error of the server, where the catalogue has one: a slot that was invalidated.
///
/// Only for what a server says that goes on: one that is gone would be waited for in vain.
pub(super) fn explain(error: Error, tables: &mut Tables, slot: &str) -> Error {
    let reason: Option<Error> = match error.sqlstate() {
        // How a server lets a slot go that it is about to invalidate; and what it says of one that it has.
        Some("57P01" | "55000") => match tables.catalog().slot_status(slot) {
            Ok(status) if status.is_lost() => {
                let reason = status.invalidation_reason.unwrap_or_else(|| "wal_status lost".into());
                Some(SetupError::SlotLost { slot: slot.into(), reason }.into())
            }
            // A temporary slot is gone with its connection, and that is no reason.
            _ => None,
        },
        _ => None,
    };
    // The catalogue may be out of reach too: then the server's own words stand.
    match reason {
        Some(reason) if matches!(reason.kind(), ErrorKind::Setup(_)) => reason,
        _ => error,
    }
}
