//! Committed captures, delivered at once, byte by byte, and cut after any message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;
use proptest::prelude::*;

use super::{Events, Waited};
use crate::delivery::{
    Acknowledge, Acknowledger, Delivery, Idle, OutputSettings, Resume, Settings,
};
use crate::event::{ChangeEvent, Fingerprint, Op, Position, ReaderId, StreamIdentity};
use crate::reader::SpillOptions;
use crate::schema::Schemas;
use crate::source::capture::{Capture, Plan, Unit, undivided, units, without_messages};

mod descriptions;

const CAPTURES: [&str; 5] = [
    "10/proto1",
    "13/proto1",
    "15/proto1-messages",
    "15/proto1-messages-binary",
    "18/proto1-messages",
];

fn events(units: &Arc<[Unit]>, plan: Plan, mode: Acknowledge) -> Events<Capture> {
    spilling_events(units, plan, mode, SpillOptions::new())
}

fn spilling_events(
    units: &Arc<[Unit]>,
    plan: Plan,
    mode: Acknowledge,
    spill: SpillOptions,
) -> Events<Capture> {
    events_with(units, plan, mode, spill, false)
}

fn events_with(
    units: &Arc<[Unit]>,
    plan: Plan,
    mode: Acknowledge,
    spill: SpillOptions,
    commits: bool,
) -> Events<Capture> {
    let output = OutputSettings { commits, ..OutputSettings::default() };
    resumed_events(units, plan, mode, spill, output, None)
}

fn resumed_events(
    units: &Arc<[Unit]>,
    plan: Plan,
    mode: Acknowledge,
    spill: SpillOptions,
    output: OutputSettings,
    position: Option<&Position>,
) -> Events<Capture> {
    let (fingerprint, reader) = (Fingerprint::new(7, "app"), ReaderId::unique());
    let slot = "s".into();
    let identity = StreamIdentity {
        reader,
        system_identifier: 7,
        timeline: 1,
        slot,
        publications: 1,
        copied: None,
        known: None,
    };
    let acknowledger = Acknowledger::new(reader, mode);
    let acknowledged = Arc::clone(acknowledger.lsns());
    let settings = Settings {
        fingerprint,
        identity: Arc::new(identity),
        resume: position.map(|position| Resume::after(position, Lsn::ZERO)).unwrap_or_default(),
        newest: position.map(|last| (last.commit_lsn(), last.raw_index())),
        acknowledger,
        mode,
        idle: Idle::Keepalives,
        until: None,
        output,
    };
    let delivery = Delivery::new(settings, Instant::now());
    let source = Capture::new(units.clone(), plan, acknowledged);
    Events::new(source, delivery, Schemas::new("app", 100), spill)
}

/// The id of an event, with everything that it holds.
fn described(event: &ChangeEvent) -> String {
    format!("{} {}", content(event), event.is_last())
}

/// The same without whether it is the last.
fn content(event: &ChangeEvent) -> String {
    format!("{} {event:?} {:?}", event.message_id(), event.table().map(|table| table.columns()))
}

fn next(events: &mut Events<Capture>) -> Option<ChangeEvent> {
    let waited = events.next(None).unwrap();
    let event = events.take();
    assert_eq!(waited, if event.is_some() { Waited::Event } else { Waited::Finished });
    event
}

fn all(units: &Arc<[Unit]>, plan: Plan) -> Vec<String> {
    all_and_cuts(units, plan).0
}

/// All events, and the number of connections that were cut.
fn all_and_cuts(units: &Arc<[Unit]>, plan: Plan) -> (Vec<String>, usize) {
    let mut events = events(units, plan, Acknowledge::Automatic);
    let all = std::iter::from_fn(|| next(&mut events)).map(|event| described(&event)).collect();
    (all, events.source.started_from.len())
}

fn whole(units: &Arc<[Unit]>) -> Vec<String> {
    all(units, Plan::default())
}

#[test]
fn byte_by_byte_delivers_the_same_events() {
    for name in CAPTURES {
        let units: Arc<[Unit]> = units(name).into();
        let whole = whole(&units);
        assert!(whole.len() > 50, "{name}: {} events", whole.len());
        let ids: BTreeSet<_> = whole.iter().map(|event| event.split_once(' ').unwrap().0).collect();
        assert_eq!(ids.len(), whole.len(), "{name}: ids");
        for chunk in [1, 7, 1000] {
            assert_eq!(all(&units, Plan { chunk, ..Plan::default() }), whole, "{name} {chunk}");
        }
    }
}

