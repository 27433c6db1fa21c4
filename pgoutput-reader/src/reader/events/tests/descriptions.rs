//! Descriptions of tables as events, in committed captures: wherever a connection is cut, and
//! resumed after any event.

use std::collections::BTreeSet;

use super::*;
use crate::event::SchemaOutput;

/// The settings under which descriptions are events, with the capture's transactions in progress.
fn outputs() -> [OutputSettings; 3] {
    let output = |schema_changes, schema_output| OutputSettings {
        schema_changes,
        schema_output,
        ..OutputSettings::default()
    };
    [
        output(true, SchemaOutput::Each),
        output(false, SchemaOutput::Once),
        output(true, SchemaOutput::Once),
    ]
}

fn captures() -> Vec<(&'static str, Arc<[Unit]>)> {
    let ordinary = ["10/proto1", "15/proto1-messages-binary", "18/proto1-messages"];
    let ordinary = ordinary.into_iter().map(|name| (name, units(name).into()));
    let streamed = ["14/proto2-streaming-messages", "18/proto4-parallel-two_phase-messages"];
    let streamed = streamed.map(|name| (name, without_messages(undivided(name)).into()));
    ordinary.chain(streamed).collect()
}

fn run(
    units: &Arc<[Unit]>,
    plan: Plan,
    output: OutputSettings,
    position: Option<&Position>,
) -> Vec<ChangeEvent> {
    let (mode, spill) = (Acknowledge::Automatic, SpillOptions::new());
    let mut events = resumed_events(units, plan, mode, spill, output, position);
    std::iter::from_fn(|| next(&mut events)).collect()
}

fn contents(events: &[ChangeEvent]) -> Vec<String> {
    events.iter().map(described).collect()
}

#[track_caller]
fn assert_same(got: &[String], expected: &[String], context: &str) {
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "{context}, event {index}");
    }
    assert_eq!(got.len(), expected.len(), "{context}");
}

/// The events that are not descriptions, with everything that they hold.
fn changes(events: &[ChangeEvent]) -> Vec<String> {
    events.iter().filter(|event| event.op() != Op::Schema).map(described).collect()
}

#[test]
fn descriptions_change_nothing_else() {
    let mut changed = 0;
    for (name, units) in captures() {
        let plain = run(&units, Plan::default(), OutputSettings::default(), None);
        for output in outputs() {
            let all = run(&units, Plan::default(), output, None);
            assert_same(&changes(&all), &contents(&plain), &format!("{name} {output:?}"));
            changed += all.iter().filter(|event| event.schema_change().is_some()).count();
            let ids: BTreeSet<_> = all.iter().map(ChangeEvent::message_id).collect();
            let plain_ids: BTreeSet<_> = plain.iter().map(ChangeEvent::message_id).collect();
            assert_eq!(all.len() - ids.len(), plain.len() - plain_ids.len(), "{name} {output:?}");
        }
    }
    assert!(changed > 10, "{changed}");
}

#[test]
fn a_description_is_directly_before_an_event_of_its_table() {
    for (name, units) in captures() {
        for output in outputs() {
            let all = run(&units, Plan::default(), output, None);
            let mut tables = BTreeSet::new();
            for (index, event) in all.iter().enumerate() {
                let Some(table) = event.table() else { continue };
                let oid = table.relation().oid();
                let is_first = tables.insert(oid);
                let last = all[..index]
                    .iter()
                    .rev()
                    .find_map(|last| last.table().filter(|last| last.relation().oid() == oid));
                let differs = last.is_some_and(|last| last.relation() != table.relation());
                if event.op() != Op::Schema {
                    // It has been described, so the version before is the same one.
                    assert!(!differs, "{name} {output:?} {event:?}");
                    let once = output.schema_output == SchemaOutput::Once;
                    assert!(!(is_first && once), "{name} {output:?} {event:?}");
                    assert_eq!(event.schema_apart, once);
                    continue;
                }
                assert!(is_first || differs, "{name} {output:?} {event:?}");
                let change = event.schema_change();
                assert_eq!(change.is_some(), differs && output.schema_changes);
                if let Some(change) = change {
                    assert_eq!(change.before().relation(), last.unwrap().relation());
                    assert!(Arc::ptr_eq(change.after(), table));
                }
                let following = &all[index + 1];
                assert!(Arc::ptr_eq(following.table().unwrap(), table));
                assert_eq!(following.lsn(), event.lsn());
                assert_eq!(following.position().index(), event.position().index());
                assert!(event.message_id() < following.message_id());
                let transactions = [event, following].map(|event| event.transaction().unwrap());
                assert!(Arc::ptr_eq(transactions[0], transactions[1]));
            }
        }
    }
}

#[test]
fn a_cut_after_any_message_neither_repeats_nor_loses_descriptions() {
    for (name, units) in captures() {
        let messages: usize = units.iter().map(|unit| unit.messages.len()).sum();
        for (number, output) in outputs().into_iter().enumerate() {
            let whole = contents(&run(&units, Plan::default(), output, None));
            let step = if units.len() == 1 { 29 } else { 3 };
            for cut in (number % step..messages).step_by(step) {
                let plan = Plan { cuts: vec![cut, cut % 7], ..Plan::default() };
                let got = contents(&run(&units, plan, output, None));
                assert_eq!(got, whole, "{name} {output:?}, cut after {cut}");
            }
        }
    }
}

/// The stream repeats everything before the position, so every change of a table is found.
#[test]
fn a_reader_resumed_after_any_event_delivers_exactly_the_rest() {
    for (name, units) in captures() {
        let [each, once, _] = outputs();
        let all = run(&units, Plan::default(), each, None);
        let step = if units.len() == 1 { 13 } else { 1 };
        let is_near_change = |index: usize| {
            all[index.saturating_sub(1)..].iter().take(3).any(|event| event.op() == Op::Schema)
        };
        for (index, event) in all.iter().enumerate() {
            // From a position outside of transactions a server sends only what is after it.
            let is_outside = event.transaction().is_none();
            if is_outside || !index.is_multiple_of(step) && !is_near_change(index) {
                continue;
            }
            let position: Position = event.position().to_string().parse().unwrap();
            let rest = run(&units, Plan::default(), each, Some(&position));
            let expected = contents(&all[index + 1..]);
            assert_same(&contents(&rest), &expected, &format!("{name} {position}"));
            // The setting may change between two runs.
            for output in [OutputSettings::default(), once] {
                let rest = run(&units, Plan::default(), output, Some(&position));
                let expected = changes(&all[index + 1..]);
                assert_same(&changes(&rest), &expected, &format!("{name} {position} {output:?}"));
            }
            let plan = Plan { cuts: vec![index, 5], ..Plan::default() };
            let rest = run(&units, plan, each, Some(&position));
            assert_same(&contents(&rest), &expected, &format!("{name} {position}, cut"));
        }
    }
}

/// Before the first event of a table in a run, whatever an earlier run has described.
#[test]
fn a_reader_resumed_after_any_event_describes_each_table_again() {
    for (name, units) in captures().into_iter().take(2) {
        let [_, once, _] = outputs();
        let all = run(&units, Plan::default(), once, None);
        for event in &all {
            let position: Position = event.position().to_string().parse().unwrap();
            let rest = run(&units, Plan::default(), once, Some(&position));
            let mut described = BTreeSet::new();
            for event in &rest {
                let Some(table) = event.table() else { continue };
                let is_first = described.insert(table.relation().oid());
                assert!(!is_first || event.op() == Op::Schema, "{name} {position} {event:?}");
            }
        }
    }
}
