//! What the server streams for publications.

use std::collections::{BTreeMap, BTreeSet};

use pgoutput_reader::Oid;
use pgoutput_reader::decode::{Decoder, Message, TupleColumn};
use pgoutput_tests::Fixture;

use crate::rows::Row;

/// The changes of a slot.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    /// The last Relation message of each table.
    relations: BTreeMap<Oid, Vec<u8>>,
    /// The tables that changes refer to.
    pub(crate) changed: BTreeSet<Oid>,
    /// The inserted rows. A value in text format among binary ones is preceded by `t`.
    pub(crate) inserted: BTreeMap<Oid, Vec<Row>>,
}

impl Streamed {
    /// Returns the Relation message of a changed table.
    pub(crate) fn relation(&self, table: Oid) -> &[u8] {
        &self.relations[&table]
    }
}

/// Reads all changes of the slot, which stays where it is.
///
/// # Errors
/// The server cannot stream them.
pub(crate) fn read(
    fixture: &Fixture<'_>,
    publications: &[&str],
    binary: bool,
) -> Result<Streamed, postgres::Error> {
    let names: Vec<String> = publications.iter().map(|name| format!("\"{name}\"")).collect();
    let mut options = vec!["proto_version", "1", "publication_names"];
    let names = names.join(",");
    options.push(&names);
    if binary {
        options.extend(["binary", "true"]);
    }
    let query = "SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes($1, NULL, NULL,
                 VARIADIC $2::pg_catalog.text[])";
    // PostgreSQL 10 allows only some replication streams in one session.
    let frames = fixture.client().query(query, &[&fixture.slot_name(), &options])?;
    let mut streamed = Streamed::default();
    let mut decoder = Decoder::new();
    for frame in &frames {
        let frame: &[u8] = frame.get(0);
        match decoder.decode(frame).unwrap() {
            Message::Relation(relation) => {
                streamed.relations.insert(relation.oid, frame.to_vec());
            }
            Message::Insert(insert) => {
                let row = insert.new.columns().map(|column| match column {
                    TupleColumn::Null => None,
                    TupleColumn::Text(bytes) if binary => Some([b"t", bytes].concat()),
                    TupleColumn::Text(bytes) | TupleColumn::Binary(bytes) => Some(bytes.to_vec()),
                    TupleColumn::Unchanged => panic!("an inserted row without a value"),
                });
                streamed.changed.insert(insert.relation);
                streamed.inserted.entry(insert.relation).or_default().push(row.collect());
            }
            Message::Update(update) => {
                streamed.changed.insert(update.relation);
            }
            _ => {}
        }
    }
    Ok(streamed)
}
