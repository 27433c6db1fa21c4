//! Readers that poll over plain SQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ReaderBuilder;
use super::connect::check_unread;
use crate::delivery::{Acknowledge, Acknowledger, Delivery, Resume, Settings};
use crate::error::Error;
use crate::event::{Fingerprint, ReaderId};
use crate::reader::events::Events;
use crate::reader::{Reader, SlotCreation};
use crate::schema::Schemas;
use crate::setup::SlotWaitOptions;
use crate::source::{AnySource, PollOpener, Polling, Stored, StreamSettings, identify};
use crate::stream::Publications;

impl ReaderBuilder {
    /// Reads over plain SQL instead of a replication connection: through poolers such as PgBouncer,
    /// and from servers that allow no replication connection to you.
    ///
    /// Each poll is a transaction that confirms what was acknowledged and reads the next changes
    /// (`pg_logical_slot_peek_binary_changes`). While there are more, polls follow each other
    /// without a delay. At the end of the WAL the next one is after `interval`.
    ///
    /// The events, their positions and the guarantees are the same: a position that was stored by
    /// one kind of reader resumes with the other. The differences:
    ///
    /// - A change is delivered up to `interval` later.
    /// - Each poll decodes the WAL from the slot's `restart_lsn` again, and the slot advances only
    ///   with the next poll. docs/polling.md describes what it costs the server.
    /// - [`StreamOptions::streaming`](crate::StreamOptions::streaming) is off by default: each poll
    ///   would send a transaction in progress again.
    /// - [`start_lsn`](Self::start_lsn) advances the slot at once.
    /// - [`snapshot`](Self::snapshot), [`Reader::add_tables`](crate::Reader::add_tables),
    ///   [`SlotCreation::Temporary`] and [`Acknowledge::Stages`] need a replication connection.
    /// - PostgreSQL 10 confirms whole records, which identify no event: after an idle time a slot
    ///   may be refused unless [`Reader::idle_position`](crate::Reader::idle_position) is stored.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use pgoutput_reader::Reader;
    ///
    /// let reader = Reader::builder("host=pooler port=6432 dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .poll(Duration::from_secs(1))
    ///     .connect()?;
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = Some(interval);
        self
    }

    pub(super) fn connect_polling(mut self, interval: Duration) -> Result<Reader, Error> {
        self.check_poll()?;
        let create = self.slot_creation.command(&self.start.slot);
        let config = self.config?;
        self.spill.check_dir()?;
        let acknowledger = Acknowledger::new(ReaderId::unique(), self.acknowledge);
        let settings = StreamSettings {
            heartbeat: false,
            temporary: false,
            reconnect: self.reconnect,
            on_reconnect: self.on_reconnect,
            on_reconnected: self.on_reconnected,
            publications: Publications::of(&self.start),
            on_skipped: self.on_skipped,
            on_slot_at_risk: None,
            acknowledged: Arc::clone(acknowledger.lsns()),
            falls_back: self.spill.fallback,
            copy: None,
        };
        let trusted = self.trust_slot;
        let stored = self.resume.map(|position| Stored { position, trusted, by_stages: false });
        if let Some(stored) = &stored {
            self.start.start_lsn = stored.position.commit_lsn();
        }
        let advances_to_start = stored.is_none();
        let opener = PollOpener { config, start: self.start, interval, advances_to_start };
        let wait_options = SlotWaitOptions {
            limit: self.slot_wait_limit,
            listener: self.on_slot_wait.as_ref(),
            stop: self.stop.as_ref().map(|(_, stop)| stop),
        };
        let opened = opener.open(create, stored.as_ref(), &wait_options)?;
        check_unread(self.refuse_read_slot && !trusted, &opener.start.slot, opened.confirmed)?;
        let identity =
            identify(acknowledger.reader(), &opened.system, &opener.start, opened.two_phase);
        let identity = Arc::new(identity);
        let position = stored.map(|stored| stored.position);
        acknowledger.set_confirmed(opened.confirmed);
        let started = opened.started(&opener.start);
        let schemas = Schemas::new(&started.database, self.described_tables);
        #[cfg(feature = "json")]
        let schemas = schemas.with_json_options(self.json_options);
        let resume = position.as_ref().map(|last| Resume::after(last, opened.confirmed));
        let copied = position.as_ref().and_then(|last| last.identity().copied.clone());
        let mut delivery = Delivery::new(
            Settings {
                fingerprint: Fingerprint::new(opened.system.system_identifier, &started.database),
                identity,
                resume: resume.unwrap_or_default(),
                newest: position.as_ref().map(|last| (last.commit_lsn(), last.raw_index())),
                acknowledger,
                mode: self.acknowledge,
                idle: self.idle,
                until: self.until,
                output: self.output,
            },
            Instant::now(),
        );
        // The commit of the position starts at its LSN.
        let after = position.as_ref().is_some_and(|last| last.raw_index().is_some());
        let read = opener.start.start_lsn.as_u64() + u64::from(after);
        delivery.add_read(opened.confirmed.max(read.into()));
        if let Some(copied) = copied.filter(|copied| copied.is_complete()) {
            delivery.set_copied(*copied);
        }
        let source = Polling::new(opener, opened, settings, self.stop);
        let source = AnySource::Polling(Box::new(source));
        let events = Events::new(source, delivery, schemas, self.spill);
        let mut reader = Reader::new(events, started, None);
        reader.log_start();
        Ok(reader)
    }

    /// Checks that no setting needs a replication connection.
    fn check_poll(&self) -> Result<(), Error> {
        let refused = |what: &str| {
            Err(Error::usage(format!("{what} needs a replication connection: leave out poll")))
        };
        if self.capture.is_some() {
            return refused("a capture");
        }
        if self.snapshot.is_some() {
            return refused(
                "an initial copy (Snapshot) uses the snapshot of a slot's creation, which",
            );
        }
        if !self.masks.is_empty() {
            return refused("a mask");
        }
        if self.slot_creation == SlotCreation::Temporary {
            return refused("a temporary slot belongs to one session of the server, so it");
        }
        if self.acknowledge == Acknowledge::Stages {
            return refused("Acknowledge::Stages is for synchronous_standby_names, so it");
        }
        if self.resume.is_some() && !self.start.start_lsn.is_zero() {
            return Err(Error::usage("resume says where to start: leave start_lsn out"));
        }
        if self.acknowledge == Acknowledge::Never && !self.start.start_lsn.is_zero() {
            return Err(Error::usage(
                "with poll, start_lsn advances the slot, and Acknowledge::Never never does: leave \
                 out one of them",
            ));
        }
        self.check_idle()?;
        let copied = self.resume.as_ref().and_then(|position| position.identity().copied.as_ref());
        let is_in_copy =
            copied.is_some_and(|copied| !copied.is_complete() || copied.to_add().next().is_some());
        if is_in_copy {
            return refused("the position is inside of a copy of tables; continuing it");
        }
        Ok(())
    }
}
