//! A source that writes what another one receives to a capture.

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;

use super::any::AnyFrame;
use super::{AnySource, CopyPart, Source, Step};
use crate::capture::Recorder;
use crate::delivery::{Between, Due};
use crate::error::Error;
use crate::event::StreamIdentity;
use crate::schema::{Facts, Need, Schemas};
use crate::stream::StreamEvent;

/// A source whose messages are captured before they are processed.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) source: AnySource,
    pub(crate) recorder: Recorder,
}

impl Recording {
    /// Ends the capture, and closes the source.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        // The source reports what was acknowledged, which must be in the file by then.
        let finished = self.recorder.finish();
        let stopped = self.source.stop();
        finished?;
        stopped
    }

    fn record(&mut self, step: Step<AnyFrame>) -> Result<Step<AnyFrame>, Error> {
        match &step {
            Step::Message(frame) => {
                if let Some(message) = self.source.message(*frame) {
                    self.recorder.message(&message)?;
                }
            }
            Step::Keepalive(keepalive) => self.recorder.keepalive(keepalive)?,
            Step::Restarted => self.recorder.restart(self.source.start_lsn())?,
            Step::PublicationSkipped | Step::Copy(_) | Step::TimedOut | Step::Stopped => {}
        }
        Ok(step)
    }
}

impl Source for Recording {
    type Frame = AnyFrame;

    fn step(&mut self, wake_at: impl FnOnce() -> Instant) -> Result<Step<AnyFrame>, Error> {
        let step = self.source.step(wake_at)?;
        self.record(step)
    }

    fn step_after_stop(&mut self, deadline: Instant) -> Result<Step<AnyFrame>, Error> {
        let step = self.source.step_after_stop(deadline)?;
        self.record(step)
    }

    fn between(&mut self, between: Between<'_>) -> Result<Option<Arc<StreamIdentity>>, Error> {
        self.recorder.between(between.lsn, between.commit_lsn)?;
        self.source.between(between)
    }

    fn due_at(&self) -> Option<Instant> {
        self.source.due_at()
    }

    fn read(&mut self, frame: AnyFrame) -> Result<Option<StreamEvent<'_>>, Error> {
        self.source.read(frame)
    }

    fn copy_part(&self) -> Option<CopyPart<'_>> {
        self.source.copy_part()
    }

    fn release(&mut self) {
        self.source.release();
    }

    fn answer(&mut self, need: &Need, schemas: &Schemas) -> Result<Facts, Error> {
        let facts = self.source.answer(need, schemas)?;
        self.recorder.facts(need, &facts)?;
        Ok(facts)
    }

    fn perform(&mut self, due: Due<'_>) -> Result<(), Error> {
        self.source.perform(due)
    }

    fn commits_wait(&self) -> bool {
        self.source.commits_wait()
    }

    fn caught_up(&mut self, lsn: Lsn) {
        self.source.caught_up(lsn);
    }

    fn delivered(&mut self) {
        self.source.delivered();
    }

    fn replace_stream(&mut self, error: Error) -> Result<(), Error> {
        self.source.replace_stream(error)
    }

    fn keep_alive(&mut self) -> Result<(), Error> {
        self.source.keep_alive()
    }

    fn start_lsn(&self) -> Lsn {
        self.source.start_lsn()
    }

    fn is_stopped(&self) -> bool {
        self.source.is_stopped()
    }

    fn is_stop(&self, error: &Error) -> bool {
        self.source.is_stop(error)
    }
}
