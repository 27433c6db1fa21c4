//! Connects a reader.

use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;

use super::ReaderBuilder;
use super::capture::{captured, header, masked_tables};
use crate::delivery::{Acknowledge, Acknowledger, Delivery, Idle, Resume, Settings};
use crate::error::{Error, PositionError, SnapshotError};
use crate::event::signature::is_signed;
use crate::event::{Fingerprint, Position, ReaderId};
use crate::proto::Streaming;
use crate::reader::events::Events;
use crate::reader::masks::RowMasks;
use crate::reader::{Reader, SlotCreation};
use crate::schema::Schemas;
use crate::setup::SlotWaitOptions;
use crate::snapshot::Snapshot;
use crate::source::{
    AnySource, Reconnect, Replication, Stored, StreamOpener, StreamSettings, identify,
    temporary_name,
};
use crate::stream::Publications;

impl ReaderBuilder {
    /// Connects, checks slot and publications, and starts reading. This is tried once: the reader
    /// [reconnects](Self::reconnect) only a connection that is lost later. It waits for the SQL
    /// connection for at most a second, and tries again when the connection is needed.
    ///
    /// # Errors
    /// A setting is invalid or not supported; the server cannot be reached or refuses the
    /// connection; the slot is missing, in use or not for pgoutput; a publication is missing. Each
    /// error contains advice.
    pub fn connect(mut self) -> Result<Reader, Error> {
        if let Some(interval) = self.poll {
            return self.connect_polling(interval);
        }
        if self.snapshot.as_ref().is_some_and(Snapshot::is_alone) {
            self.check_alone()?;
            self.start.slot = temporary_name("pgoutput");
        }
        let capturing = self.find_capture()?;
        self.check_snapshot()?;
        let initial = self.snapshot.clone().filter(Snapshot::is_initial);
        let create = self.slot_creation.command(&self.start.slot);
        self.check_idle()?;
        let config = self.config?;
        self.spill.check_dir()?;
        let temporary = self.slot_creation == SlotCreation::Temporary;
        let acknowledger = Acknowledger::new(ReaderId::unique(), self.acknowledge);
        let reconnect = if temporary { Reconnect::never() } else { self.reconnect };
        // A message in a chunk, or a file that cannot be written, may need another connection.
        if !(temporary || self.start.options.messages && reconnect.is_never()) {
            self.start.options.default_streaming = Streaming::On;
        }
        let settings = StreamSettings {
            heartbeat: self.heartbeat,
            temporary,
            reconnect,
            on_reconnect: self.on_reconnect,
            on_reconnected: self.on_reconnected,
            publications: Publications::of(&self.start),
            on_skipped: self.on_skipped,
            on_slot_at_risk: self.on_slot_at_risk,
            acknowledged: Arc::clone(acknowledger.lsns()),
            falls_back: self.spill.fallback,
            copy: initial.clone().map(|snapshot| (snapshot, self.slot_wait_limit)),
        };
        let by_stages = self.acknowledge == Acknowledge::Stages;
        let trusted = self.trust_slot;
        let stored = self.resume.map(|position| Stored { position, trusted, by_stages });
        if let Some(stored) = &stored {
            // The server does not even send what was committed before.
            self.start.start_lsn = stored.position.commit_lsn();
        }
        let opener = StreamOpener { config, start: self.start };
        // Before a slot is created.
        let masked = masked_tables(&self.masks, capturing.as_ref(), &opener)?;
        let wait_options = SlotWaitOptions {
            limit: self.slot_wait_limit,
            listener: self.on_slot_wait.as_ref(),
            stop: self.stop.as_ref().map(|(_, stop)| stop),
        };
        let opened = if let Some(snapshot) = &initial {
            opener.open_with_copy(snapshot, create, stored.as_ref(), by_stages, &wait_options)?
        } else {
            opener.open(create, stored.as_ref(), &wait_options)?
        };
        let [masked, captured_masks] = masked?;
        check_unread(self.refuse_read_slot && !trusted, &opener.start.slot, opened.confirmed)?;
        let identity =
            identify(acknowledger.reader(), &opened.system, &opener.start, opened.two_phase);
        let position = stored.map(|stored| stored.position);
        let named = opened.naming(&settings, &opener.start.slot);
        let additions = opener
            .additions(self.snapshot.as_ref(), self.slot_wait_limit, &opened, position.as_ref())
            .map_err(&named)?;
        let identity = Arc::new(identity.with_known(additions.known.clone()));
        acknowledger.set_confirmed(opened.floor());
        let resume = position.as_ref().map(|last| Resume::after(last, opened.confirmed));
        let started = opened.started(&opener.start);
        let database = &started.database;
        let schemas = Schemas::new(database, self.described_tables);
        #[cfg(feature = "json")]
        let schemas = schemas.with_json_options(self.json_options);
        let newest = position.as_ref().map(|last| (last.commit_lsn(), last.raw_index()));
        // What is confirmed before the first event is signed too: an LSN without a signature means
        // that the tables are not copied.
        let newest = newest.or(initial.is_some().then_some((opened.confirmed, None)));
        let copied = position.as_ref().and_then(|last| last.identity().copied.clone());
        let header = header(&opener.start, &opened, &identity, position.as_ref(), &self.idle);
        let mut delivery = Delivery::new(
            Settings {
                fingerprint: Fingerprint::new(opened.system.system_identifier, database),
                identity: Arc::clone(&identity),
                resume: resume.unwrap_or_default(),
                newest,
                acknowledger,
                mode: self.acknowledge,
                idle: self.idle,
                until: self.until,
                output: self.output,
            },
            Instant::now(),
        );
        delivery.add_read(opened.read_lsn(position.as_ref()));
        if let Some(copied) = copied.filter(|copied| copied.is_complete()) {
            delivery.set_copied(*copied);
        }
        let source = Replication::new(opener, opened, settings, identity, self.stop);
        let mut source = source.map_err(named)?;
        source.set_additions(additions);
        let source =
            captured(AnySource::Replication(Box::new(source)), capturing, header, captured_masks)?;
        let events = Events::new(source, delivery, schemas, self.spill);
        let mut reader = Reader::new(events, started, RowMasks::new(self.masks, masked));
        reader.log_start();
        Ok(reader)
    }

