//! The source of a reader: one of several, which the settings choose.

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, XLogData};

use super::replayed::ReplayedFrame;
use super::{CopyPart, PollFrame, Polling, Recording, Replayed, Replication, Source, Step};
use crate::capture::Recorder;
use crate::catalog::Catalog;
use crate::delivery::{Between, Due};
use crate::error::{CaptureError, Error, ServerMessage};
use crate::event::StreamIdentity;
use crate::io::StopHandle;
use crate::schema::{Facts, Need, Schemas};
use crate::snapshot::SnapshotProgress;
use crate::stream::{Frame, Health, StreamEvent};

/// The source of a reader.
#[derive(Debug)]
pub(crate) enum AnySource {
    Replication(Box<Replication>),
    /// Another source, which is captured.
    Recording(Box<Recording>),
    /// A capture.
    Replayed(Box<Replayed>),
    Polling(Box<Polling>),
}

/// The message of the last step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyFrame {
    Replication(Frame),
    Replayed(ReplayedFrame),
    Polling(PollFrame),
}

impl AnySource {
    pub(crate) fn stop_handle(&self) -> StopHandle {
        match self {
            Self::Replication(source) => source.stop_handle(),
            Self::Recording(recording) => recording.source.stop_handle(),
            Self::Replayed(source) => source.stop_handle(),
            Self::Polling(source) => source.stop_handle(),
        }
    }

    /// Returns the SQL connection.
    pub(crate) fn catalog(&mut self) -> Result<&mut Catalog, Error> {
        match self {
            Self::Replication(source) => Ok(source.catalog()),
            Self::Recording(recording) => recording.source.catalog(),
            Self::Replayed(_) => Err(no_server("a query")),
            Self::Polling(source) => Ok(source.catalog()),
        }
    }

    /// Returns the replication connection.
    pub(crate) fn replication(&mut self) -> Result<&mut Replication, Error> {
        match self {
            Self::Replication(source) => Ok(source),
            Self::Recording(recording) => recording.source.replication(),
            Self::Replayed(_) => Err(no_server("add_tables")),
            Self::Polling(_) => Err(Error::usage(
                "this needs a replication connection, and the reader polls: leave out poll",
            )),
        }
    }

    /// Returns the message of the last step as it was received.
    pub(crate) fn message(&self, frame: AnyFrame) -> Option<XLogData<'_>> {
        match (self, frame) {
            (Self::Replication(source), AnyFrame::Replication(frame)) => source.message(frame),
            (Self::Recording(recording), frame) => recording.source.message(frame),
            // Only a replication connection is captured.
            _ => None,
        }
    }

    /// Returns the writer of the capture.
    pub(crate) fn recorder(&mut self) -> Result<&mut Recorder, Error> {
        match self {
            Self::Recording(recording) => Ok(&mut recording.recorder),
            Self::Replication(_) | Self::Replayed(_) | Self::Polling(_) => {
                Err(CaptureError::NotCapturing.into())
            }
        }
    }

    /// Sends a status update if one is due.
    pub(crate) fn tick(&mut self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.tick(),
            Self::Recording(recording) => recording.source.tick(),
            Self::Replayed(_) | Self::Polling(_) => Ok(()),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self {
            Self::Replication(source) => source.health(),
            Self::Recording(recording) => recording.source.health(),
            Self::Replayed(source) => source.health(),
            Self::Polling(source) => source.health(),
        }
    }

    pub(crate) fn copy_progress(&self) -> Option<SnapshotProgress> {
        match self {
            Self::Replication(source) => source.copy_progress(),
            Self::Recording(recording) => recording.source.copy_progress(),
            Self::Replayed(_) | Self::Polling(_) => None,
        }
    }

    /// Returns the notices and warnings since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<ServerMessage> {
        match self {
            Self::Replication(source) => source.take_notices(),
            Self::Recording(recording) => recording.source.take_notices(),
            Self::Replayed(_) => Vec::new(),
            Self::Polling(source) => source.take_notices(),
        }
    }

    /// Reports the acknowledged LSN and closes the source.
    pub(crate) fn stop(self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.stop(),
            Self::Recording(recording) => recording.stop(),
            Self::Replayed(_) => Ok(()),
            Self::Polling(source) => source.stop(),
        }
    }
}

impl Source for AnySource {
    type Frame = AnyFrame;

    #[inline]
    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<AnyFrame>, Error> {
        match self {
            Self::Replication(source) => Ok(source.step(wake_at)?.map(AnyFrame::Replication)),
            Self::Recording(source) => source.step(wake_at),
            Self::Replayed(source) => Ok(source.step(wake_at)?.map(AnyFrame::Replayed)),
            Self::Polling(source) => Ok(source.step(wake_at)?.map(AnyFrame::Polling)),
        }
    }

    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<AnyFrame>, Error> {
        match self {
            Self::Replication(source) => {
                Ok(source.step_after_stop(deadline)?.map(AnyFrame::Replication))
            }
            Self::Recording(source) => source.step_after_stop(deadline),
            Self::Replayed(source) => Ok(source.step_after_stop(deadline)?.map(AnyFrame::Replayed)),
            Self::Polling(source) => Ok(source.step_after_stop(deadline)?.map(AnyFrame::Polling)),
        }
    }

