//! The log: messages in a stream.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgoutput_reader::Position;

use super::api::{self, StreamConfig};
use super::connection::{self, Connection, Reply};
use super::parts::{self, Part};
use super::record::{After, BatchPlace, HEADERS, HeaderWriter, Place};
use super::stream::{self, Api};
use super::url::Address;
use super::{errors, subject};
use crate::pipe::batch::{Batch, Record};
use crate::pipe::log::{Log, LogError, Stored};

/// The most messages of an atomic batch, by default of the server.
const ATOMIC_LIMIT: usize = 1000;

/// The server that takes identifiers in atomic batches; version 2.12.0 does not.
const ATOMIC_SINCE: (u32, u32, u32) = (2, 12, 1);

/// The number of messages of which one is acknowledged. Each message follows the one before, so
/// its acknowledgement is one of all.
const ACKNOWLEDGED: usize = 100;

/// Limits on what was sent and is not acknowledged. A server keeps at most 10 000 messages that it
/// has not stored yet.
const MESSAGES_IN_FLIGHT: u64 = 4000;
const BYTES_IN_FLIGHT: usize = 4 * 1024 * 1024;

/// The bytes that one write sends.
const WRITE: usize = 256 * 1024;

/// The length of headers that are not the key, in effect.
const USUAL_HEADERS: usize = 4096;

/// The time after which the connection is checked before it is used.
const IDLE: Duration = Duration::from_secs(10);

/// A stream as a log.
pub(super) struct NatsLog {
    address: Address,
    slot: String,
    /// The topic of a position without a record.
    position_topic: String,
    trust_slot: bool,
    connection: Option<Connection>,
    used: Instant,
    config: StreamConfig,
    /// The most messages of an atomic batch; 0 if there are none.
    atomic_limit: usize,
    headers: HeaderWriter,
    batches: u64,
    token: String,
    /// The sequence of the stream's last message.
    last: u64,
    stored: Stored,
    /// The state before the batch that is being stored.
    before: Option<(u64, Stored)>,
}

impl NatsLog {
    pub(super) fn new(
        address: Address,
        slot: String,
        position_topic: String,
        trust_slot: bool,
    ) -> Self {
        let token = connection::token();
        Self {
            headers: HeaderWriter::new(&address.stream, token.clone()),
            address,
            slot,
            position_topic,
            trust_slot,
            connection: None,
            used: Instant::now(),
            config: StreamConfig::default(),
            atomic_limit: ATOMIC_LIMIT,
            batches: 0,
            token,
            last: 0,
            stored: Stored::default(),
            before: None,
        }
    }

    fn connect(&mut self) -> Result<(), LogError> {
        self.connection = None;
        let mut connection = Connection::open(&self.address)?;
        let api = Api { stream: &self.address.stream, domain: self.address.domain.as_deref() };
        let found = api.find(&mut connection)?;
        // While a batch is stored, its last message cannot have expired unless all did.
        let trust_slot = self.trust_slot && self.before.is_none();
        self.stored = stream::stored(&found, &self.slot, trust_slot)?;
        self.last = found.info.state.last_seq;
        if let (Some((last, before)), Some(block)) = (&self.before, &found.last)
            && self.headers.has_copied(block)
        {
            // Rows of a copy share a position, so the messages since are counted.
            let count = usize::try_from(self.last.saturating_sub(*last)).unwrap_or(usize::MAX);
            self.stored =
                Stored { records: before.records.saturating_add(count), ..before.clone() };
        }
        self.config = found.info.config;
        self.connection = Some(connection);
        self.used = Instant::now();
        Ok(())
    }

    /// Replaces a connection that the server has closed meanwhile, or is about to.
    fn refresh(&mut self) -> Result<(), LogError> {
        let Some(connection) = &mut self.connection else {
            return Err(LogError::transient("not connected"));
        };
        let is_idle = self.used.elapsed() >= IDLE;
        let is_usable = connection.poll().is_ok()
            && !connection.info().ldm
            && (!is_idle || connection.ping().is_ok());
        if is_usable {
            return Ok(());
        }
        let known = (self.last, self.stored.clone());
        self.connect()?;
        if known == (self.last, self.stored.clone()) {
            return Ok(());
        }
        Err(LogError::transient("the stream was written to while nothing was stored"))
    }

