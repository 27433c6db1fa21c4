//! The source of the messages of a reader, pulled one step at a time.

mod any;
#[cfg(test)]
pub(crate) mod capture;
mod identity;
mod initial_copy;
mod lock_watch;
#[cfg(test)]
pub(crate) mod mock_server;
mod open;
mod open_added;
mod open_copy;
mod outage;
mod poll;
mod publication_watch;
mod reconnect_policy;
mod recording;
mod replayed;
mod replication;
mod stability;
mod started;
mod stream_settings;
mod verify;

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Oid, PrimaryKeepalive};

use crate::delivery::{Between, Due};
use crate::error::Error;
use crate::event::{CopyContext, StreamIdentity};
use crate::schema::{Facts, Need, Schemas};
use crate::stream::StreamEvent;
pub(crate) use any::AnySource;
pub(crate) use identity::identify;
pub(crate) use initial_copy::CopyStep;
pub(crate) use open::{Opened, StreamOpener};
pub(crate) use open_copy::temporary_name;
pub(crate) use poll::{PollFrame, PollOpener, Polling};
pub(crate) use reconnect_policy::{OnReconnect, OnReconnected};
pub use reconnect_policy::{Reconnect, ReconnectAttempt, Reconnected};
pub(crate) use recording::Recording;
pub(crate) use replayed::Replayed;
pub(crate) use replication::Replication;
pub use started::Started;
pub(crate) use stream_settings::{OnSkipped, OnSlotAtRisk, StreamSettings};
pub(crate) use verify::Stored;

/// A sequence of replication streams, each a repetition and continuation of the one before.
pub(crate) trait Source {
    /// The range of a message in the receive buffer, until the next step.
    type Frame: Copy + std::fmt::Debug;

    /// Waits for the next step, until `wake_at`, which is called only if a wait is necessary.
    ///
    /// # Errors
    /// Give the error to [`replace_stream`](Self::replace_stream).
    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<Self::Frame>, Error>;

    /// Does the same as [`step`](Self::step), also after the source was stopped.
    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<Self::Frame>, Error>;

    /// Starts what can only come between two transactions. Returns the identity of the positions
    /// that follow if its known tables are others.
    ///
    /// # Errors
    /// Give the error to [`replace_stream`](Self::replace_stream).
    fn between(&mut self, _: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        Ok(None)
    }

    /// Returns the time at which [`between`](Self::between) has something to do.
    fn due_at(&self) -> Option<Instant> {
        None
    }

    /// Decodes the message of the last step; `None` if its stream is gone.
    fn read(&mut self, frame: Self::Frame) -> Result<Option<StreamEvent<'_>>, Error>;

    /// Returns the part of the initial copy that the last step is about; `None` if there is no
    /// copy.
    fn copy_part(&self) -> Option<CopyPart<'_>> {
        None
    }

    /// Releases the message of the last step.
    fn release(&mut self);

    /// Queries the catalogue for a fact.
    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error>;

    /// Performs the actions that are due.
    fn perform(&mut self, due: Due<'_>) -> Result<(), Error>;

    /// Returns whether commits on the server may wait for the flushed LSN.
    fn commits_wait(&self) -> bool;

    /// Records that the server has decoded everything before `lsn`, and nothing of it is on its
    /// way.
    fn caught_up(&mut self, lsn: Lsn);

    /// Records that an event of the last message was delivered.
    fn delivered(&mut self);

    /// Starts to replace the stream, which ended with this error.
    ///
    /// # Errors
    /// This error, if retrying cannot help or the policy forbids it.
    fn replace_stream(&mut self, error: Error) -> Result<(), Error>;

    /// Does what is due while messages that were kept are replayed, without waiting.
    ///
    /// # Errors
    /// A status update cannot be sent, and the policy forbids to replace the stream.
    fn keep_alive(&mut self) -> Result<(), Error>;

    /// Returns the LSN from which the current stream was started: the server sends a transaction
    /// from before only if its commit is later.
    fn start_lsn(&self) -> Lsn;

    /// Returns whether the source was stopped.
    fn is_stopped(&self) -> bool;

    /// Returns whether an error only says that the source was stopped.
    fn is_stop(&self, error: &Error) -> bool;
}

/// One step of a [`Source`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<F> {
    /// A message.
    Message(F),
    Keepalive(PrimaryKeepalive),
    /// The server left out a publication that does not exist, as the settings allow.
    PublicationSkipped,
    /// A part of the initial copy.
    Copy(CopyStep),
    /// A new stream has started. It repeats the events that its server does not know to be
    /// acknowledged.
    Restarted,
    /// The deadline passed; nothing was lost.
    TimedOut,
    /// The source was stopped, and no complete message is left.
    Stopped,
}

impl<F> Step<F> {
    /// Applies a function to the message.
    #[inline]
    fn map<G>(self, frame: impl FnOnce(F) -> G) -> Step<G> {
        match self {
            Self::Message(message) => Step::Message(frame(message)),
            Self::Keepalive(keepalive) => Step::Keepalive(keepalive),
            Self::PublicationSkipped => Step::PublicationSkipped,
            Self::Copy(copy) => Step::Copy(copy),
            Self::Restarted => Step::Restarted,
            Self::TimedOut => Step::TimedOut,
            Self::Stopped => Step::Stopped,
        }
    }
}

/// A part of an initial copy.
#[derive(Debug)]
pub(crate) struct CopyPart<'a> {
    pub(crate) context: &'a Arc<CopyContext>,
    /// The LSN of the snapshot.
    pub(crate) point: Lsn,
    /// The table; `None` after the last one.
    pub(crate) table: Option<Oid>,
    /// The Relation message of the table.
    pub(crate) relation: &'a [u8],
    /// The Insert message of the row.
    pub(crate) row: &'a [u8],
    /// The number of the row in the table, from 1.
    pub(crate) number: u64,
}
