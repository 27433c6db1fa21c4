//! A slot, what is written to its database, and a program that reads it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::{Lsn, Oid};

use super::super::{Events, Waited};
use super::history::{Change, History, TABLES, Transaction, state};
use super::model::{Addition, CopyCut, CopyLsns, Left, Model, ModelCopy, Plan, Start};
use super::wal::Wal;
use crate::delivery::{
    Acknowledge, Acknowledger, Delivery, Idle, OutputSettings, Resume, Settings,
};
use crate::event::signature::is_signed;
use crate::event::{
    ChangeEvent, Copied, Fingerprint, MessageId, Op, Position, ReaderId, StreamIdentity,
};
use crate::reader::SpillOptions;
use crate::schema::Schemas;
use crate::source::Stored;

/// One process with a reader.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The numbers of transactions that commit before the snapshot of the run, and until its end.
    pub(super) before: usize,
    pub(super) during: usize,
    /// The number of events that are read before the process dies.
    pub(super) events: usize,
    /// The number of steps after which the reader is stopped, if the process lives that long.
    pub(super) stop: Option<usize>,
    pub(super) copy_cuts: Vec<CopyCut>,
    pub(super) cuts: Vec<usize>,
    pub(super) keepalives: bool,
    /// The number of events after which a position is stored, each time.
    pub(super) store_every: usize,
    /// Whether only the positions of last events are stored.
    pub(super) only_last: bool,
    /// Whether what is stored is acknowledged.
    pub(super) acknowledges: bool,
    /// Whether the idle position is stored at the end.
    pub(super) stores_idle: bool,
    /// Whether the run starts with the position that was stored.
    pub(super) resumes: bool,
    /// Whether the server learns of what was acknowledged last.
    pub(super) reports: bool,
    /// The tables that are added.
    pub(super) additions: Vec<Addition>,
}

/// An event, as a program keeps it.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) id: MessageId,
    pub(super) position: String,
    pub(super) op: Op,
    pub(super) lsn: Lsn,
    pub(super) is_last: bool,
    /// `None` for the end of the copy.
    pub(super) change: Option<Change>,
}

impl Delivered {
    fn of(event: &ChangeEvent) -> Self {
        let table = || event.table().unwrap().relation().oid().as_u32();
        let row = event.after().or_else(|| event.before());
        let value = |name: &str| row.as_ref().unwrap().get::<i32>(name).unwrap().cast_unsigned();
        let change = match event.op() {
            Op::SnapshotRow | Op::Insert => {
                Some(Change::Insert { table: table(), id: value("id"), value: value("v") })
            }
            Op::Update => {
                Some(Change::Update { table: table(), id: value("id"), value: value("v") })
            }
            Op::Delete => Some(Change::Delete { table: table(), id: value("id") }),
            Op::Truncate => Some(Change::Truncate(vec![table()])),
            Op::SnapshotEnd => None,
            other => panic!("{other:?}"),
        };
        Self {
            id: event.message_id(),
            position: event.position().to_string(),
            op: event.op(),
            lsn: event.lsn(),
            is_last: event.is_last(),
            change,
        }
    }

    /// The commit LSN; `None` for an event of a copy.
    fn commit_lsn(&self) -> Option<Lsn> {
        let position: Position = self.position.parse().unwrap();
        position.index().map(|_| position.commit_lsn())
    }

    pub(super) fn table(&self) -> Option<u32> {
        self.change.as_ref().map(|change| change.tables()[0])
    }
}

pub(super) struct Scene {
    pub(super) history: History,
    wal: Wal,
    /// The number of transactions that have committed.
    pub(super) now: usize,
    /// The confirmed LSN, once there is a slot.
    confirmed: Option<Lsn>,
    pub(super) delivered: Vec<Delivered>,
    /// The number of events up to the stored position, and the position.
    pub(super) stored: Option<(usize, Position)>,
    /// The id of each event that was ever delivered, by LSN, table and whether it is of a copy.
    ids: HashMap<(Lsn, Option<u32>, Op), MessageId>,
}

impl Scene {
    pub(super) fn new(history: Vec<Transaction>) -> Self {
        Self {
            history: history.into(),
            wal: Wal::default(),
            now: 0,
            confirmed: None,
            delivered: Vec::new(),
            stored: None,
            ids: HashMap::new(),
        }
    }

