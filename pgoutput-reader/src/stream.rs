//! Replication streams: the messages of one `START_REPLICATION` command, with their LSNs.

#[cfg(feature = "reader")]
mod acknowledged;
mod decode;
mod event;
mod health;
mod missing_publication;
mod open;
mod status;
mod step;

use std::collections::VecDeque;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

use pgoutput_decode::{Decoder, Lsn, Tag, TimestampTz, XLogData};

#[cfg(feature = "reader")]
pub(crate) use acknowledged::AcknowledgedLsns;
#[cfg(feature = "reader")]
pub(crate) use decode::decode_escaped;
pub use event::{StreamEvent, StreamEventBuf};
pub use health::Health;
pub(crate) use missing_publication::Publications;
pub use missing_publication::SkippedPublication;
use status::{Heartbeat, Status};
#[cfg(feature = "reader")]
pub(crate) use step::is_late;
pub(crate) use step::{Frame, Step};

use crate::connection::CopyBoth;
use crate::error::{Error, ErrorKind, ServerMessage};
use crate::io::StopHandle;
use crate::proto::liveness::{Liveness, UpdateTiming};

/// The messages of one replication stream, in order, with their LSNs.
///
/// This is the level of the protocol: Begin and Commit, Relation and Type, the chunks of
/// in-progress transactions and the messages of prepared ones come as the server sends them. The
/// stream is a plain [`Iterator`] of owned messages; [`next_event`](Self::next_event) lends them
/// without a copy. An error is the last item.
///
/// A thread of its own sends status updates, however long your loop body takes, so that the server
/// keeps the connection; reading stays on your thread. [`set_heartbeat`](Self::set_heartbeat) turns
/// the thread off. A status update reports as flushed only what you
/// [`acknowledge`](Self::acknowledge), so nothing else moves the slot.
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
///         stream.acknowledge(commit.end_lsn);
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
    silence: Liveness,
    /// The server asked for a status update. It is sent at the next step, so that it reports what
    /// the caller acknowledges until then.
    is_update_requested: bool,
    server_wal_end: Lsn,
    /// The LSN of the last message that has one: Relation and Type have none.
    position: Lsn,
    last_send_time: Option<TimestampTz>,
    stop: StopHandle,
    publications: Publications,
    skipped: VecDeque<SkippedPublication>,
    notices: VecDeque<ServerMessage>,
    /// The last message, if its names had to be escaped.
    #[cfg(feature = "reader")]
    escaped: Vec<u8>,
    finished: bool,
}

/// The number of notices kept for [`ReplicationStream::take_notices`].
pub(crate) const NOTICES_KEPT: usize = 100;

/// The time that the server has to end the copy after it was asked to.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

