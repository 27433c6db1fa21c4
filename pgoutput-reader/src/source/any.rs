//! The source of a reader: one of several, which the settings choose.

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;

use super::{CopyPart, Replication, Source, Step};
use crate::catalog::Catalog;
use crate::delivery::{Between, Due};
use crate::error::{Error, ServerMessage};
use crate::event::StreamIdentity;
use crate::io::StopHandle;
use crate::schema::{Facts, Need, Schemas};
use crate::snapshot::SnapshotProgress;
use crate::stream::{Frame, Health, StreamEvent};

/// The source of a reader.
#[derive(Debug)]
pub(crate) enum AnySource {
    Replication(Box<Replication>),
}

/// The message of the last step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyFrame {
    Replication(Frame),
}

impl AnySource {
    pub(crate) fn stop_handle(&self) -> StopHandle {
        match self {
            Self::Replication(source) => source.stop_handle(),
        }
    }

    /// Returns the SQL connection.
    #[expect(clippy::unnecessary_wraps, reason = "other sources have none")]
    pub(crate) fn catalog(&mut self) -> Result<&mut Catalog, Error> {
        match self {
            Self::Replication(source) => Ok(source.catalog()),
        }
    }

    /// Returns the replication connection.
    #[expect(clippy::unnecessary_wraps, reason = "other sources have none")]
    pub(crate) fn replication(&mut self) -> Result<&mut Replication, Error> {
        match self {
            Self::Replication(source) => Ok(source),
        }
    }

    /// Sends a status update if one is due.
    pub(crate) fn tick(&mut self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.tick(),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self {
            Self::Replication(source) => source.health(),
        }
    }

    pub(crate) fn copy_progress(&self) -> Option<SnapshotProgress> {
        match self {
            Self::Replication(source) => source.copy_progress(),
        }
    }

    /// Returns the notices and warnings since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<ServerMessage> {
        match self {
            Self::Replication(source) => source.take_notices(),
        }
    }

    /// Reports the acknowledged LSN and closes the source.
    pub(crate) fn stop(self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.stop(),
        }
    }
}

impl Source for AnySource {
    type Frame = AnyFrame;

    #[inline]
    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<AnyFrame>, Error> {
        match self {
            Self::Replication(source) => Ok(source.step(wake_at)?.map(AnyFrame::Replication)),
        }
    }

    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<AnyFrame>, Error> {
        match self {
            Self::Replication(source) => {
                Ok(source.step_after_stop(deadline)?.map(AnyFrame::Replication))
            }
        }
    }

    #[inline]
    fn between(&mut self, between: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        match self {
            Self::Replication(source) => source.between(between),
        }
    }

    #[inline]
    fn due_at(&self) -> Option<Instant> {
        match self {
            Self::Replication(source) => source.due_at(),
        }
    }

    #[inline]
    fn read(&mut self, frame: AnyFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        match (self, frame) {
            (Self::Replication(source), AnyFrame::Replication(frame)) => source.read(frame),
        }
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        match self {
            Self::Replication(source) => source.copy_part(),
        }
    }

    #[inline]
    fn release(&mut self) {
        match self {
            Self::Replication(source) => source.release(),
        }
    }

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        match self {
            Self::Replication(source) => source.answer(need, schemas),
        }
    }

    fn perform(&mut self, due: Due<'_>) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.perform(due),
        }
    }

    fn commits_wait(&self) -> bool {
        match self {
            Self::Replication(source) => source.commits_wait(),
        }
    }

    fn caught_up(&mut self, lsn: Lsn) {
        match self {
            Self::Replication(source) => source.caught_up(lsn),
        }
    }

    #[inline]
    fn delivered(&mut self) {
        match self {
            Self::Replication(source) => source.delivered(),
        }
    }

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.replace_stream(error),
        }
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.keep_alive(),
        }
    }

    fn start_lsn(&self) -> Lsn {
        match self {
            Self::Replication(source) => source.start_lsn(),
        }
    }

    fn is_stopped(&self) -> bool {
        match self {
            Self::Replication(source) => source.is_stopped(),
        }
    }

    fn is_stop(&self, error: &Error) -> bool {
        match self {
            Self::Replication(source) => source.is_stop(error),
        }
    }
}
