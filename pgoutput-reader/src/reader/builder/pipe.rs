//! Readers whose events are stored in a sink.

use pgoutput_decode::Lsn;

use super::ReaderBuilder;
use crate::delivery::Acknowledge;
use crate::error::Error;
use crate::event::Position;
use crate::reader::SlotCreation;

impl ReaderBuilder {
    /// Checks that a position that a sink stores is of use later.
    pub(crate) fn check_pipe(&self) -> Result<(), Error> {
        if self.slot_creation == SlotCreation::Temporary {
            return Err(Error::usage(
                "a temporary slot is gone with its connection, so a position that a sink has \
                 stored is of no use later: create a permanent slot",
            ));
        }
        if self.resume.is_some() {
            return Err(Error::usage("the sink has the position: leave resume out"));
        }
        if self.acknowledge == Acknowledge::Never {
            return Err(Error::usage(
                "a pipe acknowledges what the sink has stored: leave Acknowledge::Never out",
            ));
        }
        Ok(())
    }

    /// Starts after the position that a sink has stored, if it has one.
    pub(crate) fn after_stored(mut self, stored: Option<Position>) -> Self {
        if self.acknowledge == Acknowledge::Automatic {
            self.acknowledge = Acknowledge::Manual;
        }
        match stored {
            None => self.refuse_read_slot = true,
            // The LSN is there to skip what is before it.
            Some(stored) if stored.commit_lsn() < self.start.start_lsn => {}
            Some(stored) => {
                self.start.start_lsn = Lsn::ZERO;
                self.resume = Some(stored);
            }
        }
        self
    }
}