/// Two connections are cut: one after every message and every keepalive, and the next one shortly
/// after. Without keepalives, a third of the messages must do.
#[test]
fn a_cut_after_any_message_neither_repeats_nor_loses_events() {
    for name in CAPTURES {
        let units: Arc<[Unit]> = units(name).into();
        let whole = whole(&units);
        let messages: usize = units.iter().map(|unit| unit.messages.len()).sum();
        for (keepalives, step) in [(true, 1), (false, 3)] {
            let mut last = 0;
            for cut in (0..).step_by(step) {
                let plan =
                    Plan { chunk: 0, cuts: vec![cut, cut % 5], keepalives, ..Plan::default() };
                let (got, cuts) = all_and_cuts(&units, plan);
                assert_eq!(got, whole, "{name}, cut after {cut}, {keepalives}");
                if cuts == 0 {
                    break;
                }
                last = cut;
            }
            assert!(last > messages / 2, "{name}: {last} of {messages}");
        }
    }
}

/// A capture with transactions in progress, and one of the same run without. In both, prepared
/// transactions are sent after COMMIT PREPARED.
const STREAMED: [(&str, &str); 6] = [
    ("14/proto2-streaming-messages", "14/proto1-messages"),
    ("14/proto2-streaming-messages-binary", "14/proto1-messages-binary"),
    ("15/proto2-streaming-messages", "15/proto1-messages"),
    ("16/proto2-streaming-messages", "16/proto1-messages"),
    ("17/proto2-streaming-messages", "17/proto1-messages"),
    ("18/proto2-streaming-messages", "18/proto1-messages"),
];

#[test]
fn transactions_in_progress_give_the_events_of_ordinary_ones() {
    for (streamed, ordinary) in STREAMED {
        let ordinary = whole(&without_messages(units(ordinary)).into());
        let units: Arc<[Unit]> = without_messages(undivided(streamed)).into();
        for memory_limit in [usize::MAX, 100_000, 0] {
            let spill = SpillOptions { memory_limit, ..SpillOptions::new() };
            let plan = Plan::default();
            let mut events = spilling_events(&units, plan, Acknowledge::Automatic, spill);
            let all: Vec<_> =
                std::iter::from_fn(|| next(&mut events)).map(|event| described(&event)).collect();
            for (got, expected) in all.iter().zip(&ordinary) {
                assert_eq!(got, expected, "{streamed}, {memory_limit}");
            }
            assert_eq!(all.len(), ordinary.len(), "{streamed}, {memory_limit}");
        }
    }
}

#[test]
fn a_cut_during_a_transaction_in_progress_neither_repeats_nor_loses_events() {
    let units: Arc<[Unit]> = without_messages(undivided(STREAMED[5].0)).into();
    let whole = whole(&units);
    let messages = units[0].messages.len();
    for cut in 0..messages {
        let plan = Plan {
            chunk: 0,
            cuts: vec![cut, cut * 7 % messages],
            keepalives: false,
            ..Plan::default()
        };
        let (got, cuts) = all_and_cuts(&units, plan);
        assert!(cuts == 2 && got == whole, "cut after {cut}");
    }
}

#[test]
fn the_last_event_of_each_transaction_is_known() {
    for name in ["15/proto1-messages", "10/proto1"] {
        let units: Arc<[Unit]> = units(name).into();
        let mut events = events(&units, Plan::default(), Acknowledge::Automatic);
        let all: Vec<_> = std::iter::from_fn(|| next(&mut events)).collect();
        for (event, following) in all.iter().zip(all.iter().skip(1)) {
            let ends = match (event.transaction(), following.transaction()) {
                (Some(one), Some(other)) => one.commit_lsn() != other.commit_lsn(),
                _ => true,
            };
            assert_eq!(event.is_last(), ends, "{event:?}");
            assert!(!ends || event.transaction().is_none_or(|one| one.end_lsn().is_some()));
        }
        assert!(all.last().unwrap().is_last());
    }
}

/// A transaction is confirmed after a stop exactly if its last event was delivered as the last.
#[test]
fn a_stop_after_any_event_confirms_only_transactions_that_were_complete() {
    let (mut complete, mut incomplete) = (0, 0);
    for name in CAPTURES.into_iter().chain([STREAMED[5].0, STREAMED[1].0]) {
        let units: Arc<[Unit]> = if name.contains("streaming") {
            without_messages(undivided(name)).into()
        } else {
            units(name).into()
        };
        for taken in 1.. {
            let mut events = events(&units, Plan::default(), Acknowledge::Automatic);
            if std::iter::from_fn(|| next(&mut events)).take(taken).count() < taken {
                assert!(taken > 50, "{name}");
                break;
            }
            events.source.plan.stopped = true;
            let rest: Vec<_> = std::iter::from_fn(|| next(&mut events)).collect();
            let Some(last) = rest.last() else { continue };
            let acknowledged = events.delivery.acknowledger().acknowledged();
            assert_eq!(acknowledged > unit_of(last), last.is_last(), "{name}, after {taken}");
            *(if last.is_last() { &mut complete } else { &mut incomplete }) += 1;
        }
    }
    assert!(complete > 20 && incomplete > 20, "{complete} {incomplete}");
}

