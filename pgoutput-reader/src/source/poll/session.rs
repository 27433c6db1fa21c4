//! The session that polls: one transaction after another, each with two commands.

use std::collections::VecDeque;
use std::time::Instant;

use pgoutput_decode::Lsn;

use super::facts::{Facts, MessageRow, lsn};
use super::sql::{Part, Statements};
use crate::connection::{Connection, CopyOutAdvance, NOT_STARTED};
use crate::error::{Error, ServerMessage};
use crate::io::{BodyRange, WakePipe};

/// The connection and the command that it runs.
#[derive(Debug)]
pub(super) struct PollSession {
    connection: Connection,
    statements: Statements,
    command: RunningCommand,
}

/// The command whose results are arriving.
#[derive(Debug)]
enum RunningCommand {
    None,
    /// The one that starts the transaction, and the facts that it returned.
    Begin(Option<Facts>),
    /// The one that returns messages and ends the transaction.
    Batch {
        /// The results that have not started.
        parts: VecDeque<Part>,
        part: Option<Part>,
    },
    RollBack,
}

/// The result of waiting for the session.
#[derive(Debug, Clone, Copy)]
pub(super) enum PollStep {
    /// The transaction has started.
    Begun(Facts),
    /// The slot was advanced, and its confirmed LSN is this one.
    Advanced(Lsn),
    Message(PollFrame),
    /// The transaction is over.
    Ended,
    TimedOut,
    /// A [`Waker`](crate::Waker) was used.
    Woken,
}

/// The range of a message in the receive buffer, until the next step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PollFrame {
    body: BodyRange,
    /// The start of the message in the range.
    offset: usize,
    pub(super) lsn: Lsn,
}

impl PollSession {
    pub(super) fn new(mut connection: Connection, statements: Statements, wake: WakePipe) -> Self {
        connection.set_wake_pipe(wake);
        Self { connection, statements, command: RunningCommand::None }
    }

    /// Replaces the pipe that wakes the session.
    pub(super) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.connection.set_wake_pipe(wake);
    }

    /// Returns whether a transaction is open or a command runs.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.command, RunningCommand::None)
    }

    /// Starts the transaction.
    pub(super) fn begin(&mut self) -> Result<(), Error> {
        self.connection.send_copy_out(&self.statements.begin())?;
        self.command = RunningCommand::Begin(None);
        Ok(())
    }

    /// Advances the slot, reads messages and ends the transaction.
    pub(super) fn batch(
        &mut self,
        advance: Option<Lsn>,
        changes: Option<i32>,
    ) -> Result<(), Error> {
        let (sql, parts) = self.statements.batch(advance, changes);
        self.connection.send_copy_out(&sql)?;
        self.command = RunningCommand::Batch { parts: parts.into(), part: None };
        Ok(())
    }

    /// Ends the transaction after an error of the server.
    pub(super) fn roll_back(&mut self) -> Result<(), Error> {
        self.connection.send_copy_out("ROLLBACK")?;
        self.command = RunningCommand::RollBack;
        Ok(())
    }

    /// Returns what comes next, and waits for it until `deadline`.
    pub(super) fn step(
        &mut self,
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<PollStep, Error> {
        let mut deadline = Some(deadline);
        let mut known = None;
        loop {
            if let Some(step) = self.step_buffered()? {
                return Ok(step);
            }
            if let Some(deadline) = deadline.take() {
                known = deadline();
            }
            let advance = self.connection.advance_copy_out(|| known)?;
            if let Some(step) = self.advanced(advance)? {
                return Ok(step);
            }
        }
    }

    /// Returns what comes next if it has arrived.
    pub(super) fn step_buffered(&mut self) -> Result<Option<PollStep>, Error> {
        while let Some(advance) = self.connection.advance_copy_out_buffered()? {
            if let Some(step) = self.advanced(advance)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    fn advanced(&mut self, advance: CopyOutAdvance) -> Result<Option<PollStep>, Error> {
        match advance {
            CopyOutAdvance::Started => {
                if let RunningCommand::Batch { parts, part, .. } = &mut self.command {
                    *part = parts.pop_front();
                }
                Ok(None)
            }
            CopyOutAdvance::Data(body) => self.row(body),
            CopyOutAdvance::Complete => Ok(Some(self.complete()?)),
            CopyOutAdvance::TimedOut => Ok(Some(PollStep::TimedOut)),
            CopyOutAdvance::Woken => Ok(Some(PollStep::Woken)),
        }
    }

    fn row(&mut self, body: BodyRange) -> Result<Option<PollStep>, Error> {
        let bytes = self.connection.copied(body);
        match &mut self.command {
            RunningCommand::Begin(facts) => *facts = Some(Facts::parse(bytes)?),
            RunningCommand::Batch { part: Some(Part::Advanced), .. } => {
                return Ok(Some(PollStep::Advanced(lsn(bytes)?)));
            }
            RunningCommand::Batch { part: Some(Part::Messages), .. } => {
                let row = MessageRow::parse(bytes)?;
                return Ok(row.map(|row| {
                    PollStep::Message(PollFrame { body, offset: row.offset, lsn: row.lsn })
                }));
            }
            RunningCommand::Batch { part: Some(Part::Ignored), .. } => {}
            _ => return Err(NOT_STARTED.into()),
        }
        Ok(None)
    }

    fn complete(&mut self) -> Result<PollStep, Error> {
        match std::mem::replace(&mut self.command, RunningCommand::None) {
            RunningCommand::Begin(Some(facts)) => Ok(PollStep::Begun(facts)),
            RunningCommand::Batch { parts, .. } if parts.is_empty() => Ok(PollStep::Ended),
            RunningCommand::RollBack => Ok(PollStep::Ended),
            _ => Err(NOT_STARTED.into()),
        }
    }

    /// Returns the bytes of a message.
    pub(super) fn message(&self, frame: PollFrame) -> &[u8] {
        self.connection.copied(frame.body).get(frame.offset..).unwrap_or_default()
    }

    /// Frees the memory of a long message.
    pub(super) fn release(&mut self) {
        self.connection.release_copied();
    }

    pub(super) fn received_at(&self) -> Instant {
        self.connection.received_at()
    }

    pub(super) fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.connection.take_notices()
    }
}
