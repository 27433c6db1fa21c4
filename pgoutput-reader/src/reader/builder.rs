//! How a reader is to be set up.

use std::sync::Arc;

use pgoutput_decode::Lsn;

use super::verify::{self, Standing};
use super::{Idle, Reader, Setup};
use crate::ack::Acknowledge;
use crate::catalog::Catalog;
use crate::connection::Connection;
use crate::error::SetupError;
use crate::event::{Position, ReaderId, Source};
use crate::proto::{CreateSlot, Origin, StartReplication, Streaming};
use crate::setup::SlotStanding;
use crate::{Config, ConfigError, Error};

/// Settings of a [`Reader`]; made by [`Reader::builder`], or from a [`Config`].
#[derive(Debug, Clone)]
pub struct ReaderBuilder {
    config: Result<Config, ConfigError>,
    start: StartReplication,
    create: Option<CreateSlot>,
    acknowledge: Acknowledge,
    idle: Idle,
    resume: Option<Position>,
    trust_slot: bool,
    until: Option<Lsn>,
    heartbeat: bool,
}

impl ReaderBuilder {
    pub(crate) fn new(config: Result<Config, ConfigError>) -> Self {
        Self {
            config,
            start: StartReplication::new(String::new(), [] as [&str; 0]),
            create: None,
            acknowledge: Acknowledge::default(),
            idle: Idle::default(),
            resume: None,
            trust_slot: false,
            until: None,
            heartbeat: true,
        }
    }

    /// The replication slot to read.
    #[must_use]
    pub fn slot(mut self, name: impl Into<String>) -> Self {
        self.start.slot = name.into();
        self
    }

    /// A publication to read; may be given several times.
    #[must_use]
    pub fn publication(mut self, name: impl Into<String>) -> Self {
        self.start.publications.push(name.into());
        self
    }

    /// Creates the slot if it does not exist. Without this a missing slot is an error: a new one would start now, and
    /// whatever the old one held would be lost without a word.
    #[must_use]
    pub fn create_slot(mut self, create: bool) -> Self {
        self.create = create.then(|| self.create.unwrap_or_else(|| CreateSlot::new("")));
        self
    }

    /// Creates the slot for this connection only; the server drops it when the connection ends. That a slot of this
    /// name exists already is an error.
    #[must_use]
    pub fn temporary_slot(mut self) -> Self {
        let mut create = self.create.unwrap_or_else(|| CreateSlot::new(""));
        create.temporary = true;
        self.create = Some(create);
        self
    }

    /// Version of the pgoutput protocol, 1 to 4; the newest that the server speaks unless told.
    #[must_use]
    pub fn proto_version(mut self, version: u32) -> Self {
        self.start.proto_version = Some(version);
        self
    }

    /// Also reads messages written by `pg_logical_emit_message` (PostgreSQL 14 and later).
    #[must_use]
    pub fn messages(mut self, messages: bool) -> Self {
        self.start.messages = messages;
        self
    }

    /// Column values in binary where their type has a binary form (PostgreSQL 14 and later).
    #[must_use]
    pub fn binary(mut self, binary: bool) -> Self {
        self.start.binary = binary;
        self
    }

