//! The replacement of a lost connection, and the error of one that is not replaced.

use std::time::Instant;

use super::Replication;
use super::copy::needs_other_snapshot;
use crate::error::{
    Error, ErrorKind, SetupError, SnapshotError, SpillError, StreamError, is_transient,
};
use crate::listener::REPORTED;
use crate::proto::Streaming;
use crate::source::outage::Outage;

impl Replication {
    /// Replaces an error that the server reports only in general terms, if the catalogue has the
    /// cause: the slot was invalidated.
    pub(super) fn explained(&mut self, error: Error) -> Error {
        // 57P01 ends a connection whose slot is being invalidated, 55000 refuses one that was. A
        // temporary slot disappears with its connection, which explains nothing.
        if !matches!(error.sqlstate(), Some("57P01" | "55000")) {
            return error;
        }
        let slot = &self.opener.start.slot;
        match self.catalog.slot_status(slot) {
            Ok(status) if status.is_lost() => {
                let reason = status.invalidation_reason.unwrap_or_else(|| "wal_status lost".into());
                SetupError::SlotLost { slot: slot.clone(), reason }.into()
            }
            // Without an answer of the catalogue, the server's error stays.
            _ => error,
        }
    }

    /// Returns whether another stream can go on after this error, since the server then keeps
    /// transactions until they commit.
    fn can_do_without_streaming(&self, error: &Error) -> bool {
        let helps = match error.kind() {
            ErrorKind::Spill(SpillError::Limit { .. } | SpillError::Write { .. }) => {
                self.settings.falls_back
            }
            ErrorKind::Stream(StreamError::MessageInChunk { .. }) => true,
            _ => false,
        };
        helps && self.opener.start.options.streaming != Some(Streaming::Off)
    }

    /// Starts to replace the connection, which ended with this error.
    ///
    /// # Errors
    /// This error, or that of giving up. Of a copy, it names the slot.
    pub(super) fn replace(&mut self, error: Error) -> Result<(), Error> {
        self.replaced(error).map_err(|error| self.named(error))
    }

    /// Adds the name of the slot, which keeps WAL, to an error that ended a copy.
    pub(super) fn named(&self, error: Error) -> Error {
        match &self.lost_copy {
            Some(_) => SnapshotError::interrupted(&self.opener.start.slot, error),
            None => error,
        }
    }

    /// Does the same as [`replace`](Self::replace), without the name.
    pub(super) fn replaced(&mut self, error: Error) -> Result<(), Error> {
        let may_add_again = self.interrupt_addition() && needs_other_snapshot(&error);
        // After its end, a copy needs no other snapshot.
        if let Some(copy) = self.copy.take().filter(|copy| !copy.is_complete()) {
            if self.settings.ends_after_copy() {
                return Err(SnapshotError::Incomplete { cause: error }.into());
            }
            let slot = self.opener.start.slot.clone();
            if self.settings.temporary {
                return Err(ErrorKind::TemporarySlotLost { slot, cause: error }.into());
            }
            self.lost_copy = Some((copy.copied(), copy.repeats()));
            self.identity = copy.identity();
            if !is_transient(&error) && !needs_other_snapshot(&error) {
                return Err(error);
            }
            if self.stability.is_stable(Instant::now(), self.settings.reconnect.stable_after()) {
                self.outage = None;
            }
        } else if !(may_add_again || is_transient(&error) || self.can_do_without_streaming(&error))
        {
            return Err(error);
        }
        if self.settings.temporary {
            let slot = self.opener.start.slot.clone();
            return Err(ErrorKind::TemporarySlotLost { slot, cause: error }.into());
        }
        if self.settings.reconnect.is_never() {
            return Err(error);
        }
        if self.can_do_without_streaming(&error) {
            log::warn!(target: REPORTED, "{error}; the reader continues with streaming off");
            self.opener.start.options.streaming = Some(Streaming::Off);
        }
        let now = Instant::now();
        if let Some(stream) = self.stream.take() {
            self.keep_state(stream);
            if self.stability.is_stable(now, self.settings.reconnect.stable_after()) {
                self.outage = None;
            }
        }
        let outage = match self.outage.take() {
            Some(mut outage) => {
                outage.failed(error);
                outage
            }
            None => Box::new(Outage::new(error, now)),
        };
        self.schedule(outage)
    }
}
