//! The reader of commands that read a slot continuously.

use std::time::Duration;

use pgoutput_reader::{
    Config, MissingPublication, ReaderBuilder, Reconnect, SlotCreation, Snapshot, SpillOptions,
    StreamOptions,
};

use crate::args::{Reading, Selection, SnapshotArg, Source};
use crate::filter::TablePattern;
use crate::report::Report;

impl Reading {
    /// Returns the settings of a reader of this slot, except for those of the objects.
    pub(crate) fn builder(
        &self,
        config: Config,
        source: &Source,
        slot: &str,
        selection: &Selection,
        binary: bool,
        report: Report,
    ) -> ReaderBuilder {
        let mut builder = ReaderBuilder::from(config)
            .slot(slot)
            .slot_creation(self.slot_creation())
            .options(self.options(binary))
            .spill(self.spill())
            .commits(self.commits)
            .reconnect(self.reconnect())
            .on_reconnect(move |attempt| report.lost(attempt))
            .on_reconnected(move |back| report.reconnected(back))
            .on_slot_wait(move |wait| report.waiting(wait));
        if self.skip_missing_publication {
            builder = builder.on_skipped_publication(|skipped| crate::print_line(skipped));
        }
        for publication in &source.publications {
            builder = builder.publication(publication);
        }
        if let Some(seconds) = self.slot_wait {
            builder = builder.slot_wait_limit(Duration::from_secs(seconds));
        }
        if let Some(snapshot) = self.snapshot(selection) {
            builder =
                builder.snapshot(snapshot).on_slot_at_risk(move |slot| report.slot_at_risk(slot));
        }
        if let Some(lsn) = self.until_lsn {
            builder = builder.until_lsn(lsn);
        }
        builder
    }

    fn slot_creation(&self) -> SlotCreation {
        if self.failover {
            SlotCreation::Failover
        } else if self.create_slot {
            SlotCreation::IfMissing
        } else {
            SlotCreation::Never
        }
    }

    fn snapshot(&self, selection: &Selection) -> Option<Snapshot> {
        let is_added = self.snapshot.contains(&SnapshotArg::Added);
        let snapshot = if self.snapshot.contains(&SnapshotArg::Initial) {
            Snapshot::initial().and_added(is_added)
        } else if is_added {
            Snapshot::added()
        } else {
            return None;
        };
        let snapshot = snapshot.jobs(self.jobs);
        if selection.tables.is_empty() {
            return Some(snapshot);
        }
        Some(snapshot.only(selection.tables.iter().filter_map(TablePattern::to_snapshot_table)))
    }

    fn options(&self, binary: bool) -> StreamOptions {
        let mut options =
            StreamOptions::new().messages(self.messages).binary(binary).two_phase(self.two_phase);
        if let Some(streaming) = self.streaming {
            options = options.streaming(streaming.into());
        }
        if self.skip_missing_publication {
            options = options.missing_publication(MissingPublication::Skip);
        }
        if let Some(version) = self.proto_version {
            options = options.proto_version(version);
        }
        if let Some(origin) = self.origin {
            options = options.origin(origin.into());
        }
        options
    }

    fn spill(&self) -> SpillOptions {
        let mut options = SpillOptions::new()
            .memory_limit(usize::try_from(self.memory_limit).unwrap_or(usize::MAX))
            .fallback(!self.no_spill_fallback);
        if let Some(dir) = &self.spill_dir {
            options = options.dir(dir);
        }
        if let Some(limit) = self.spill_limit {
            options = options.limit(limit);
        }
        options
    }

    /// Returns the policy after the loss of a connection.
    pub(crate) fn reconnect(&self) -> Reconnect {
        match self.reconnect_for {
            _ if self.no_reconnect => Reconnect::never(),
            Some(seconds) => Reconnect::default().max_elapsed(Some(Duration::from_secs(seconds))),
            None => Reconnect::default(),
        }
    }
}