    /// Only changes from there (PostgreSQL 16 and later).
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.start.origin = Some(origin);
        self
    }

    /// Large transactions in pieces before they commit. Not supported by `Reader` yet: use [`Stream`](crate::Stream).
    #[must_use]
    pub fn streaming(mut self, streaming: Streaming) -> Self {
        self.start.streaming = streaming;
        self
    }

    /// Prepared transactions when they are prepared. Not supported by `Reader` yet: use [`Stream`](crate::Stream).
    #[must_use]
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.start.two_phase = two_phase;
        self
    }

    /// Starts there; where the slot has been confirmed further, the server starts at that position instead.
    ///
    /// Transactions that are skipped because of it are lost to this slot once anything later is confirmed.
    #[must_use]
    pub fn start_lsn(mut self, lsn: Lsn) -> Self {
        self.start.start_lsn = lsn;
        self
    }

    /// Goes on behind a stored position: everything through it was dealt with, and the first event is the one behind it. The slot is told
    /// nothing because of it, and moves with what is acknowledged from here on.
    ///
    /// The position must be of the same cluster, slot, publications and options, and of a timeline that the server is on or came from, before it left
    /// that. And the slot must have forgotten nothing behind it. A slot that stands behind the position and keeps no log from before it may have been
    /// made anew after it, or it was moved on by idle moments: nothing tells these apart, so it is refused. A program that resumes therefore has an
    /// [`Idle::Never`] slot, which is never moved past what was acknowledged; [`trust_slot`](Self::trust_slot) leaves the comparison out. A slot that is
    /// not there is never made anew here.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Acknowledge, Idle, Position, Reader};
    ///
    /// let mut builder = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .acknowledge(Acknowledge::Manual)
    ///     .idle(Idle::Never);
    /// if let Ok(stored) = std::fs::read_to_string("position") {
    ///     builder = builder.resume(stored.trim().parse::<Position>()?);
    /// }
    /// let mut reader = builder.connect()?;
    /// let acknowledger = reader.acknowledger();
    /// for event in &mut reader {
    ///     let position = event?.position();
    ///     // … deal with the event; then, best in one transaction with that:
    ///     std::fs::write("position", position.to_string())?;
    ///     acknowledger.acknowledge(position)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn resume(mut self, position: Position) -> Self {
        self.resume = Some(position);
        self
    }

    /// With [`resume`](Self::resume): whatever the slot has forgotten behind the position was dealt with. For a slot that idle moments have moved past the
    /// position; of one that was made anew, changes are lost by this without a word.
    #[must_use]
    pub fn trust_slot(mut self, trust: bool) -> Self {
        self.trust_slot = trust;
        self
    }

    /// What moves the slot while nothing comes; [`Idle::WhenDrained`] unless told.
    #[must_use]
    pub fn idle(mut self, idle: Idle) -> Self {
        self.idle = idle;
        self
    }

    /// Creates the slot if it does not exist, as one that standbys keep too, so that it can be read on after a failover (PostgreSQL 17 and later; manual,
    /// section "Logical Replication Failover"). A slot that exists stays as it is.
    #[must_use]
    pub fn failover_slot(mut self) -> Self {
        let mut create = self.create.unwrap_or_else(|| CreateSlot::new(""));
        create.failover = true;
        self.create = Some(create);
        self
    }

    /// Ends the iterator once every transaction whose commit record starts before `lsn` was handed out, also
    /// when nothing more arrives.
    #[must_use]
    pub fn until_lsn(mut self, lsn: Lsn) -> Self {
        self.until = Some(lsn);
        self
    }

    /// When events count as taken; [`Acknowledge::Automatic`] unless told.
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// Whether a thread tells the server that we are alive while the loop body is busy, which is the default; else the loop body has to
    /// come back, or call [`Reader::tick`], within the server's `wal_sender_timeout` (60 s unless set otherwise).
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: bool) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Connects, checks slot and publications, and starts reading.
    ///
    /// # Errors
    /// A setting that cannot be honoured, a server that cannot be reached or refuses, a slot that is missing, in use or not
    /// pgoutput's, a publication that is missing: each says what to do.
    pub fn connect(mut self) -> Result<Reader, Error> {
        let config = self.config?;
        if self.start.streaming != Streaming::Off {
            return Err(SetupError::NotSupportedYet { option: "streaming" }.into());
        }
        if matches!(self.idle, Idle::Message { .. }) && !self.start.messages {
            return Err(Error::usage(
                "Idle::Message needs messages to be read: set messages(true)",
            ));
        }
        if self.resume.is_some() && !self.start.start_lsn.is_zero() {
            return Err(Error::usage("resume says where to start: leave start_lsn out"));
        }
        if self.start.two_phase {
            return Err(SetupError::NotSupportedYet { option: "two_phase" }.into());
        }
        let mut connection = Connection::connect(&config)?;
        let system = connection.identify_system()?;
        if self.start.start_lsn > system.xlogpos {
            // The server would skip whatever is committed up to there, and that could never be had again.
            return Err(Error::usage(format!(
                "start_lsn {} is ahead of the server's log, which ends at {}",
                self.start.start_lsn, system.xlogpos
            )));
        }
        let source = Source::new(ReaderId::unique(), &system, &self.start)?;
        let catalog = Catalog::new(connection.ordinary(&config)?);
        if let Some(position) = &self.resume {
            verify_resume(&mut connection, position, &source, self.trust_slot)?;
            // What was committed before is not even sent.
            self.start.start_lsn = position.commit_lsn();
        } else if let Some(mut create) = self.create {
            create.name.clone_from(&self.start.slot);
            // All that can be wrong is looked for before there is a slot to leave behind.
            self.start.plugin_options(connection.server_version())?;
            connection.check_publications(&self.start.publications)?;
            if create.temporary || !connection.slot_exists(&create.name)? {
                connection.create_slot(&create)?;
            }
        }
        let mut stream = connection.stream(&self.start)?;
        stream.set_heartbeat(self.heartbeat)?;
        Ok(Reader::start(Setup {
            catalog,
            stream,
            system,
            source: Arc::new(source),
            acknowledge: self.acknowledge,
            idle: self.idle,
            until: self.until,
            slot: self.start.slot,
            publications: self.start.publications,
        }))
    }
}

/// That a reader can go on behind the position.
fn verify_resume(
    connection: &mut Connection,
    position: &Position,
    source: &Source,
    trusted: bool,
) -> Result<(), Error> {
    let is_later = position.timeline() < source.timeline;
    let history = if is_later { connection.timeline_history(source.timeline)? } else { Vec::new() };
    verify::same_source(position, source, &history)?;
    let SlotStanding { confirmed_flush_lsn, restart_lsn } =
        connection.slot_standing(&source.slot)?;
    verify::not_forgotten(position, &Standing { confirmed_flush_lsn, restart_lsn, trusted })?;
    Ok(())
}

impl From<Config> for ReaderBuilder {
    fn from(config: Config) -> Self {
        Self::new(Ok(config))
    }
}
