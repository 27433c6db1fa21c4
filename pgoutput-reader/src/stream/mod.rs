//! One START_REPLICATION: every message, with its positions.

#[cfg(feature = "reader")]
mod acknowledged;
mod decode;
mod event;
mod health;
mod missing_publication;
mod status;
mod stop;

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use pgoutput_decode::{CopyData, Decoder, Lsn, PrimaryKeepalive, Tag, TimestampTz, XLogData};

#[cfg(feature = "reader")]
pub(crate) use acknowledged::AcknowledgedLsns;
pub use event::{StreamEvent, StreamEventBuf};
pub use health::Health;
pub(crate) use missing_publication::Publications;
pub use missing_publication::SkippedPublication;
use status::{Heartbeat, Status};
pub use stop::StopHandle;

use crate::connection::{Advance, CopyBoth};
use crate::io::BodyRange;
use crate::proto::liveness::{LivenessAction, Silence};
use crate::setup::Pace;
use crate::{Error, ErrorKind, ServerMessage};

/// Every message of one replication stream, in order, with its positions in the log.
///
/// The protocol's own level: Begin and Commit, Relation and Type, streamed chunks and two-phase messages come as the server
/// sends them. A plain [`Iterator`] of owned messages; [`next_event`](Self::next_event) lends them without a copy.
/// An error is the last item.
///
/// The server is told that we are alive by a small thread on its own clock, however long the loop body takes; reading stays
/// on the caller's thread ([`set_heartbeat`](Self::set_heartbeat) has the alternative). Nothing is confirmed to the server but
/// what [`confirm`](Self::confirm) says, so the slot moves only with that.
///
/// ```no_run
/// use pgoutput_decode::Message;
/// use pgoutput_reader::{Config, Connection, StartReplication};
///
/// let config: Config = "host=localhost dbname=app user=app".parse()?;
/// let start = StartReplication::new("my_slot", ["my_publication"]);
/// let mut stream = Connection::connect(&config)?.stream(&start)?;
/// while let Some(event) = stream.next_event() {
///     let event = event?;
///     println!("{} {:?}", event.wal_start, event.message);
///     if let Message::Commit(commit) = event.message {
///         stream.confirm(commit.end_lsn);
///     }
/// }
/// stream.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReplicationStream {
    copy: CopyBoth,
    decoder: Decoder,
    status: Status,
    heartbeat: Option<Heartbeat>,
    silence: Silence,
    /// The server waits for an answer, which is to tell what the caller confirms before the next step.
    asked: bool,
    server_wal_end: Lsn,
    /// Where the last message was that came with a position: Relation and Type have none.
    position: Lsn,
    last_send_time: Option<TimestampTz>,
    stop: StopHandle,
    publications: Publications,
    skipped: VecDeque<SkippedPublication>,
    notices: VecDeque<ServerMessage>,
    /// A message whose names had to be escaped.
    #[cfg(feature = "reader")]
    escaped: Vec<u8>,
    finished: bool,
}

/// How many notices wait for [`ReplicationStream::take_notices`].
pub(crate) const NOTICES_KEPT: usize = 100;

/// How long the server may take to end the copy after it was asked to.
const FINISH: Duration = Duration::from_secs(2);

/// What a step of the stream came to. Positions only: it borrows nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A message, in the receive buffer until the next step.
    Message(Frame),
    #[cfg_attr(
        all(not(feature = "reader"), not(test)),
        expect(dead_code, reason = "only Reader looks at it")
    )]
    Keepalive(PrimaryKeepalive),
    /// The server left a publication out, and that is to be passed over: see [`ReplicationStream::take_skipped_publications`].
    PublicationSkipped,
    /// The deadline passed; nothing was lost.
    TimedOut,
    /// A [`StopHandle`] asked for the end, and nothing whole is left.
    Stopped,
}

/// Where a message is, and what came around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    position: BodyRange,
    wal_start: Lsn,
    wal_end: Lsn,
    send_time: TimestampTz,
}

/// How long what has arrived is taken in beyond a deadline, for what may come behind it.
const LENIENCE: Duration = Duration::from_millis(20);

/// Whether a deadline has passed for good, with a server that never stops sending what is no event.
pub(crate) fn is_late(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline.elapsed() > LENIENCE)
}

impl ReplicationStream {
    pub(crate) fn new(
        copy: CopyBoth,
        pace: Pace,
        publications: Publications,
    ) -> Result<Self, Error> {
        let Pace { interval, silence } = pace;
        let status = Status::new(&copy, interval);
        Ok(Self {
            stop: StopHandle::new(copy.waker()),
            heartbeat: Some(Heartbeat::start(&status, copy.address())?),
            copy,
            decoder: Decoder::new(),
            status,
            silence,
            asked: false,
            server_wal_end: Lsn::ZERO,
            position: Lsn::ZERO,
            last_send_time: None,
            publications,
            skipped: VecDeque::new(),
            notices: VecDeque::new(),
            #[cfg(feature = "reader")]
            escaped: Vec::new(),
            finished: false,
        })
    }