#[test]
fn each_transaction_ends_with_an_event_on_request_whatever_is_cut() {
    for (streamed, ordinary) in STREAMED {
        let ordinary: Arc<[Unit]> = without_messages(units(ordinary)).into();
        let mut events = events(&ordinary, Plan::default(), Acknowledge::Automatic);
        let whole: Vec<_> =
            std::iter::from_fn(|| next(&mut events)).map(|event| content(&event)).collect();
        let undivided: Arc<[Unit]> = without_messages(undivided(streamed)).into();
        for (units, cuts) in
            [(&ordinary, vec![]), (&ordinary, vec![100, 40]), (&undivided, vec![200, 120, 180])]
        {
            let plan = Plan { cuts, ..Plan::default() };
            let spill = SpillOptions::new();
            let mut events = events_with(units, plan, Acknowledge::Automatic, spill, true);
            let all: Vec<_> = std::iter::from_fn(|| next(&mut events)).collect();
            let changes: Vec<_> =
                all.iter().filter(|event| event.op() != Op::Commit).map(content).collect();
            assert_eq!(changes, whole, "{streamed}");
            for (event, following) in all.iter().zip(all.iter().skip(1)) {
                let is_end = event.op() == Op::Commit || event.transaction().is_none();
                assert_eq!(event.is_last(), is_end);
                if !is_end {
                    let lsn = |event: &ChangeEvent| event.transaction().unwrap().commit_lsn();
                    assert_eq!(lsn(event), lsn(following));
                }
            }
            assert_eq!(all.last().unwrap().op(), Op::Commit);
        }
    }
}

/// In these captures prepared transactions were sent when they were prepared.
const PREPARED: [&str; 8] = [
    "15/proto3-streaming-two_phase-messages",
    "16/proto3-streaming-two_phase-messages",
    "17/proto3-streaming-two_phase-messages",
    "18/proto3-streaming-two_phase-messages",
    "16/proto4-parallel-two_phase-messages",
    "17/proto4-parallel-two_phase-messages",
    "18/proto4-parallel-two_phase-messages",
    "18/proto4-parallel-two_phase-messages-binary",
];

#[test]
fn prepared_transactions_are_delivered_when_they_are_prepared() {
    for name in PREPARED {
        let undivided: Arc<[Unit]> = without_messages(undivided(name)).into();
        let major = name.split_once('/').unwrap().0;
        let binary = if name.ends_with("binary") { "-binary" } else { "" };
        let ordinary = without_messages(units(&format!("{major}/proto1-messages{binary}")));
        let ordinary = whole(&ordinary.into());
        let mut events = events(&undivided, Plan::default(), Acknowledge::Automatic);
        let all: Vec<_> = std::iter::from_fn(|| next(&mut events)).collect();
        // The changes of transactions that were not prepared are those of a plain slot.
        let gid = |event: &ChangeEvent| event.transaction()?.gid().map(str::to_owned);
        let plain: Vec<_> =
            all.iter().filter(|event| gid(event).is_none()).map(described).collect();
        assert!(plain.len() > 50 && plain.iter().all(|event| ordinary.contains(event)), "{name}");
        let prepared: Vec<_> = all.iter().filter(|event| gid(event).is_some()).collect();
        let ops: String = prepared.iter().map(|event| event.op().code()).collect();
        let gids: BTreeSet<_> = prepared.iter().filter_map(|event| gid(event)).collect();
        assert!(gids.len() >= 2, "{name}: {gids:?}");
        for one in &gids {
            let of_one = prepared.iter().filter(|event| gid(event).as_ref() == Some(one));
            let ops: String = of_one.map(|event| event.op().code()).collect();
            // An identifier may be used again.
            for transaction in ops.split_inclusive(['K', 'A']) {
                let rows = transaction.trim_end_matches("PK").trim_end_matches("PA");
                assert!(rows.len() + 2 == transaction.len(), "{name} {one}: {ops}");
                assert!(rows.bytes().all(|op| b"IUDTM".contains(&op)), "{name} {one}: {ops}");
            }
        }
        assert!(ops.contains('K') && ops.contains('A'), "{name}: {ops}");
        // None twice, none lost, wherever the connection is cut.
        let whole: Vec<_> = all.iter().map(described).collect();
        let messages = undivided[0].messages.len();
        for cut in (0..messages).step_by(7) {
            let plan = Plan {
                chunk: 0,
                cuts: vec![cut, cut * 5 % messages],
                keepalives: false,
                ..Plan::default()
            };
            assert_eq!(all_and_cuts(&undivided, plan).0, whole, "{name}, cut after {cut}");
        }
    }
}