    #[inline]
    fn between(&mut self, between: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        match self {
            Self::Replication(source) => source.between(between),
            Self::Recording(source) => source.between(between),
            Self::Replayed(source) => source.between(between),
            Self::Polling(source) => source.between(between),
        }
    }

    #[inline]
    fn due_at(&self) -> Option<Instant> {
        match self {
            Self::Replication(source) => source.due_at(),
            Self::Recording(source) => source.due_at(),
            Self::Replayed(source) => source.due_at(),
            Self::Polling(source) => source.due_at(),
        }
    }

    #[inline]
    fn read(&mut self, frame: AnyFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        match (self, frame) {
            (Self::Replication(source), AnyFrame::Replication(frame)) => source.read(frame),
            (Self::Recording(source), frame) => source.read(frame),
            (Self::Replayed(source), AnyFrame::Replayed(frame)) => source.read(frame),
            (Self::Polling(source), AnyFrame::Polling(frame)) => source.read(frame),
            // A frame is read from the source that it came from.
            (Self::Replication(_) | Self::Replayed(_) | Self::Polling(_), _) => Ok(None),
        }
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        match self {
            Self::Replication(source) => source.copy_part(),
            Self::Recording(source) => source.copy_part(),
            Self::Replayed(source) => source.copy_part(),
            Self::Polling(_) => None,
        }
    }

    #[inline]
    fn release(&mut self) {
        match self {
            Self::Replication(source) => source.release(),
            Self::Recording(source) => source.release(),
            Self::Replayed(source) => source.release(),
            Self::Polling(source) => source.release(),
        }
    }

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        match self {
            Self::Replication(source) => source.answer(need, schemas),
            Self::Recording(source) => source.answer(need, schemas),
            Self::Replayed(source) => source.answer(need, schemas),
            Self::Polling(source) => source.answer(need, schemas),
        }
    }

    fn perform(&mut self, due: Due<'_>) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.perform(due),
            Self::Recording(source) => source.perform(due),
            Self::Replayed(source) => source.perform(due),
            Self::Polling(source) => source.perform(due),
        }
    }

    fn commits_wait(&self) -> bool {
        match self {
            Self::Replication(source) => source.commits_wait(),
            Self::Recording(source) => source.commits_wait(),
            Self::Replayed(source) => source.commits_wait(),
            Self::Polling(source) => source.commits_wait(),
        }
    }

    fn caught_up(&mut self, lsn: Lsn) {
        match self {
            Self::Replication(source) => source.caught_up(lsn),
            Self::Recording(source) => source.caught_up(lsn),
            Self::Replayed(source) => source.caught_up(lsn),
            Self::Polling(source) => source.caught_up(lsn),
        }
    }

    #[inline]
    fn delivered(&mut self) {
        match self {
            Self::Replication(source) => source.delivered(),
            Self::Recording(source) => source.delivered(),
            Self::Replayed(source) => source.delivered(),
            Self::Polling(source) => source.delivered(),
        }
    }

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.replace_stream(error),
            Self::Recording(source) => source.replace_stream(error),
            Self::Replayed(source) => source.replace_stream(error),
            Self::Polling(source) => source.replace_stream(error),
        }
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        match self {
            Self::Replication(source) => source.keep_alive(),
            Self::Recording(source) => source.keep_alive(),
            Self::Replayed(source) => source.keep_alive(),
            Self::Polling(source) => source.keep_alive(),
        }
    }

    fn start_lsn(&self) -> Lsn {
        match self {
            Self::Replication(source) => source.start_lsn(),
            Self::Recording(source) => source.start_lsn(),
            Self::Replayed(source) => source.start_lsn(),
            Self::Polling(source) => source.start_lsn(),
        }
    }

    fn is_stopped(&self) -> bool {
        match self {
            Self::Replication(source) => source.is_stopped(),
            Self::Recording(source) => source.is_stopped(),
            Self::Replayed(source) => source.is_stopped(),
            Self::Polling(source) => source.is_stopped(),
        }
    }

    fn is_stop(&self, error: &Error) -> bool {
        match self {
            Self::Replication(source) => source.is_stop(error),
            Self::Recording(source) => source.is_stop(error),
            Self::Replayed(source) => source.is_stop(error),
            Self::Polling(source) => source.is_stop(error),
        }
    }
}

fn no_server(method: &'static str) -> Error {
    CaptureError::NoServer { method }.into()
}