impl ReplicationStream {
    pub(crate) fn new(
        copy: CopyBoth,
        timing: UpdateTiming,
        publications: Publications,
    ) -> Result<Self, Error> {
        let UpdateTiming { interval, silence } = timing;
        let status = Status::new(&copy, interval);
        Ok(Self {
            stop: StopHandle::new(copy.waker()),
            heartbeat: Some(Heartbeat::start(&status, copy.address())?),
            copy,
            decoder: Decoder::new(),
            status,
            silence,
            is_update_requested: false,
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

    /// Sets whether a thread sends status updates while your program is busy, which is the default.
    /// Without it, the server ends the connection if your program neither asks for the next message
    /// nor calls [`tick`](Self::tick) within `wal_sender_timeout` (60 s by default).
    ///
    /// # Errors
    /// [`Io`](ErrorKind::Io) if the system cannot start a thread.
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

    /// Sends a status update if one is due, without waiting: for a program that is busy for long
    /// and has turned the [heartbeat](Self::set_heartbeat) off. Call it several times in each
    /// `wal_sender_timeout`; a call that sends nothing only reads the clock.
    ///
    /// # Errors
    /// The status update cannot be sent. The stream is then finished.
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

    /// Returns the LSNs of the stream and the time of the last message.
    pub fn health(&self) -> Health {
        let positions = self.status.positions();
        Health {
            received: positions.write,
            acknowledged: positions.flush,
            flushed: self.status.reported().flush,
            server_wal_end: self.server_wal_end,
            last_send_time: self.last_send_time,
            last_received: self.copy.received_at(),
            last_commit_time: None,
            idle: false,
            connected: !self.finished,
            spilled: 0,
            spill: 0,
            in_progress: 0,
            reconnects: 0,
        }
    }

    /// Returns the next message, lent until the next call, or `None` after an error and after a
    /// [`StopHandle`] was used.
    ///
    /// An [`Iterator`] cannot lend its items, so this is a method for `while let`.
    pub fn next_event(&mut self) -> Option<Result<StreamEvent<'_>, Error>> {
        match self.next_message() {
            Ok(Some(frame)) => Some(self.read(frame)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Returns the next message undecoded, with its LSNs, lent until the next call, or `None` in
    /// the cases in which [`next_event`](Self::next_event) returns it.
    ///
    /// This is for programs that pass messages on, store them, or decode them elsewhere. Rows are
    /// not decoded, so an invalid one is returned as it arrived. Everything else is as with decoded
    /// messages: status updates are sent, and reads are delayed to collect data while the stream is
    /// busy ([`Config::max_read_delay`](crate::Config::max_read_delay)). You may mix both kinds of
    /// call, so the stream itself decodes where a chunk of an in-progress transaction starts and
    /// stops.
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
    /// An error is an item, and the last one: one of the connection or the server, an invalid
    /// envelope, a Stream Start or Stream Stop that cannot be decoded.
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

    /// Acknowledges everything before `lsn`. The server may discard it once the next status update
    /// has reported it.
    ///
    /// Pass the end LSN of a commit. An LSN before the acknowledged one has no effect.
    pub fn acknowledge(&mut self, lsn: Lsn) {
        self.status.acknowledge(lsn);
    }

    /// Returns the acknowledged LSN; `0/0` at first.
    pub fn acknowledged(&self) -> Lsn {
        self.status.positions().flush
    }

    /// Returns the WAL end that the server reported with its last message or keepalive.
    pub fn server_wal_end(&self) -> Lsn {
        self.server_wal_end
    }

    /// Returns a handle that ends this stream from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Reports the acknowledged LSN, ends the copy and closes the connection.
    ///
    /// In the middle of a large transaction the server first sends the rest of it. After two
    /// seconds of that, the connection is closed without waiting for the end.
    ///
    /// # Errors
    /// The acknowledged LSN cannot be reported. The server may then send again what was
    /// acknowledged since the last report.
    pub fn stop(mut self) -> Result<(), Error> {
        // Nothing may be sent after the end of the copy.
        self.heartbeat = None;
        self.send_status(false)?;
        match self.copy.finish(Instant::now() + FINISH_TIMEOUT) {
            Ok(connection) => connection.close(),
            Err(error) if matches!(error.kind(), ErrorKind::Timeout { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the notices and warnings that the server sent inside the copy since the last call;
    /// the newest hundred are kept.
    pub fn take_notices(&mut self) -> Vec<ServerMessage> {
        self.notices.drain(..).collect()
    }

    /// Returns the publications that the server left out since the last call, under
    /// [`MissingPublication::Skip`](crate::MissingPublication::Skip); the newest hundred are kept.
    pub fn take_skipped_publications(&mut self) -> Vec<SkippedPublication> {
        self.skipped.drain(..).collect()
    }

    /// Records a publication that the server left out.
    ///
    /// # Errors
    /// The settings do not allow it.
    fn skip(&mut self, skipped: SkippedPublication) -> Result<Step, Error> {
        let skipped = self.publications.apply_policy(skipped, self.copy.server_version())?;
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

    /// Also reports these acknowledged LSNs from now on.
    #[cfg(feature = "reader")]
    pub(crate) fn report_also(&self, acknowledged: &std::sync::Arc<AcknowledgedLsns>) {
        self.status.report_also(acknowledged);
    }

    /// Lets the stream continue after a [`StopHandle`] was used.
    #[cfg(feature = "reader")]
    pub(crate) fn clear_stop(&mut self) {
        self.stop = StopHandle::new(self.copy.waker());
    }

    /// Replaces the handle that stops this stream by the caller's. Its waker must wake this
    /// stream's copy.
    #[cfg(feature = "reader")]
    pub(crate) fn stopped_by(&mut self, stop: StopHandle) {
        self.stop = stop;
    }

    /// Releases the message of the last step. The memory of a long one is freed at once.
    #[cfg(feature = "reader")]
    pub(crate) fn release(&mut self) {
        self.copy.release();
        self.escaped = Vec::new();
    }

    /// Returns the message of the last step undecoded.
    fn lend(&mut self, frame: Frame) -> Result<XLogData<'_>, Error> {
        let tag = data(&self.copy, frame).first().copied().map(Tag);
        if matches!(tag, Some(Tag::STREAM_START | Tag::STREAM_STOP)) {
            self.read(frame)?;
        }
        Ok(self.message(frame))
    }

    /// Returns the message of the last step as it was received.
    pub(crate) fn message(&self, frame: Frame) -> XLogData<'_> {
        let Frame { wal_start, wal_end, send_time, .. } = frame;
        XLogData { wal_start, wal_end, send_time, data: data(&self.copy, frame) }
    }

    /// Sends a status now; `reply` asks the server to answer with a keepalive.
    pub(crate) fn send_status(&mut self, reply: bool) -> Result<(), Error> {
        self.status.send(reply)
    }
}

/// The message after the header of its envelope.
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
