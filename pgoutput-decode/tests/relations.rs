//! `Relations`: each version of a table is created once, shared, and never changed.

use std::sync::Arc;

use pgoutput_decode::{Decoder, Message, Oid, Relation, Relations};

const TABLE: &[u8] = b"R\0\0\x40\x13public\0readme\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF";

fn update(relations: &mut Relations, frame: &[u8]) -> Arc<Relation> {
    match Decoder::new().decode(frame).unwrap() {
        Message::Relation(body) => Arc::clone(relations.update(&body)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_description_keeps_the_pointer() {
    let mut relations = Relations::new();
    let first = update(&mut relations, TABLE);
    assert!(Arc::ptr_eq(&first, &update(&mut relations, TABLE)));
    // The transaction that sent a description is not part of it.
    let mut decoder = Decoder::new();
    decoder.decode(b"S\0\0\x03\x09\x01").unwrap();
    let streamed = [b"R\0\0\x03\x09", &TABLE[1..]].concat();
    let Message::Relation(body) = decoder.decode(&streamed).unwrap() else { panic!() };
    assert!(Arc::ptr_eq(&first, relations.update(&body)));
}

#[test]
fn any_other_description_creates_a_new_version_and_keeps_the_old_one() {
    let mut relations = Relations::new();
    let first = update(&mut relations, TABLE);
    let before = Relation::clone(&first);
    // Each byte after the tag and the id, except terminators and the column count, is part of the
    // description.
    let mut versions = 0;
    for at in 5..TABLE.len() {
        let mut changed = TABLE.to_vec();
        changed[at] ^= 1;
        let Ok(Message::Relation(body)) = Decoder::new().decode(&changed) else { continue };
        versions += 1;
        let mut relations = relations.clone();
        let second = Arc::clone(relations.update(&body));
        assert!(!Arc::ptr_eq(&first, &second), "byte {at}");
        assert_ne!(*first, *second, "byte {at}");
        assert!(Arc::ptr_eq(&second, relations.get(first.oid()).unwrap()));
    }
    let terminators_and_count = 3 + 2;
    assert_eq!(versions, TABLE.len() - 5 - terminators_and_count);
    assert_eq!(*first, before);
}

#[test]
fn an_empty_namespace_is_stored_as_pg_catalog() {
    let mut relations = Relations::new();
    let implied = update(&mut relations, b"R\0\0\x04\xEB\0pg_class\0n\0\0");
    assert_eq!(implied.namespace(), "pg_catalog");
    let explicit = update(&mut relations, b"R\0\0\x04\xEBpg_catalog\0pg_class\0n\0\0");
    assert!(Arc::ptr_eq(&implied, &explicit));
}

#[test]
fn tables_are_found_by_id_and_listed_in_order_of_ids() {
    let mut relations = Relations::new();
    for id in [9_u8, 3, 7] {
        update(&mut relations, &[&b"R\0\0\0"[..], &[id], b"s\0t\0d\0\0"].concat());
    }
    let ids: Vec<_> = relations.iter().map(|table| table.oid().as_u32()).collect();
    assert_eq!(ids, [3, 7, 9]);
    assert_eq!(relations.get(Oid::new(7)).map(|table| table.oid()), Some(Oid::new(7)));
    assert_eq!(relations.get(Oid::new(8)), None);
}