/// The captures with transactions in progress.
fn in_progress() -> Vec<&'static str> {
    STREAMED.iter().map(|(streamed, _)| *streamed).chain(PREPARED).collect()
}

/// The start of the first unit that holds an event that is not acknowledged.
fn first_unacknowledged(units: &[Unit], unacknowledged: &BTreeSet<Lsn>) -> Option<Lsn> {
    units.iter().map(|unit| unit.start).find(|start| unacknowledged.contains(start))
}

/// The start of the unit of an event.
fn unit_of(event: &ChangeEvent) -> Lsn {
    match event.transaction() {
        Some(transaction) => transaction.commit_lsn(),
        None => Lsn::new(event.lsn().as_u64() - 8),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_acknowledgement_survives_any_cuts(
        name in prop::sample::select(&CAPTURES[..]),
        cuts in prop::collection::vec(0_usize..120, 0..6),
        orders in prop::collection::vec((0_usize..8, any::<prop::sample::Index>()), 1..40),
        keepalives: bool,
    ) {
        let units: Arc<[Unit]> = units(name).into();
        let whole = whole(&units);
        let plan = Plan { cuts, keepalives, ..Plan::default() };
        let mut events = events(&units, plan, Acknowledge::Manual);
        let acknowledger = events.delivery.acknowledger().clone();
        let (mut got, mut open): (Vec<_>, Vec<(Position, Lsn)>) = (Vec::new(), Vec::new());
        let mut orders = orders.iter().cycle();
        while let Some(event) = next(&mut events) {
            got.push(described(&event));
            open.push((event.position(), unit_of(&event)));
            let (count, at) = orders.next().unwrap();
            for _ in 0..(*count).min(open.len()) {
                let (position, _) = open.swap_remove(at.index(open.len()));
                acknowledger.acknowledge(position).unwrap();
            }
            // The server must send again what is not acknowledged, so the acknowledged LSN stays
            // before it.
            let unacknowledged = open.iter().map(|(_, unit)| *unit).collect();
            if let Some(needed) = first_unacknowledged(&units, &unacknowledged) {
                prop_assert!(acknowledger.acknowledged() <= needed);
            }
        }
        prop_assert_eq!(got, whole);
        for (position, _) in open {
            acknowledger.acknowledge(position).unwrap();
        }
        let last = units.iter().rfind(|unit| unit.messages.len() > 2).unwrap();
        prop_assert!(acknowledger.acknowledged() > last.start, "{}", acknowledger.acknowledged());
        let started = &events.source.started_from;
        prop_assert!(started.windows(2).all(|pair| pair[0] <= pair[1]), "{started:?}");
    }

    #[test]
    fn any_order_of_acknowledgement_survives_any_cuts_of_transactions_in_progress(
        name in prop::sample::select(in_progress()),
        cuts in prop::collection::vec(0_usize..700, 0..4),
        orders in prop::collection::vec((0_usize..8, any::<prop::sample::Index>()), 1..40),
        commits: bool,
    ) {
        let units: Arc<[Unit]> = without_messages(undivided(name)).into();
        let start = |plan, mode| events_with(&units, plan, mode, SpillOptions::new(), commits);
        let mut events = start(Plan::default(), Acknowledge::Automatic);
        let whole: Vec<_> =
            std::iter::from_fn(|| next(&mut events)).map(|event| described(&event)).collect();
        let plan = Plan { cuts, ..Plan::default() };
        let mut events = start(plan, Acknowledge::Manual);
        let acknowledger = events.delivery.acknowledger().clone();
        let (mut got, mut open): (Vec<_>, Vec<(Position, Lsn)>) = (Vec::new(), Vec::new());
        let mut orders = orders.iter().cycle();
        while let Some(event) = next(&mut events) {
            got.push(described(&event));
            open.push((event.position(), unit_of(&event)));
            let (count, at) = orders.next().unwrap();
            for _ in 0..(*count).min(open.len()) {
                let (position, _) = open.swap_remove(at.index(open.len()));
                acknowledger.acknowledge(position).unwrap();
            }
            // A transaction is sent again if its commit is not before the acknowledged LSN.
            if let Some(first) = open.iter().map(|(_, commit_lsn)| *commit_lsn).min() {
                prop_assert!(acknowledger.acknowledged() <= first);
            }
        }
        prop_assert_eq!(got, whole);
        let last = open.iter().map(|(_, commit_lsn)| *commit_lsn).max();
        for (position, _) in open {
            acknowledger.acknowledge(position).unwrap();
        }
        prop_assert!(acknowledger.acknowledged() >= last.unwrap_or_default());
    }
}
