//! The steps of a replication stream: receiving, waiting, and what is due meanwhile.

use std::cell::LazyCell;
use std::time::{Duration, Instant};

use pgoutput_decode::{CopyData, Lsn, PrimaryKeepalive, TimestampTz, XLogData};

use super::ReplicationStream;
use crate::connection::Advance;
use crate::error::{Error, ErrorKind};
use crate::io::BodyRange;
use crate::proto::liveness::LivenessAction;

/// The result of a step. It borrows nothing: a message is a range of the receive buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A message, in the receive buffer until the next step.
    Message(Frame),
    #[cfg_attr(
        all(not(feature = "reader"), not(test)),
        expect(dead_code, reason = "only Reader uses it")
    )]
    Keepalive(PrimaryKeepalive),
    /// The server left out a publication, which the settings allow: see
    /// [`ReplicationStream::take_skipped_publications`].
    PublicationSkipped,
    /// The deadline passed; nothing was lost.
    TimedOut,
    /// A [`StopHandle`](crate::io::StopHandle) was used, and no complete message is left.
    Stopped,
}

/// The range of a message in the receive buffer, and the fields of its envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(super) position: BodyRange,
    pub(super) wal_start: Lsn,
    pub(super) wal_end: Lsn,
    pub(super) send_time: TimestampTz,
}

/// The time after a deadline during which messages that are no events are still processed, since an
/// event may follow them.
const OVERRUN: Duration = Duration::from_millis(20);

/// Returns whether a deadline passed so long ago that the wait must end, although the server keeps
/// sending messages that are no events.
pub(crate) fn is_late(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline.elapsed() > OVERRUN)
}

impl ReplicationStream {
    /// Advances to the next message or keepalive, and sends what is due meanwhile. An error
    /// finishes the stream.
    pub(crate) fn step(&mut self, deadline: Option<Instant>) -> Result<Step, Error> {
        self.step_until(|| deadline)
    }

    /// Does the same as [`step`](Self::step). `deadline` is called only if no complete message of
    /// the copy has arrived.
    pub(crate) fn step_until(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<Step, Error> {
        self.try_step(&LazyCell::new(deadline)).map_err(|error| {
            self.finish();
            let (server, received) = (self.copy.server_version(), self.status.positions().write);
            self.publications.explain(error, server, received)
        })
    }

    /// Finishes the stream after an error: nothing more is sent.
    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.heartbeat = None;
    }

    fn try_step(
        &mut self,
        deadline: &LazyCell<Option<Instant>, impl FnOnce() -> Option<Instant>>,
    ) -> Result<Step, Error> {
        loop {
            if self.finished {
                return Ok(Step::Stopped);
            }
            if self.heartbeat.is_none() || self.is_update_requested {
                self.is_update_requested = false;
                self.status.send_due(Instant::now())?;
            }
            let advance = match self.copy.advance_buffered()? {
                Some(advance) => advance,
                None if self.stop.is_stopped() => return Ok(Step::Stopped),
                None => self.wait(**deadline)?,
            };
            match advance {
                Advance::Copy(position) => return self.open(position),
                Advance::Notice(notice) => {
                    let received = self.status.positions().write;
                    let skipped = self.publications.parse_warning(&notice, received);
                    self.note(*notice);
                    if let Some(skipped) = skipped {
                        return self.skip(skipped);
                    }
                    if is_late(**deadline) {
                        return Ok(Step::TimedOut);
                    }
                }
                Advance::Handled if is_late(**deadline) => return Ok(Step::TimedOut),
                Advance::TimedOut
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) =>
                {
                    return Ok(Step::TimedOut);
                }
                Advance::Handled | Advance::TimedOut | Advance::Woken => {}
                Advance::Ended => return Err(Error::copy_ended(self.copy.address())),
            }
        }
    }

    /// Waits for the server, until `deadline` or until there is something else to do.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<Advance, Error> {
        let start = Instant::now();
        self.status.send_due(start)?;
        let wake_at = [deadline, self.silence.due_at()]
            .into_iter()
            .flatten()
            .fold(self.status.due_at(), Ord::min);
        let advance = self.copy.advance(Some(wake_at))?;
        let received_at = self.copy.received_at();
        self.silence.received(received_at);
        // Nothing was left to read, so the silence is the server's, however long the caller paused.
        if advance == Advance::TimedOut && received_at < start {
            self.check_silence()?;
        }
        Ok(advance)
    }

    fn check_silence(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        match self.silence.action(now) {
            LivenessAction::Wait => Ok(()),
            LivenessAction::Ask => {
                self.silence.request_sent(now);
                self.status.send(true)
            }
            LivenessAction::Over => {
                let (address, limit) = (self.copy.address().into(), self.silence.limit());
                Err(ErrorKind::ServerSilent { address, limit }.into())
            }
        }
    }

    /// Decodes an envelope.
    fn open(&mut self, position: BodyRange) -> Result<Step, Error> {
        match CopyData::decode(self.copy.payload(position))? {
            CopyData::XLogData(XLogData { wal_start, wal_end, send_time, .. }) => {
                self.received(wal_start.max(wal_end), send_time);
                self.position = if wal_start.is_zero() { self.position } else { wal_start };
                Ok(Step::Message(Frame { position, wal_start, wal_end, send_time }))
            }
            CopyData::PrimaryKeepalive(keepalive) => {
                self.received(keepalive.wal_end, keepalive.send_time);
                if keepalive.reply_requested() {
                    self.status.request();
                    self.is_update_requested = true;
                }
                Ok(Step::Keepalive(keepalive))
            }
        }
    }

    fn received(&mut self, lsn: Lsn, send_time: TimestampTz) {
        self.server_wal_end = self.server_wal_end.max(lsn);
        self.last_send_time = Some(send_time);
        self.status.received(lsn);
    }
}
