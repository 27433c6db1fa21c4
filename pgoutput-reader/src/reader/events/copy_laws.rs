//! The law of the initial copy: wherever readers are interrupted, and however they continue, the
//! events that were delivered amount to the source.

mod model;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;
use proptest::prelude::*;

use super::{Events, Waited};
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
use model::{Change, History, Model, ModelCopy, Plan, State, TABLES, point, state};

/// One process with a reader.
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone)]
struct Run {
    /// The numbers of transactions that commit before the snapshot of the run, and until its end.
    before: usize,
    during: usize,
    /// The number of events that are read before the process dies.
    events: usize,
    cuts: Vec<usize>,
    keepalives: bool,
    /// The number of events after which a position is stored and acknowledged, each time.
    store_every: usize,
    /// Whether only the positions of last events are stored.
    only_last: bool,
    /// Whether the run starts with the position that was stored.
    resumes: bool,
    /// Whether the server learns of what was acknowledged last.
    reports: bool,
}

/// An event, as a program keeps it.
#[derive(Debug)]
struct Delivered {
    id: MessageId,
    position: String,
    op: Op,
    /// `None` for the end of the copy.
    change: Option<Change>,
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
        let position = event.position().to_string();
        Self { id: event.message_id(), position, op: event.op(), change }
    }

    /// The commit LSN; `None` for an event of a copy.
    fn commit_lsn(&self) -> Option<Lsn> {
        let position: Position = self.position.parse().unwrap();
        position.index().map(|_| position.commit_lsn())
    }
}

/// A slot, what is written to its database, and a program that reads it.
struct Scene {
    history: History,
    /// The number of transactions that have committed.
    now: usize,
    /// The confirmed LSN, once there is a slot.
    confirmed: Option<Lsn>,
    delivered: Vec<Delivered>,
    /// The number of events up to the stored position.
    stored: Option<usize>,
    /// The number of readers that were started.
    starts: usize,
}

impl Scene {
    fn new(history: Vec<Vec<Change>>) -> Self {
        Self {
            history: history.into(),
            now: 0,
            confirmed: None,
            delivered: Vec::new(),
            stored: None,
            starts: 0,
        }
    }

    /// Starts a reader in the way of `StreamOpener::open_with_copy`.
    fn start(
        &mut self,
        position: Option<&Position>,
        plan: Plan,
        mode: Acknowledge,
    ) -> Events<Model> {
        self.starts += 1;
        let point = point(self.now, self.starts);
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
        let identity = StreamIdentity {
            reader,
            system_identifier: 7,
            timeline: 1,
            slot: "s".into(),
            publications: 1,
            copied: None,
        };
        let acknowledger = Acknowledger::new(reader, mode);
        let floor = if unfinished.is_some() { confirmed.max(start_lsn) } else { confirmed };
        acknowledger.set_confirmed(floor);
        let acknowledged = Arc::clone(acknowledger.lsns());
        let newest = position.map(|last| (last.commit_lsn(), last.raw_index()));
        let resume = position.map(|last| Resume::after(last, confirmed));
        let rows = state(&self.history, self.now);
        let copy = unfinished
            .map(|copied| ModelCopy::new(&rows, point, copied, !is_new, start_lsn, &identity));
        let settings = Settings {
            fingerprint: Fingerprint::new(7, "app"),
            identity: Arc::new(identity),
            resume: resume.unwrap_or_default(),
            newest: newest.or(Some((confirmed, None))),
            acknowledger,
            mode,
            idle: Idle::Keepalives,
            until: None,
            output: OutputSettings::default(),
        };
        let mut delivery = Delivery::new(settings, Instant::now());
        if let Some(copied) = stored_copy.flatten().filter(Copied::is_complete) {
            delivery.set_copied(copied);
        }
        let lsns = (start_lsn, confirmed);
        let source = Model::new(Arc::clone(&self.history), plan, copy, lsns, acknowledged);
        Events::new(source, delivery, Schemas::new("app", 100), SpillOptions::new())
    }

    fn take(&mut self, events: &mut Events<Model>) -> Option<ChangeEvent> {
        let waited = events.next(None).unwrap();
        let event = events.take();
        assert_eq!(waited, if event.is_some() { Waited::Event } else { Waited::Finished });
        self.delivered.extend(event.as_ref().map(Delivered::of));
        event
    }

    /// The position to resume from, after which the program has discarded everything.
    fn resumed(&mut self) -> Option<Position> {
        let stored = self.stored?;
        self.delivered.truncate(stored);
        let position: Position = self.delivered.last().unwrap().position.parse().unwrap();
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
        let end = (self.now + run.during).min(self.history.len());
        Plan { end, cuts: run.cuts.clone(), keepalives: run.keepalives }
    }

    fn ended(&mut self, run: &Run, plan_end: usize, events: &Events<Model>) {
        self.now = plan_end;
        let acknowledged = events.delivery.acknowledger().acknowledged();
        let reported = if run.reports { acknowledged } else { Lsn::ZERO };
        let confirmed = reported.max(events.source.confirmed);
        self.confirmed = self.confirmed.map(|before| before.max(confirmed));
    }

    /// A run of a program that keeps events and their positions together.
    fn run(&mut self, run: &Run) {
        let plan = self.plan(run);
        let end = plan.end;
        let position = run.resumes.then(|| self.resumed()).flatten();
        if position.is_none() {
            self.discard_unconfirmed();
        }
        let mut events = self.start(position.as_ref(), plan, Acknowledge::Manual);
        let acknowledger = events.delivery.acknowledger().clone();
        for number in 1..=run.events {
            let Some(event) = self.take(&mut events) else { break };
            if number % run.store_every == 0 && (event.is_last() || !run.only_last) {
                self.stored = Some(self.delivered.len());
                acknowledger.acknowledge_through(event.position()).unwrap();
            }
        }
        self.ended(run, end, &events);
    }