    /// Starts a reader in the way of `StreamOpener::open_with_copy`.
    pub(super) fn start(
        &mut self,
        position: Option<&Position>,
        plan: Plan,
        mode: Acknowledge,
    ) -> Events<Model> {
        let point = self.wal.end(self.now);
        let is_new = self.confirmed.is_none();
        let confirmed = *self.confirmed.get_or_insert(point);
        let stored_copy = position.map(|position| position.identity().copied.as_deref().cloned());
        let unfinished = match stored_copy.clone() {
            Some(copied) => copied.filter(|copied| !copied.is_complete()),
            None => (is_new || !is_signed(confirmed)).then(Copied::default),
        };
        let stored_lsn = position.map_or(Lsn::ZERO, Position::commit_lsn);
        let start_lsn = match &unfinished {
            Some(copied) if copied.is_empty() => point,
            _ => stored_lsn.max(confirmed),
        };
        let reader = ReaderId::unique();
        let identity = Arc::new(StreamIdentity {
            reader,
            system_identifier: 7,
            timeline: 1,
            slot: "s".into(),
            publications: 1,
            copied: None,
            known: None,
        });
        let acknowledger = Acknowledger::new(reader, mode);
        let floor = if unfinished.is_some() { confirmed.max(start_lsn) } else { confirmed };
        acknowledger.set_confirmed(floor);
        let acknowledged = Arc::clone(acknowledger.lsns());
        let newest = position.map(|last| (last.commit_lsn(), last.raw_index()));
        let resume = position.map(|last| Resume::after(last, confirmed));
        let rows = state(&self.history, self.now);
        let lsns = CopyLsns { point, stream: start_lsn, confirmed };
        let left = unfinished.map(|copied| Left { copied, repeats: !is_new });
        let copy = left.map(|left| ModelCopy::new(&rows, &TABLES, lsns, left, &identity));
        let settings = Settings {
            fingerprint: Fingerprint::new(7, "app"),
            identity: Arc::clone(&identity),
            resume: resume.unwrap_or_default(),
            newest: newest.or(Some((confirmed, None))),
            acknowledger,
            mode,
            idle: Idle::Keepalives,
            until: None,
            output: OutputSettings::default(),
        };
        let mut delivery = Delivery::new(settings, Instant::now());
        let after_commit = position.is_some_and(|last| last.raw_index().is_some());
        let read = Lsn::new(start_lsn.as_u64() + u64::from(after_commit));
        delivery.add_read(confirmed.max(read));
        let mut to_add = Vec::new();
        if let Some(copied) = stored_copy.flatten().filter(Copied::is_complete) {
            to_add.extend(copied.to_add().map(Oid::as_u32));
            delivery.set_copied(copied);
        }
        let start = Start {
            history: Arc::clone(&self.history),
            wal: self.wal.clone(),
            identity,
            copy,
            visible: self.now,
            from: start_lsn,
            confirmed,
            acknowledged,
            to_add,
        };
        let source = Model::new(start, plan);
        Events::new(source, delivery, Schemas::new("app", 100), SpillOptions::new())
    }

    pub(super) fn take(&mut self, events: &mut Events<Model>) -> Option<ChangeEvent> {
        let waited = events.next(None).unwrap();
        let event = events.take();
        assert_eq!(waited, if event.is_some() { Waited::Event } else { Waited::Finished });
        if let Some(event) = &event {
            let one = Delivered::of(event);
            let id = *self.ids.entry((one.lsn, one.table(), one.op)).or_insert(one.id);
            // Rows of a table in a copy share an LSN.
            assert!(one.op == Op::SnapshotRow || id == one.id, "another id of {event:?}");
            self.delivered.push(one);
        }
        event
    }

    /// The position to resume from, after which the program has discarded everything.
    fn resumed(&mut self) -> Option<Position> {
        let (stored, position) = self.stored.clone()?;
        self.delivered.truncate(stored);
        let position: Position = position.to_string().parse().unwrap();
        let confirmed = self.confirmed.unwrap();
        let checked = Stored { position: position.clone(), trusted: false, by_stages: false };
        checked.verify_slot(confirmed, Some(confirmed), false).unwrap();
        Some(position)
    }

    /// Without a position, the program has what the slot has confirmed.
    fn discard_unconfirmed(&mut self) {
        self.stored = None;
        if let Some(confirmed) = self.confirmed.filter(|confirmed| is_signed(*confirmed)) {
            self.delivered.retain(|one| one.commit_lsn().is_none_or(|lsn| lsn < confirmed));
        }
    }

    fn plan(&mut self, run: &Run) -> Plan {
        self.now = (self.now + run.before).min(self.history.len());
        Plan {
            end: (self.now + run.during).min(self.history.len()),
            copy_cuts: run.copy_cuts.clone(),
            cuts: run.cuts.clone(),
            keepalives: run.keepalives,
            stop: run.stop,
            unpublishes: false,
            additions: run.additions.clone(),
        }
    }

    fn ended(&mut self, run: &Run, plan_end: usize, events: &Events<Model>) {
        self.now = plan_end;
        let acknowledged = events.delivery.acknowledger().acknowledged();
        let reported = if run.reports { acknowledged } else { Lsn::ZERO };
        let confirmed = reported.max(events.source.confirmed);
        self.confirmed = self.confirmed.map(|before| before.max(confirmed));
    }

    /// A run of a program that keeps events and their positions together.
    pub(super) fn run(&mut self, run: &Run) {
        let plan = self.plan(run);
        let end = plan.end;
        let position = run.resumes.then(|| self.resumed()).flatten();
        if position.is_none() {
            self.discard_unconfirmed();
        }
        let mut events = self.start(position.as_ref(), plan, Acknowledge::Manual);
        let acknowledger = events.delivery.acknowledger().clone();
        let store = |stored: &mut Option<_>, number, position: Position| {
            if run.acknowledges {
                acknowledger.acknowledge_through(&position).unwrap();
            }
            *stored = Some((number, position));
        };
        for number in 1..=run.events {
            let Some(event) = self.take(&mut events) else { break };
            if number % run.store_every == 0 && (event.is_last() || !run.only_last) {
                store(&mut self.stored, self.delivered.len(), event.position());
            }
        }
        if let Some(position) = events.idle_position().filter(|_| run.stores_idle) {
            store(&mut self.stored, self.delivered.len(), position);
        }
        self.ended(run, end, &events);
    }

    /// A run of a program that keeps only events, and acknowledges them.
    pub(super) fn run_at_least_once(&mut self, run: &Run) {
        let plan = self.plan(run);
        let end = plan.end;
        let mut events = self.start(None, plan, Acknowledge::Automatic);
        let _ = (0..run.events).map_while(|_| self.take(&mut events)).count();
        self.ended(run, end, &events);
    }

    pub(super) fn changes(&self) -> impl Iterator<Item = &Change> {
        self.delivered.iter().filter_map(|one| one.change.as_ref())
    }
}