    fn store_all(&mut self, batch: &Batch) -> Result<(), LogError> {
        self.refresh()?;
        if self.before.is_none() {
            self.before = Some((self.last, self.stored.clone()));
        }
        let first = self.before.as_ref().and_then(|(_, stored)| stored.position.clone());
        let Some(connection) = &mut self.connection else {
            return Err(LogError::transient("not connected"));
        };
        let use_atomic =
            self.address.atomic && self.config.allow_atomic && takes_identifiers(connection);
        let mut sender = Sender {
            stream: &self.address.stream,
            config: &self.config,
            connection,
            headers: &mut self.headers,
            first: first.as_ref(),
            end: batch.position(),
            last: self.last,
            acknowledged: self.last,
            bytes: 0,
            unmatched: None,
        };
        let limit = if use_atomic { self.atomic_limit } else { 0 };
        if batch.records().len() == 0 {
            if batch.len() == 0 || self.stored.position.as_ref() != batch.position() {
                sender.check_topic(&self.position_topic)?;
                sender.position(&self.position_topic).map_err(|refused| refused.error)?;
            }
        } else {
            sender.check(batch)?;
            let name = format!("{}-{}", self.token, self.batches);
            self.batches += 1;
            let result = sender.records(batch, limit, &name);
            if let Err(Refused { limit: Some(limit), .. }) = &result {
                self.atomic_limit = *limit;
            }
            result.map_err(|refused| refused.error)?;
        }
        sender.finish().map_err(|refused| refused.error)?;
        self.last = sender.last;
        self.used = Instant::now();
        if let Some(position) = batch.position() {
            self.stored = Stored::at(position.clone());
        }
        self.before = None;
        Ok(())
    }

    fn named(&self, error: &LogError) -> LogError {
        let message = format!("{}: {error}", self.address.name());
        if error.is_transient() { LogError::transient(message) } else { LogError::lasting(message) }
    }
}

impl Log for NatsLog {
    fn open(&mut self) -> Result<Stored, LogError> {
        self.connect().map_err(|error| self.named(&error))?;
        Ok(self.stored.clone())
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        self.store_all(batch).map_err(|error| {
            self.connection = None;
            self.named(&error)
        })
    }

    fn name(&self) -> String {
        self.address.name()
    }
}

/// Returns whether the server takes identifiers in atomic batches.
fn takes_identifiers(connection: &Connection) -> bool {
    let mut numbers = connection.info().version.split(['.', '-']).map(|part| part.parse().ok());
    let mut next = || numbers.next().flatten().unwrap_or(0);
    (next(), next(), next()) >= ATOMIC_SINCE
}

/// Sends messages after the stream's last one.
struct Sender<'s> {
    stream: &'s str,
    config: &'s StreamConfig,
    connection: &'s mut Connection,
    headers: &'s mut HeaderWriter,
    /// The position before the batch, and that of the batch.
    first: Option<&'s Position>,
    end: Option<&'s Position>,
    /// The sequence of the last message that was sent.
    last: u64,
    /// The sequence of the last message that is known to be stored.
    acknowledged: u64,
    /// The bytes since that one, with what was not sent yet.
    bytes: usize,
    /// A subject of the batch that the stream does not have.
    unmatched: Option<String>,
}

/// An error, and the most messages of an atomic batch if it was about that.
struct Refused {
    error: LogError,
    limit: Option<usize>,
}

impl From<LogError> for Refused {
    fn from(error: LogError) -> Self {
        Self { error, limit: None }
    }
}