    /// A run of a program that keeps only events, and acknowledges them.
    fn run_at_least_once(&mut self, run: &Run) {
        let plan = self.plan(run);
        let end = plan.end;
        let mut events = self.start(None, plan, Acknowledge::Automatic);
        let _ = (0..run.events).map_while(|_| self.take(&mut events)).count();
        self.ended(run, end, &events);
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.delivered.iter().filter_map(|one| one.change.as_ref())
    }
}

fn without_empty(mut state: State) -> State {
    state.retain(|_, rows| !rows.is_empty());
    state
}

/// A change that fits the state: a table, a key, and a kind.
fn change(state: &State, (table, id, kind): (usize, u32, u32)) -> Change {
    let one = TABLES[table % TABLES.len()];
    if kind % 8 == 0 {
        let other = TABLES[id as usize % TABLES.len()];
        return Change::Truncate(if other == one { vec![one] } else { vec![one, other] });
    }
    let exists = state.get(&one).is_some_and(|rows| rows.contains_key(&id));
    match (exists, kind % 2) {
        (false, _) => Change::Insert { table: one, id, value: kind },
        (true, 0) => Change::Update { table: one, id, value: kind },
        (true, _) => Change::Delete { table: one, id },
    }
}

fn history() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let wish = (0_usize..4, 0_u32..5, 0_u32..1000);
    prop::collection::vec(prop::collection::vec(wish, 1..7), 1..14).prop_map(|transactions| {
        let mut state = State::new();
        let fit = |wish| {
            let change = change(&state, wish);
            change.apply(&mut state);
            change
        };
        let mut all = transactions.into_iter().flatten().map(fit).collect::<Vec<_>>().into_iter();
        let mut lens = (1..=6).cycle();
        let mut history = Vec::new();
        while !all.as_slice().is_empty() {
            history.push(all.by_ref().take(lens.next().unwrap()).collect());
        }
        history
    })
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let run = (
        (0_usize..5, 0_usize..5, 0_usize..40),
        prop::collection::vec(0_usize..25, 0..3),
        (any::<bool>(), 1_usize..5, any::<bool>(), prop::bool::weighted(0.7), any::<bool>()),
    )
        .prop_map(|((before, during, events), cuts, flags)| {
            let (keepalives, store_every, only_last, resumes, reports) = flags;
            Run {
                before,
                during,
                events,
                cuts,
                keepalives,
                store_every,
                only_last,
                resumes,
                reports,
            }
        });
    prop::collection::vec(run, 1..7)
}

/// The run that reads everything.
fn last(run: &Run) -> Run {
    Run { during: usize::MAX / 2, events: usize::MAX, ..run.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_up_to_the_stored_position_and_then_delivered_is_the_source(
        history in history(),
        runs in runs(),
    ) {
        let mut scene = Scene::new(history);
        for run in &runs {
            scene.run(run);
        }
        scene.run(&last(&runs[0]));
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply(&mut replayed));
        let source = state(&scene.history, scene.history.len());
        prop_assert_eq!(without_empty(replayed), without_empty(source));
        let ids: BTreeSet<_> = scene.delivered.iter().map(|one| one.id).collect();
        prop_assert_eq!(ids.len(), scene.delivered.len());
    }

    #[test]
    fn with_positions_of_last_events_nothing_is_delivered_twice(
        history in history(),
        runs in runs(),
    ) {
        let mut scene = Scene::new(history);
        let whole = |run: &Run| Run {
            store_every: 1,
            only_last: true,
            resumes: true,
            ..run.clone()
        };
        let mut ends = 0;
        for run in &runs {
            let run = whole(run);
            scene.run(&run);
            // Without a stored position, the first table was not finished.
            scene.delivered.truncate(scene.stored.unwrap_or(0));
        }
        scene.run(&last(&whole(&runs[0])));
        for one in &scene.delivered {
            prop_assert!(ends == 0 || one.op != Op::SnapshotRow);
            ends += usize::from(one.op == Op::SnapshotEnd);
        }
        prop_assert_eq!(ends, 1);
        let mut replayed = State::new();
        let (copy, stream) = scene.delivered.split_at(
            scene.delivered.iter().position(|one| one.op == Op::SnapshotEnd).unwrap(),
        );
        // No table that has rows is emptied.
        for one in copy {
            let change = one.change.as_ref().unwrap();
            if let Change::Truncate(tables) = change {
                prop_assert!(!without_empty(replayed.clone()).contains_key(&tables[0]));
            }
            change.apply(&mut replayed);
        }
        for change in stream.iter().filter_map(|one| one.change.as_ref()) {
            change.apply(&mut replayed);
        }
        let source = state(&scene.history, scene.history.len());
        prop_assert_eq!(without_empty(replayed), without_empty(source));
    }

    #[test]
    fn without_positions_everything_delivered_amounts_to_the_source(
        history in history(),
        runs in runs(),
    ) {
        let mut scene = Scene::new(history);
        for run in &runs {
            scene.run_at_least_once(run);
        }
        scene.run_at_least_once(&last(&runs[0]));
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply_again(&mut replayed));
        let source = state(&scene.history, scene.history.len());
        prop_assert_eq!(without_empty(replayed), without_empty(source));
    }
}