    /// Whether a thread tells the server that we are alive while the program is busy; it does unless told otherwise. Without it the
    /// server ends the connection when the program does not come back for the next message, or call [`tick`](Self::tick), within its
    /// `wal_sender_timeout` (60 s unless set otherwise).
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) when the system has no thread to give.
    pub fn set_heartbeat(&mut self, on: bool) -> Result<(), Error> {
        match (on && !self.finished, &self.heartbeat) {
            (true, None) => {
                self.heartbeat = Some(Heartbeat::start(&self.status, self.copy.address())?);
            }
            (true, Some(_)) => {}
            (false, _) => self.heartbeat = None,
        }
        Ok(())
    }

    /// Sends a status update if one is due, and does not wait: for a program that is busy for long and has turned the
    /// [heartbeat](Self::set_heartbeat) off. Call it several times in each `wal_sender_timeout`; it costs a look at the clock.
    ///
    /// # Errors
    /// When the server cannot be told; after that the stream is finished.
    pub fn tick(&mut self) -> Result<(), Error> {
        if self.finished {
            return Ok(());
        }
        let ticked = self.status.send_due(Instant::now());
        if ticked.is_err() {
            self.finish();
        }
        ticked
    }

    /// How far the stream has come and when the server was heard last.
    pub fn health(&self) -> Health {
        let positions = self.status.positions();
        Health {
            received: positions.write,
            acknowledged: positions.flush,
            flushed: self.status.told().flush,
            server_wal_end: self.server_wal_end,
            last_send_time: self.last_send_time,
            last_received: self.copy.heard_at(),
            last_commit_time: None,
            drained: false,
            connected: !self.finished,
            reconnects: 0,
        }
    }

    /// The next message, lent until the next call; `None` after an error and after a [`StopHandle`] was used.
    ///
    /// A row that is lent cannot be an [`Iterator`]'s item, which may outlive the call that made it: so this is a method, for
    /// `while let`.
    pub fn next_event(&mut self) -> Option<Result<StreamEvent<'_>, Error>> {
        match self.next_message() {
            Ok(Some(frame)) => Some(self.read(frame)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// The next message undecoded, with its positions, lent until the next call; `None` when [`next_event`](Self::next_event) is.
    ///
    /// For programs that pass messages on, store them, or decode them elsewhere: nothing looks at what a row says, and a row that is
    /// malformed is handed over as it came. All else is as with decoded messages: keepalives are answered, the server is told of us,
    /// reads gather while the stream is busy ([`Config::max_read_delay`](crate::Config::max_read_delay)). Both kinds of call may be
    /// mixed, so the stream itself reads where a streamed chunk starts and stops.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Config, Connection, StartReplication};
    ///
    /// let config: Config = "host=localhost dbname=app user=app".parse()?;
    /// let start = StartReplication::new("my_slot", ["my_publication"]);
    /// let mut stream = Connection::connect(&config)?.stream(&start)?;
    /// while let Some(frame) = stream.next_frame() {
    ///     let frame = frame?;
    ///     println!("{}: {} bytes", frame.wal_start, frame.data.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As an item, and the last one: the connection's and the server's, an envelope that is none, a Stream Start or Stream Stop that
    /// cannot be decoded.
    pub fn next_frame(&mut self) -> Option<Result<XLogData<'_>, Error>> {
        match self.next_message() {
            Ok(Some(frame)) => Some(self.lend(frame)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    fn next_message(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            match self.step(None)? {
                Step::Message(frame) => return Ok(Some(frame)),
                Step::Keepalive(_) | Step::PublicationSkipped | Step::TimedOut => {}
                Step::Stopped => return Ok(None),
            }
        }
    }

    /// Everything before `lsn` was dealt with and may be forgotten by the server; it learns so with the next status.
    ///
    /// The end LSN of a commit is the position to give. Going back does nothing.
    pub fn confirm(&mut self, lsn: Lsn) {
        self.status.confirm(lsn);
    }

    /// What was confirmed last; `0/0` before.
    pub fn confirmed(&self) -> Lsn {
        self.status.positions().flush
    }

    /// The server's position, as its last message or keepalive said.
    pub fn server_wal_end(&self) -> Lsn {
        self.server_wal_end
    }

    /// Ends this stream from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Tells the server what was confirmed, ends the copy and closes the connection.
    ///
    /// In the middle of a large transaction the server would first send the rest of it: after two seconds of that the
    /// connection is closed without waiting for the end.
    ///
    /// # Errors
    /// When the server cannot be told; then it may send again what was confirmed last.
    pub fn stop(mut self) -> Result<(), Error> {
        // Nothing may be sent behind the end of the copy.
        self.heartbeat = None;
        self.send_status(false)?;
        match self.copy.finish(Instant::now() + FINISH) {
            Ok(connection) => connection.close(),
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Notices and warnings that the server sent inside the copy since the last call; the newest hundred are kept.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.notices.drain(..).collect()
    }

    /// Publications that the server left out since the last call, under
    /// [`MissingPublication::Skip`](crate::MissingPublication::Skip); the newest hundred are kept.
    pub fn take_skipped_publications(&mut self) -> Vec<SkippedPublication> {
        self.skipped.drain(..).collect()
    }

    /// # Errors
    /// Unless it is to be skipped.
    fn skip(&mut self, skipped: SkippedPublication) -> Result<Step, Error> {
        let skipped = self.publications.judge(skipped, self.copy.server_version())?;
        if self.skipped.len() == NOTICES_KEPT {
            self.skipped.pop_front();
        }
        self.skipped.push_back(skipped);
        Ok(Step::PublicationSkipped)
    }

    fn note(&mut self, notice: ServerMessage) {
        if self.notices.len() == NOTICES_KEPT {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }

    /// Tells the server from now on also what is acknowledged there.
    #[cfg(feature = "reader")]
    pub(crate) fn follow(&self, acknowledged: &std::sync::Arc<AcknowledgedLsns>) {
        self.status.follow(acknowledged);
    }

    /// Reads on after a [`StopHandle`] was used.
    #[cfg(feature = "reader")]
    pub(crate) fn forget_stop(&mut self) {
        self.stop = StopHandle::new(self.copy.waker());
    }

    /// Ends with a handle of the caller's, whose waker this stream's copy listens to.
    #[cfg(feature = "reader")]
    pub(crate) fn stopped_by(&mut self, stop: StopHandle) {
        self.stop = stop;
    }

    /// Goes on to the next message or keepalive, sending what is due meanwhile. After an error there is nothing more.
    pub(crate) fn step(&mut self, deadline: Option<Instant>) -> Result<Step, Error> {
        self.try_step(deadline).map_err(|error| {
            self.finish();
            let (server, received) = (self.copy.server_version(), self.status.positions().write);
            self.publications.explain(error, server, received)
        })
    }

    /// After an error the server is left alone.
    fn finish(&mut self) {
        self.finished = true;
        self.heartbeat = None;
    }

    fn try_step(&mut self, deadline: Option<Instant>) -> Result<Step, Error> {
        loop {
            if self.finished {
                return Ok(Step::Stopped);
            }
            if self.heartbeat.is_none() || self.asked {
                self.asked = false;
                self.status.send_due(Instant::now())?;
            }
            let advance = match self.copy.advance_buffered()? {
                Some(advance) => advance,
                None if self.stop.is_stopped() => return Ok(Step::Stopped),
                None => self.wait(deadline)?,
            };
            match advance {
                Advance::Copy(position) => return self.open(position),
                Advance::Notice(notice) => {
                    let received = self.status.positions().write;
                    let skipped = self.publications.warned(&notice, received);
                    self.note(*notice);
                    if let Some(skipped) = skipped {
                        return self.skip(skipped);
                    }
                    if is_late(deadline) {
                        return Ok(Step::TimedOut);
                    }
                }
                Advance::Aside if is_late(deadline) => return Ok(Step::TimedOut),
                Advance::TimedOut
                    if deadline.is_some_and(|deadline| deadline <= Instant::now()) =>
                {
                    return Ok(Step::TimedOut);
                }
                Advance::Aside | Advance::TimedOut | Advance::Woken => {}
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
        let heard_at = self.copy.heard_at();
        self.silence.heard(heard_at);
        // Only now is it known that nothing was left to read, however long nobody looked.
        if advance == Advance::TimedOut && heard_at < start {
            self.check_silence()?;
        }
        Ok(advance)
    }

    fn check_silence(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        match self.silence.action(now) {
            LivenessAction::Wait => Ok(()),
            LivenessAction::Ask => {
                self.silence.asked(now);
                self.status.send(true)
            }
            LivenessAction::Over => {
                let (address, limit) = (self.copy.address().into(), self.silence.limit());
                Err(ErrorKind::ServerSilent { address, limit }.into())
            }
        }
    }

    /// Opens an envelope.
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
                    self.status.asked();
                    self.asked = true;
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

    /// The message of the last step is not needed any more: the memory of a long one is given back at once.
    #[cfg(feature = "reader")]
    pub(crate) fn release(&mut self) {
        self.copy.release();
        self.escaped = Vec::new();
    }

    /// The message of the last step as it came.
    fn lend(&mut self, frame: Frame) -> Result<XLogData<'_>, Error> {
        let tag = data(&self.copy, frame).first().copied().map(Tag);
        if matches!(tag, Some(Tag::STREAM_START | Tag::STREAM_STOP)) {
            self.read(frame)?;
        }
        let Frame { wal_start, wal_end, send_time, .. } = frame;
        Ok(XLogData { wal_start, wal_end, send_time, data: data(&self.copy, frame) })
    }

    /// Sends a status now; `reply` asks the server to answer with a keepalive.
    pub(crate) fn send_status(&mut self, reply: bool) -> Result<(), Error> {
        self.status.send(reply)
    }
}

/// A message behind its envelope.
#[inline]
fn data(copy: &CopyBoth, frame: Frame) -> &[u8] {
    copy.payload(frame.position).get(XLogData::HEADER_LEN..).unwrap_or_default()
}

impl Iterator for ReplicationStream {
    type Item = Result<StreamEventBuf, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_event().map(|event| event.map(|event| event.to_owned()))
    }
}

impl FusedIterator for ReplicationStream {}

#[cfg(test)]
mod tests;
