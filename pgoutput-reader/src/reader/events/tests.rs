//! Committed captures, delivered at once, byte by byte, and cut after any message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use pgoutput_decode::Lsn;
use proptest::prelude::*;

use super::{Events, Waited};
use crate::delivery::{Acknowledge, Acknowledger, Delivery, Idle, Resume, Settings};
use crate::event::{ChangeEvent, Fingerprint, Position, ReaderId, StreamIdentity};
use crate::schema::Schemas;
use crate::source::capture::{Capture, Plan, Unit, units};

const CAPTURES: [&str; 5] = [
    "10/proto1",
    "13/proto1",
    "15/proto1-messages",
    "15/proto1-messages-binary",
    "18/proto1-messages",
];

fn events(units: &Arc<[Unit]>, plan: Plan, mode: Acknowledge) -> Events<Capture> {
    let (fingerprint, reader) = (Fingerprint::new(7, "app"), ReaderId::unique());
    let slot = "s".into();
    let identity =
        StreamIdentity { reader, system_identifier: 7, timeline: 1, slot, publications: 1 };
    let acknowledger = Acknowledger::new(reader, mode);
    let acknowledged = Arc::clone(acknowledger.lsns());
    let settings = Settings {
        fingerprint,
        identity: Arc::new(identity),
        resume: Resume::default(),
        newest: None,
        acknowledger,
        mode,
        idle: Idle::Keepalives,
        until: None,
    };
    let delivery = Delivery::new(settings, Instant::now());
    Events::new(Capture::new(units.clone(), plan, acknowledged), delivery, Schemas::new("app", 100))
}

/// The id of an event, with everything that it holds.
fn described(event: &ChangeEvent) -> String {
    format!("{} {event:?} {:?}", event.message_id(), event.table().map(|table| table.columns()))
}

fn next(events: &mut Events<Capture>) -> Option<ChangeEvent> {
    let mut event = None;
    let waited = events.next(None, &mut event).unwrap();
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
                let plan = Plan { chunk: 0, cuts: vec![cut, cut % 5], keepalives };
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
        let mut events = events(&units, Plan { chunk: 0, cuts, keepalives }, Acknowledge::Manual);
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
}