impl Sender<'_> {
    /// Checks that every message of the batch can be stored, before one is sent.
    fn check(&mut self, batch: &Batch) -> Result<(), LogError> {
        let (most, mut checked) = (self.most(), None);
        for record in batch.records() {
            if checked.is_none_or(|topic| !Arc::ptr_eq(topic, record.topic)) {
                self.check_topic(record.topic)?;
                checked = Some(record.topic);
            }
            let key = record.key.map_or(0, str::len);
            let content = key + record.value.map_or(0, str::len);
            let has_usual_size = content + USUAL_HEADERS <= most && key + USUAL_HEADERS <= HEADERS;
            if has_usual_size {
                continue;
            }
            let batch = BatchPlace { id: &"-".repeat(40), number: ATOMIC_LIMIT, is_last: true };
            let stored = (Some(record.position), record.part as usize + 1);
            let place = Place { after: Some(After::Record), batch: Some(batch), stored };
            let headers = self.headers.record(&record, &place).len();
            if headers > HEADERS {
                return Err(too_large(&record, "headers", headers, HEADERS, "use --key none"));
            }
            let size = headers + record.value.map_or(0, str::len);
            if size > most {
                let cure = "raise max_payload of the server and max_msg_size of the stream, or \
                            leave the column or the table out";
                return Err(too_large(&record, "message", size, most, cure));
            }
        }
        Ok(())
    }

    /// Returns the most bytes of a message with its headers.
    fn most(&self) -> usize {
        let server = self.connection.info().max_payload;
        let stream = u64::try_from(self.config.max_msg_size).unwrap_or(u64::MAX);
        usize::try_from(server.min(stream)).unwrap_or(usize::MAX)
    }

    fn check_topic(&mut self, topic: &str) -> Result<(), LogError> {
        let mut line = Vec::new();
        subject::append(topic, &mut line).map_err(|reason| invalid_topic(topic, reason))?;
        let subject = String::from_utf8_lossy(&line);
        if !self.config.subjects.iter().any(|pattern| subject::matches(&subject, pattern)) {
            // The server may map subjects, so this is an error only if it does not take a message.
            self.unmatched.get_or_insert_with(|| subject.into_owned());
        }
        Ok(())
    }

    /// Sends the position of a batch without records.
    fn position(&mut self, topic: &str) -> Result<(), Refused> {
        let place =
            Place { after: Some(After::Sequence(self.last)), batch: None, stored: (self.end, 0) };
        let block = self.headers.position(&place);
        self.last += 1;
        let to = |line: &mut Vec<u8>| subject::append(topic, line);
        self.connection
            .publish(to, Some(self.last), block, b"")
            .map_err(|reason| invalid_topic(topic, reason).into())
    }

    fn records(&mut self, batch: &Batch, limit: usize, name: &str) -> Result<(), Refused> {
        let mut left = batch.records().len();
        let mut records = batch.records();
        for (index, part) in
            parts::divide(batch.records().map(|record| record.id), limit).into_iter().enumerate()
        {
            let id = format!("{name}-{index}");
            let (count, is_atomic) = match part {
                Part::Single(count) => (count, false),
                Part::Atomic(count) => (count, true),
            };
            // The first message expects a sequence, which only this program may have taken.
            self.wait_until(self.last)?;
            for (number, record) in (1..=count).zip(&mut records) {
                left -= 1;
                let place = BatchPlace { id: &id, number, is_last: number == count };
                let (is_first, is_last) = (number == 1, number == count);
                let answers = is_first || is_last || number % ACKNOWLEDGED == 0 && !is_atomic;
                let place = Place {
                    after: match (is_first, is_atomic) {
                        (true, _) => Some(After::Sequence(self.last)),
                        (false, true) => None,
                        (false, false) => Some(After::Record),
                    },
                    batch: is_atomic.then_some(place),
                    stored: self.stored(&record, left == 0),
                };
                self.record(&record, &place, answers)?;
                // Messages of an atomic batch are acknowledged together.
                if !is_atomic {
                    self.make_room()?;
                }
            }
        }
        Ok(())
    }

    /// Returns what is stored once the record is.
    fn stored<'r>(&self, record: &Record<'r>, is_last: bool) -> (Option<&'r Position>, usize)
    where
        Self: 'r,
    {
        if is_last {
            return (self.end, 0);
        }
        if record.is_last {
            return (Some(record.position), 0);
        }
        (record.before.or(self.first), record.part as usize + 1)
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        place: &Place<'_>,
        answers: bool,
    ) -> Result<(), LogError> {
        let block = self.headers.record(record, place);
        let value = record.value.unwrap_or_default().as_bytes();
        self.last += 1;
        let to = |line: &mut Vec<u8>| subject::append(record.topic, line);
        let before = self.connection.unsent();
        self.connection
            .publish(to, answers.then_some(self.last), block, value)
            .map_err(|reason| invalid_topic(record.topic, reason))?;
        let unsent = self.connection.unsent();
        self.bytes += unsent.saturating_sub(before);
        if unsent >= WRITE { self.connection.flush() } else { Ok(()) }
    }

    /// Waits while too much is not acknowledged.
    fn make_room(&mut self) -> Result<(), Refused> {
        let is_full = |sender: &Self| {
            sender.last - sender.acknowledged > MESSAGES_IN_FLIGHT || sender.bytes > BYTES_IN_FLIGHT
        };
        if is_full(self) {
            self.wait_until(self.last - (self.last - self.acknowledged) / 2)?;
        }
        Ok(())
    }

    /// Sends everything, and waits until it is stored.
    fn finish(&mut self) -> Result<(), Refused> {
        self.wait_until(self.last)
    }

    /// Waits until the message with this sequence is stored.
    fn wait_until(&mut self, sequence: u64) -> Result<(), Refused> {
        self.connection.flush()?;
        while self.acknowledged < sequence {
            let reply = self.connection.reply()?;
            self.acknowledge(&reply)?;
        }
        Ok(())
    }

    fn acknowledge(&mut self, reply: &Reply) -> Result<(), Refused> {
        if let Some(status) = reply.status {
            return Err(self.not_taken(status).into());
        }
        // The first message of an atomic batch was taken.
        if reply.payload.is_empty() {
            return Ok(());
        }
        let ack = api::pub_ack(&reply.payload).map_err(|error| Refused {
            error: errors::of_api(&error, self.stream),
            limit: (error.err_code == errors::BATCH_TOO_LARGE)
                .then(|| error.description.rsplit(' ').next()?.parse().ok())
                .flatten(),
        })?;
        if ack.stream != self.stream || ack.seq != reply.number {
            return Err(LogError::transient(format!(
                "a message was to be {} of {}, and is {} of {}: it was stored before, or another \
                 stream has its subject",
                reply.number, self.stream, ack.seq, ack.stream
            ))
            .into());
        }
        // This message followed all before it.
        let sent = self.last - self.acknowledged;
        self.acknowledged = self.acknowledged.max(ack.seq);
        let left = self.last - self.acknowledged;
        // In effect: sizes of messages are not kept.
        self.bytes = usize::try_from(left * self.bytes as u64 / sent.max(1)).unwrap_or(0);
        Ok(())
    }

    /// Returns the error of a message for which no stream answered.
    fn not_taken(&self, status: u16) -> LogError {
        match &self.unmatched {
            None => LogError::transient(format!(
                "no stream answers ({status}): {} has no leader now",
                self.stream
            )),
            Some(subject) => LogError::lasting(format!(
                "the stream does not have the subject {subject}: add it (nats stream edit {} \
                 --subjects …) or choose another --topic; it has {}",
                self.stream,
                self.config.subjects.join(", ")
            )),
        }
    }
}

fn invalid_topic(topic: &str, reason: &str) -> LogError {
    LogError::lasting(format!("{topic} cannot be a subject: {reason}; choose another --topic"))
}

fn too_large(record: &Record<'_>, what: &str, size: usize, most: usize, cure: &str) -> LogError {
    LogError::lasting(format!(
        "the {what} of the change at {} of {} has {size} bytes, more than {most}: {cure}",
        record.position.commit_lsn(),
        record.topic
    ))
}
