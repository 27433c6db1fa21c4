use std::collections::BTreeSet;
use std::sync::Arc;

use pgoutput_decode::value::type_oid;
use pgoutput_decode::{Message, Relations};

use super::*;
use crate::schema::CatalogTypes;

fn relation(oid: u32, column: &str, type_oid: Oid) -> Arc<Relation> {
    let mut frame = b"R".to_vec();
    frame.extend(oid.to_be_bytes());
    frame.extend(format!("public\0t{oid}\0d\0\x01\x01{column}\0").bytes());
    frame.extend(type_oid.as_u32().to_be_bytes().into_iter().chain([0xFF; 4]));
    let Message::Relation(body) = Message::decode(&frame, false).unwrap() else { panic!() };
    Arc::clone(Relations::new().update(&body))
}

fn column(name: &str, type_oid: Oid) -> CatalogColumn {
    let type_name = Some("the type".into());
    CatalogColumn { name: name.into(), type_oid, type_modifier: -1, not_null: true, type_name }
}

fn batch(queried_at: u64, oids: std::ops::Range<u32>) -> Batch {
    let columns = |oid| (Oid::new(oid), [column("c", type_oid::INT4)].into());
    let tables = oids.map(columns).collect();
    Batch { queried_at: Lsn::new(queried_at), tables, types: CatalogTypes::new() }
}

fn candidates(oids: std::ops::Range<u32>, columns: u16) -> Vec<Candidate> {
    oids.map(|oid| Candidate { oid: Oid::new(oid), columns }).collect()
}

fn take(ahead: &mut Prefetch, oid: u32, column: &str, ty: Oid, commit_lsn: u64) -> Taken {
    let table = relation(oid, column, ty);
    ahead.take(&table, &StreamTypes::default(), Lsn::new(commit_lsn))
}

#[test]
fn an_answer_is_valid_for_earlier_commits_of_the_same_shape() {
    let mut ahead = Prefetch::default();
    ahead.add(batch(10, 1..6));
    let Taken::Found(found) = take(&mut ahead, 1, "c", type_oid::INT4, 9) else { panic!() };
    assert_eq!((found.columns[0].type_name(), found.columns[0].is_optional()), ("the type", false));
    assert!(matches!(take(&mut ahead, 1, "c", type_oid::INT4, 9), Taken::Missed), "taken once");
    assert!(matches!(take(&mut ahead, 2, "c", type_oid::INT4, 10), Taken::Useless));
    assert!(matches!(take(&mut ahead, 3, "c", type_oid::INT8, 9), Taken::Useless));
    assert!(matches!(take(&mut ahead, 4, "d", type_oid::INT4, 9), Taken::Useless));
    assert!(matches!(take(&mut ahead, 5, "c", type_oid::INT4, 9), Taken::Found(_)));
    assert!(ahead.batches.is_empty());
}

#[test]
fn others_are_queried_with_a_table_only_while_the_stream_lags() {
    let mut ahead = Prefetch::default();
    let mut miss = |lsn| ahead.miss(Lsn::new(lsn));
    // Whatever comes in the meantime: the WAL end is queried once.
    for lsn in 1..SINGLE_LOOKUPS as u64 {
        assert_eq!(miss(lsn), Miss::Alone);
    }
    assert_eq!(miss(20), Miss::AloneAndWalEnd);
    ahead.reached(Lsn::new(100));
    for lsn in 0..SINGLE_LOOKUPS as u64 {
        assert_eq!(ahead.miss(Lsn::new(20 + lsn)), Miss::Alone);
    }
    assert_eq!(ahead.miss(Lsn::new(30)), Miss::Batch);
    ahead.add(batch(200, 1..9));
    assert_eq!(ahead.miss(Lsn::new(199)), Miss::Batch);
    // Beyond the last answer, what it has is of no use.
    assert_eq!(ahead.miss(Lsn::new(200)), Miss::Alone);
    assert!(ahead.batches.is_empty());
    ahead.refuse();
    assert!((0..100).all(|lsn| ahead.miss(Lsn::new(lsn)) == Miss::Alone));
}

#[test]
fn each_candidate_is_queried_once_and_no_query_is_too_large() {
    let mut ahead = Prefetch::default();
    assert!(ahead.is_list_due(Oid::new(1)));
    ahead.list(candidates(1..2_501, 3));
    let mut queried = BTreeSet::new();
    let mut sizes = Vec::new();
    for missed in [2_000, 1, 1_500, 7] {
        let picked = ahead.pick(Oid::new(missed), &|oid| oid.as_u32() % 2 == 0);
        sizes.push(picked.len());
        assert_eq!(picked[0], Oid::new(missed));
        assert!(picked[1..].iter().all(|oid| oid.as_u32() % 2 == 1 && queried.insert(*oid)));
    }
    assert!(sizes.iter().all(|size| *size <= TABLES), "{sizes:?}");
    assert!(ahead.candidates.is_empty(), "{sizes:?}");
    assert!(!ahead.is_list_due(Oid::new(1)));

    ahead.list(candidates(1..101, 1_600));
    assert_eq!(ahead.pick(Oid::new(50), &|_| false).len(), COLUMNS / 1_600);
}

#[test]
fn unused_answers_are_held_up_to_a_limit() {
    let mut ahead = Prefetch::default();
    for at in 0..40 {
        ahead.add(batch(1 + u64::from(at), at * 5_000..(at + 1) * 5_000));
        let held: usize = ahead.batches.iter().map(|batch| batch.tables.len()).sum();
        assert!(held <= COLUMN_LIMIT, "{held}");
    }
}