    /// Checks that the messages that keep the slot advancing are read.
    pub(super) fn check_idle(&self) -> Result<(), Error> {
        if matches!(self.idle, Idle::Message { .. }) && !self.start.options.messages {
            return Err(Error::usage(
                "Idle::Message needs messages to be read: set StreamOptions::messages(true)",
            ));
        }
        Ok(())
    }

    /// Checks that the initial copy, the start and the position fit together.
    fn check_snapshot(&self) -> Result<(), Error> {
        if self.resume.is_some() && !self.start.start_lsn.is_zero() {
            return Err(Error::usage("resume says where to start: leave start_lsn out"));
        }
        let initial = self.snapshot.as_ref().filter(|snapshot| snapshot.is_initial());
        if initial.is_some() && !self.start.start_lsn.is_zero() {
            return Err(SnapshotError::START_LSN.into());
        }
        if let Some(snapshot) = &self.snapshot {
            snapshot.selection().check()?;
            if snapshot.is_added() && !snapshot.selection().is_all() {
                return Err(Error::usage(
                    "Snapshot::only limits a copy to tables, and Snapshot::added copies all that \
                     join: leave one out",
                ));
            }
        }
        let is_in_copy = |position: &Position| {
            position.identity().copied.as_ref().is_some_and(|copied| !copied.is_complete())
        };
        if initial.is_none() && self.resume.as_ref().is_some_and(is_in_copy) {
            return Err(SnapshotError::NotRequested.into());
        }
        Ok(())
    }

    /// Checks that no setting needs a slot or a stream.
    fn check_alone(&self) -> Result<(), SnapshotError> {
        for (option, is_set) in [
            ("a slot", !self.start.slot.is_empty()),
            ("slot_creation", self.slot_creation != SlotCreation::Never),
            ("start_lsn", !self.start.start_lsn.is_zero()),
            ("until_lsn", self.until.is_some()),
            ("resume", self.resume.is_some()),
            ("two_phase", self.start.options.two_phase),
            ("and_added", self.snapshot.as_ref().is_some_and(Snapshot::is_added)),
        ] {
            if is_set {
                return Err(SnapshotError::without_stream(option));
            }
        }
        Ok(())
    }
}

/// Checks that no reader has acknowledged an event of a slot, if nothing is stored elsewhere.
pub(super) fn check_unread(
    refuses_read: bool,
    slot: &str,
    confirmed: Lsn,
) -> Result<(), PositionError> {
    if refuses_read && is_signed(confirmed) {
        let slot = slot.to_owned();
        return Err(PositionError::NothingStored { slot, confirmed_flush_lsn: confirmed });
    }
    Ok(())
}
