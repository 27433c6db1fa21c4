//! Descriptions that are delivered, repeated and forgotten, without a server.

use pgoutput_decode::{Lsn, Message};

use super::*;
use crate::event::ColumnSchema;
use crate::schema::{CatalogTypes, ColumnFacts, Facts, Lookup, Need};

/// A Relation message of table `oid` with columns of type `integer`.
fn relation(oid: u8, columns: &[&str]) -> Vec<u8> {
    let mut frame = [&b"R\0\0\0"[..], &[oid], b"public\0t\0d\0"].concat();
    frame.push(u8::try_from(columns.len()).unwrap());
    for name in columns {
        frame.extend([&b"\0"[..], name.as_bytes(), b"\0\0\0\0\x17\xff\xff\xff\xff"].concat());
    }
    frame
}

fn describe(schemas: &mut Schemas, oid: u8, columns: &[&str]) {
    let frame = relation(oid, columns);
    let Message::Relation(body) = Message::decode(&frame, false).unwrap() else { panic!() };
    schemas.relation(&body, 0);
}

/// Looks up a table as the catalogue describes it: each column is `NOT NULL`.
fn get(schemas: &mut Schemas, oid: u8) -> Arc<Shared<TableSchema>> {
    loop {
        match schemas.get(Oid::new(oid.into()), Lsn::ZERO, &[], Lsn::ZERO).unwrap() {
            Lookup::Found(table) => return table,
            Lookup::Needs(need) => {
                let Need::Table { relation, .. } = &need else { panic!("{need:?}") };
                let facts = ColumnFacts { type_name: None, not_null: Some(true) };
                let facts = relation.columns().iter().map(|_| facts);
                let catalog = CatalogTypes::new();
                let types = schemas.stream_types();
                let description = TableDescription::new(relation, facts, &catalog, types);
                schemas.learn(&need, Facts::Table(description));
            }
        }
    }
}

/// Delivers an event of a table that the stream describes so. Returns the names of the columns
/// before, if they differ, and whether these can be NULL.
fn deliver(schemas: &mut Schemas, oid: u8, columns: &[&str]) -> Option<(Vec<String>, bool)> {
    describe(schemas, oid, columns);
    let table = get(schemas, oid);
    match schemas.delivering(&table) {
        Novelty::Known | Novelty::First => None,
        Novelty::Changed(change) => {
            assert_eq!(change.after().columns(), table.columns());
            let before = change.before().columns();
            let is_optional = before.iter().any(ColumnSchema::is_optional);
            Some((before.iter().map(|column| column.name().to_owned()).collect(), is_optional))
        }
    }
}

fn table(columns: &[&str], is_optional: bool) -> (Vec<String>, bool) {
    (columns.iter().map(|&name| name.to_owned()).collect(), is_optional)
}

fn schemas(max_tables: usize) -> Schemas {
    Schemas::new("app", max_tables)
}

#[test]
fn only_a_description_that_differs_is_a_change() {
    let mut schemas = schemas(10);
    assert_eq!(deliver(&mut schemas, 1, &["a"]), None);
    assert_eq!(deliver(&mut schemas, 1, &["a"]), None);
    assert_eq!(deliver(&mut schemas, 1, &["a", "b"]), Some(table(&["a"], false)));
    assert_eq!(deliver(&mut schemas, 1, &["a", "b"]), None);
    // Another table of the same name.
    assert_eq!(deliver(&mut schemas, 2, &["a"]), None);
    // A description of which no row was delivered, as that of a transaction that was rolled back.
    describe(&mut schemas, 1, &["a", "b", "c"]);
    assert_eq!(deliver(&mut schemas, 1, &["a", "b"]), None);
}

#[test]
fn descriptions_are_compared_across_streams() {
    let mut schemas = schemas(10);
    deliver(&mut schemas, 1, &["a"]);
    schemas.restart();
    assert_eq!(deliver(&mut schemas, 1, &["a"]), None);
    schemas.restart();
    assert_eq!(deliver(&mut schemas, 1, &["b", "a"]), Some(table(&["a"], false)));
}

#[test]
fn what_an_earlier_run_delivered_is_compared_until_this_one_delivers() {
    let mut schemas = schemas(10);
    let repeat = |schemas: &mut Schemas, columns: &[&str]| {
        describe(schemas, 1, columns);
        schemas.repeated(Oid::new(1));
    };
    repeat(&mut schemas, &["a"]);
    repeat(&mut schemas, &["a", "b"]);
    // The catalogue was not queried for it.
    assert_eq!(deliver(&mut schemas, 1, &["a", "b", "c"]), Some(table(&["a", "b"], true)));
    // A new stream repeats what is older.
    schemas.restart();
    repeat(&mut schemas, &["a"]);
    assert_eq!(deliver(&mut schemas, 1, &["a", "b", "c"]), None);

    // A description that was repeated is known, but no event of this run has it.
    let mut schemas = Schemas::new("app", 10);
    repeat(&mut schemas, &["a"]);
    let table = get(&mut schemas, 1);
    assert!(matches!(schemas.delivering(&table), Novelty::First));
    assert!(matches!(schemas.delivering(&table), Novelty::Known));
}

#[test]
fn beyond_the_limit_only_the_facts_of_the_catalogue_are_forgotten() {
    let mut schemas = schemas(2);
    for oid in 1..=5 {
        assert_eq!(deliver(&mut schemas, oid, &["a"]), None);
    }
    let described =
        schemas.versions.tables.values().filter(|version| version.schema.is_some()).count();
    assert!(described <= 2, "{described}");
    assert_eq!(deliver(&mut schemas, 1, &["a", "b"]), Some(table(&["a"], true)));
    for oid in 1..=5 {
        assert!(deliver(&mut schemas, oid, &["a", "c"]).is_some(), "{oid}");
        assert_eq!(deliver(&mut schemas, oid, &["a", "c"]), None, "{oid}");
    }
}

#[test]
fn a_dropped_table_is_forgotten() {
    let mut schemas = schemas(10);
    deliver(&mut schemas, 1, &["a"]);
    schemas.restart();
    let need = Need::Dropped { tables: vec![Oid::new(1)] };
    let tables = [Oid::new(1)].into();
    schemas.learn(&need, Facts::Dropped { tables, answered_at: Lsn::ZERO });
    describe(&mut schemas, 2, &["a"]);
    let oid = Oid::new(2);
    let _ = schemas.get(oid, Lsn::ZERO, &[], Lsn::new(1_000_000)).unwrap();
    assert_eq!((schemas.versions.len(), schemas.versions.described), (0, 0));
}
