//! The law of the initial copy: wherever readers are interrupted, and however they continue, the
//! events that were delivered amount to the source.

mod added;
mod cases;
mod history;
mod model;
mod scene;
mod wal;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::event::Op;
use history::{Change, State, TABLES, Transaction, state, without_empty};
use model::CopyCut;
use scene::{Run, Scene};

/// A change that fits the state: a table, a key, and a kind.
fn change(state: &State, (table, id, kind): (usize, u32, u32)) -> Change {
    let one = TABLES[table % TABLES.len()];
    if kind.is_multiple_of(8) {
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

fn history() -> impl Strategy<Value = Vec<Transaction>> {
    let wish = (0_usize..4, 0_u32..5, 0_u32..1000);
    let changes = prop::collection::vec(wish, 1..7);
    let transaction = (changes, 0_usize..4, prop::bool::weighted(0.3));
    prop::collection::vec(transaction, 1..14).prop_map(|transactions| {
        let mut state = State::new();
        let mut fit = |wish| {
            let change = change(&state, wish);
            change.apply(&mut state);
            change
        };
        let transactions = transactions.into_iter().map(|(wishes, spans, is_chunk)| {
            let changes = wishes.into_iter().map(&mut fit).collect();
            Transaction { changes, spans, is_chunk }
        });
        transactions.collect()
    })
}

fn copy_cuts() -> impl Strategy<Value = Vec<CopyCut>> {
    let cut = (0_usize..60, 0_usize..3, any::<bool>());
    let cut = cut.prop_map(|(steps, during, apart)| CopyCut { steps, during, apart });
    prop::collection::vec(cut, 0..4)
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let run = (
        (0_usize..5, 0_usize..5, 0_usize..40),
        prop::option::weighted(0.3, 0_usize..60),
        copy_cuts(),
        prop::collection::vec(0_usize..25, 0..3),
        (1_usize..5, prop::bool::weighted(0.7), prop::bool::weighted(0.8)),
        any::<[bool; 4]>(),
    )
        .prop_map(
            |(numbers, stop, copy_cuts, cuts, (store_every, resumes, acknowledges), flags)| {
                let ((before, during, events), [keepalives, only_last, stores_idle, reports]) =
                    (numbers, flags);
                Run {
                    before,
                    during,
                    events,
                    stop,
                    copy_cuts,
                    cuts,
                    keepalives,
                    store_every,
                    only_last,
                    acknowledges,
                    stores_idle,
                    resumes,
                    reports,
                    additions: Vec::new(),
                }
            },
        );
    prop::collection::vec(run, 1..7)
}

/// The run that reads everything.
fn last(run: &Run) -> Run {
    Run { during: usize::MAX / 2, events: usize::MAX, stop: None, ..run.clone() }
}

fn source(scene: &Scene) -> State {
    without_empty(state(&scene.history, scene.history.len()))
}

/// The environment variable `PROPTEST_CASES` sets a larger number of cases.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig { cases: default.cases.max(400), ..default }
}

proptest! {
    #![proptest_config(config())]

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
        prop_assert_eq!(without_empty(replayed), source(&scene));
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
            copy_cuts: Vec::new(),
            ..run.clone()
        };
        let mut ends = 0;
        for run in &runs {
            let run = whole(run);
            scene.run(&run);
            // Without a stored position, the first table was not finished.
            let stored = scene.stored.as_ref().map_or(0, |(stored, _)| *stored);
            scene.delivered.truncate(stored);
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
        prop_assert_eq!(without_empty(replayed), source(&scene));
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
        prop_assert_eq!(without_empty(replayed), source(&scene));
    }

    /// In one process, however often connections are lost.
    #[test]
    fn a_table_starts_again_only_if_it_was_not_finished_and_empty(
        history in history(),
        runs in runs(),
    ) {
        let mut scene = Scene::new(history);
        scene.run(&last(&runs[0]));
        let end = scene.delivered.iter().position(|one| one.op == Op::SnapshotEnd).unwrap();
        let (mut points, mut finished) = (BTreeMap::new(), BTreeSet::new());
        for one in &scene.delivered[..end] {
            let table = one.table().unwrap();
            prop_assert!(!finished.contains(&table), "{:?} after the end of its table", one);
            prop_assert!(points.keys().all(|other| *other <= table));
            match one.op {
                Op::Truncate => prop_assert!(points.insert(table, one.lsn) < Some(one.lsn)),
                Op::SnapshotRow => {
                    prop_assert_eq!(*points.entry(table).or_insert(one.lsn), one.lsn);
                }
                other => prop_assert!(false, "{:?}", other),
            }
            if one.is_last {
                finished.insert(table);
            }
        }
        prop_assert_eq!(points.into_keys().collect::<BTreeSet<_>>(), finished);
        let is_of_copy = |op| matches!(op, Op::SnapshotRow | Op::SnapshotEnd);
        prop_assert!(!scene.delivered[end + 1..].iter().any(|one| is_of_copy(one.op)));
        let mut replayed = State::new();
        scene.changes().for_each(|change| change.apply(&mut replayed));
        prop_assert_eq!(without_empty(replayed), source(&scene));
    }
}
