//! The law of tables that are added: wherever the stream is interrupted for their copy, and
//! wherever that is interrupted, the events that were delivered amount to the source.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::history::{Change, State, TABLES, Transaction, without_empty};
use super::model::{Addition, Plan};
use super::scene::{Run, Scene};
use super::{config, history, last, runs, source};
use crate::delivery::Acknowledge;
use crate::event::Op;

fn additions() -> impl Strategy<Value = Vec<Addition>> {
    let tables = prop::collection::btree_set(prop::sample::select(&TABLES[..]), 1..4);
    let addition = (0_usize..9, tables, 0_usize..4, prop::option::weighted(0.4, 0_usize..40));
    let addition =
        addition.prop_map(|(after, tables, during, cut)| Addition { after, tables, during, cut });
    prop::collection::vec(addition, 0..4)
}

fn runs_with_additions() -> impl Strategy<Value = Vec<Run>> {
    let additions = prop::collection::vec(additions(), 7);
    (runs(), additions).prop_map(|(mut runs, additions)| {
        for (run, additions) in runs.iter_mut().zip(additions) {
            run.additions = additions;
        }
        runs
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn with_added_tables_what_is_kept_and_then_delivered_is_the_source(
        history in history(),
        runs in runs_with_additions(),
    ) {
        let mut scene = Scene::new(history);
        // A slot does not show what was added.
        let with_positions = |run: &Run| Run { resumes: true, ..run.clone() };
        for run in &runs {
            scene.run(&with_positions(run));
        }
        scene.run(&with_positions(&last(&runs[0])));
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply(&mut replayed));
        prop_assert_eq!(without_empty(replayed), source(&scene));
        let ids: BTreeSet<_> = scene.delivered.iter().map(|one| one.id).collect();
        prop_assert_eq!(ids.len(), scene.delivered.len());
    }

    #[test]
    fn without_positions_all_that_is_delivered_with_added_tables_amounts_to_the_source(
        history in history(),
        runs in runs_with_additions(),
    ) {
        let mut scene = Scene::new(history);
        for run in &runs {
            scene.run_at_least_once(run);
        }
        // What was being added is added again.
        let all = Addition { after: 0, tables: TABLES.into(), during: 0, cut: None };
        scene.run_at_least_once(&Run { additions: vec![all], ..last(&runs[0]) });
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply_again(&mut replayed));
        prop_assert_eq!(without_empty(replayed), source(&scene));
    }

    /// In one process, however often connections are lost.
    #[test]
    fn an_added_table_is_emptied_first(
        history in history(),
        runs in runs_with_additions(),
    ) {
        let mut scene = Scene::new(history);
        let run = last(&runs[0]);
        scene.run(&run);
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply(&mut replayed));
        prop_assert_eq!(without_empty(replayed), source(&scene));
        let is_end = |one: &&_| matches!(one, super::scene::Delivered { op: Op::SnapshotEnd, .. });
        let ends = scene.delivered.iter().filter(is_end).count();
        prop_assert!(ends <= 1 + run.additions.len(), "{}", ends);
    }
}

/// A stream was lost between the start of a transaction and its first event.
#[test]
fn the_positions_of_a_transaction_that_starts_again_have_what_was_added_meanwhile() {
    let [one, two, ..] = TABLES;
    let insert = |table, id| Change::Insert { table, id, value: 7 };
    let transaction = |changes| Transaction { changes, ..Transaction::default() };
    let first = transaction(vec![insert(one, 1)]);
    let second = transaction(vec![insert(one, 2), insert(two, 2)]);
    let mut scene = Scene::new(vec![first, second]);
    let plan = Plan {
        end: 2,
        // Begin, Relation, Insert, Commit, Begin
        cuts: vec![5],
        additions: vec![Addition { after: 2, tables: [one].into(), during: 2, cut: None }],
        ..Plan::default()
    };
    let mut events = scene.start(None, plan, Acknowledge::Automatic);
    while scene.take(&mut events).is_some() {}
    let ops: String = scene.delivered.iter().map(|one| one.op.code()).collect();
    assert_eq!(ops, "ZITRRZI");
    let last = scene.delivered.last().unwrap();
    assert!(last.position.contains(&format!("={one}.")), "{}", last.position);
}
