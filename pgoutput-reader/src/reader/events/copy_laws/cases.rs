//! The newest row of a table, which is held until more is known, where a copy is interrupted.

use super::history::{Change, Transaction};
use super::model::{CopyCut, Model, Plan};
use super::scene::Scene;
use super::*;
use crate::delivery::Acknowledge;
use crate::event::ChangeEvent;
use crate::reader::events::{Events, Waited};

/// Two tables with two rows each.
fn scene() -> Scene {
    let insert = |table, id| Change::Insert { table, id, value: id };
    let [one, two, ..] = TABLES;
    let changes = vec![insert(one, 1), insert(one, 2), insert(two, 1), insert(two, 2)];
    let later = vec![insert(one, 3), insert(two, 3)];
    let transaction = |changes| Transaction { changes, ..Transaction::default() };
    let mut scene = Scene::new(vec![transaction(changes), transaction(later)]);
    scene.now = 1;
    scene
}

fn started(scene: &mut Scene, plan: Plan) -> Events<Model> {
    scene.start(None, Plan { end: 2, keepalives: true, ..plan }, Acknowledge::Automatic)
}

fn cut_after(steps: usize, apart: bool) -> Plan {
    Plan { copy_cuts: vec![CopyCut { steps, during: 0, apart }], ..Plan::default() }
}

/// The operations, each with the table's index, the row's key, and a dot if it is the last event.
fn shown(events: &[ChangeEvent]) -> String {
    let one = |event: &ChangeEvent| {
        let table = event.table().map(|table| table.relation().oid().as_u32());
        let table = table.and_then(|table| TABLES.iter().position(|other| *other == table));
        let table = table.map(|table| table.to_string()).unwrap_or_default();
        let id = event.after().map(|row| format!("/{}", row.get::<i32>("id").unwrap()));
        let dot = if event.is_last() { "." } else { "" };
        format!("{}{table}{}{dot}", event.op().code(), id.unwrap_or_default())
    };
    events.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn rest(scene: &mut Scene, events: &mut Events<Model>) -> Vec<ChangeEvent> {
    std::iter::from_fn(|| scene.take(events)).collect()
}

#[test]
fn a_held_row_comes_before_the_event_that_empties_its_table() {
    for apart in [false, true] {
        // The table, two rows of two; and its end was not received.
        for (steps, cut) in
            [(2, "R0/1 T0 R0/1 R0/2."), (3, "R0/1 R0/2 T0 R0/1 R0/2."), (4, "R0/1 R0/2.")]
        {
            let mut scene = scene();
            let mut events = started(&mut scene, cut_after(steps, apart));
            let all = shown(&rest(&mut scene, &mut events));
            assert_eq!(all, format!("{cut} R1/1 R1/2. Z. I0/3 I1/3."), "{steps} {apart}");
            assert_eq!(events.source.reconnects, 1);
        }
    }
}

#[test]
fn a_held_row_comes_before_the_end_if_no_table_follows() {
    for apart in [false, true] {
        let mut scene = scene();
        let plan = Plan { unpublishes: true, ..cut_after(2, apart) };
        let mut events = started(&mut scene, plan);
        let all = rest(&mut scene, &mut events);
        assert_eq!(shown(&all), "R0/1 Z. I0/3 I1/3.");
        assert!(all.is_sorted_by_key(|event| event.delivery));
    }
}

/// Not only once there is another connection, which may take hours.
#[test]
fn a_held_row_is_delivered_when_the_connection_is_lost() {
    let mut scene = scene();
    let mut events = started(&mut scene, cut_after(2, false));
    assert_eq!(events.next(None).unwrap(), Waited::Event);
    assert_eq!(shown(&[events.take().unwrap()]), "R0/1");
    assert_eq!(events.source.reconnects, 0);
}

/// The source refuses to be read while there is a copy.
#[test]
fn a_stop_within_a_table_delivers_the_held_row_and_reads_no_stream() {
    let mut scene = scene();
    let mut events = started(&mut scene, Plan { stop: Some(3), ..Plan::default() });
    let all = rest(&mut scene, &mut events);
    assert_eq!(shown(&all), "R0/1 R0/2");
    let position = all[1].position();
    assert_eq!(position.identity().copied.as_ref().unwrap().to_string(), "+16384");
}

#[test]
fn events_of_a_copy_confirm_nothing_whether_held_or_not() {
    for cut in [None, Some(2), Some(4), Some(8)] {
        let mut scene = scene();
        let plan = cut.map_or_else(Plan::default, |steps| cut_after(steps, false));
        let mut events = started(&mut scene, plan);
        let acknowledger = events.delivery.acknowledger().clone();
        let mut is_copy = true;
        while let Some(event) = scene.take(&mut events) {
            is_copy &= matches!(event.op(), Op::SnapshotRow | Op::SnapshotEnd | Op::Truncate);
            assert!(!is_copy || acknowledger.acknowledged().is_zero(), "{event:?}");
            // The events that the program has not got are not acknowledged.
            assert!(!acknowledger.is_acknowledged_through(event.delivery));
        }
        assert!(!is_copy && !acknowledger.acknowledged().is_zero());
    }
}
