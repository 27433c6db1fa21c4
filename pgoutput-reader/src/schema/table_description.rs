//! The facts about a table beyond its Relation message.

use pgoutput_decode::message::ReplicaIdentity;
use pgoutput_decode::value::format_type;
use pgoutput_decode::{Column, Oid, Relation};

use super::catalog_types::{CatalogTypes, not_built_in};
use super::stream_types::StreamTypes;
use super::type_descriptions::{Types, describe};
use crate::event::ColumnSchema;

/// The result of `format_type` for an oid that no type has.
const UNKNOWN_TYPE: &str = "???";

/// The columns of a table and their types, from the catalogue as far as it has them.
#[derive(Debug)]
pub(crate) struct TableDescription {
    pub(crate) columns: Box<[ColumnSchema]>,
    pub(crate) types: Types,
}

/// The facts of the catalogue about a column.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ColumnFacts<'a> {
    /// The name of its type, with the modifier; `None` if there is no such type.
    pub(crate) type_name: Option<&'a str>,
    /// Whether it is `NOT NULL`; `None` if there is no such column.
    pub(crate) not_null: Option<bool>,
}

impl TableDescription {
    /// Describes a table with the facts of the catalogue about its types, and about each column in
    /// order.
    pub(crate) fn new<'a>(
        relation: &Relation,
        columns: impl IntoIterator<Item = ColumnFacts<'a>>,
        catalog: &CatalogTypes,
        stream: &StreamTypes,
    ) -> Self {
        let types = describe(&types_of(relation), catalog, stream);
        let columns = column_schemas(relation, columns, stream, &types.gone);
        Self { columns, types }
    }

    /// Describes a table by the stream alone, without facts from the catalogue.
    pub(crate) fn by_stream(relation: &Relation, stream: &StreamTypes) -> Self {
        let nothing = relation.columns().iter().map(|_| ColumnFacts::default());
        Self::new(relation, nothing, &CatalogTypes::new(), stream)
    }
}

/// The types of the table's columns that are not built in.
pub(crate) fn types_of(relation: &Relation) -> Vec<Oid> {
    not_built_in(relation.columns().iter().map(|column| column.type_oid))
}

/// The columns of a table. Types that are `gone` have the names that the stream gave them.
fn column_schemas<'a>(
    relation: &Relation,
    facts: impl IntoIterator<Item = ColumnFacts<'a>>,
    stream: &StreamTypes,
    gone: &[Oid],
) -> Box<[ColumnSchema]> {
    // With FULL every column has the flag, which then says nothing of NULL.
    let is_full = relation.replica_identity() == ReplicaIdentity::FULL;
    let schema = |(column, facts): (&Column, ColumnFacts<'a>)| {
        let is_gone = gone.contains(&column.type_oid);
        let known = facts.type_name.filter(|name| !is_gone && *name != UNKNOWN_TYPE);
        ColumnSchema {
            type_name: known.map_or_else(|| name_from_stream(column, stream), Into::into),
            optional: !facts.not_null.unwrap_or(column.flags.is_key() && !is_full),
            wire: column.clone(),
        }
    };
    relation.columns().iter().zip(facts).map(schema).collect()
}

/// The name of a type that the catalogue no longer has: from the stream, or its number.
fn name_from_stream(column: &Column, stream: &StreamTypes) -> Box<str> {
    if let Some(name) = stream.name(column.type_oid) {
        return name.into();
    }
    match format_type(column.type_oid, column.type_modifier) {
        Some(name) => name.to_string().into(),
        None => column.type_oid.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgoutput_decode::value::type_oid;
    use pgoutput_decode::{Message, Relations};

    use super::*;

    /// A table with replica identity `identity` and columns of these types, all in the key.
    fn relation(identity: char, types: &[(Oid, i32)]) -> Arc<Relation> {
        let mut frame = format!("R\0\0\0\x01public\0t\0{identity}\0").into_bytes();
        frame.push(u8::try_from(types.len()).unwrap());
        for (oid, modifier) in types {
            frame.extend(b"\x01c\0");
            frame.extend(oid.as_u32().to_be_bytes().into_iter().chain(modifier.to_be_bytes()));
        }
        let Message::Relation(body) = Message::decode(&frame, false).unwrap() else { panic!() };
        Arc::clone(Relations::new().update(&body))
    }

    fn names(table: &TableDescription) -> Vec<&str> {
        table.columns.iter().map(ColumnSchema::type_name).collect()
    }

    #[test]
    fn without_facts_the_stream_names_types_and_keys_are_not_null() {
        let gone = Oid::new(90_001);
        let types = [(type_oid::VARCHAR, 11), (gone, -1)];
        let table = TableDescription::by_stream(&relation('d', &types), &StreamTypes::default());
        assert_eq!(names(&table), ["character varying(7)", "90001"]);
        assert!(table.columns.iter().all(|column| !column.is_optional()));
        assert_eq!(*table.types.gone, [gone]);
        // Every column is in the key, NULL or not.
        let full = TableDescription::by_stream(&relation('f', &types), &StreamTypes::default());
        assert!(full.columns.iter().all(ColumnSchema::is_optional));
    }

    #[test]
    fn facts_of_the_catalogue_come_first_unless_the_type_is_gone() {
        let gone = Oid::new(90_001);
        let types = [(type_oid::INT4, -1), (type_oid::INT4, -1), (gone, -1)];
        let facts = ["integer", UNKNOWN_TYPE, "another"]
            .map(|name| ColumnFacts { type_name: Some(name), not_null: Some(name == "integer") });
        let (catalog, stream) = (CatalogTypes::new(), StreamTypes::default());
        let table = TableDescription::new(&relation('d', &types), facts, &catalog, &stream);
        assert_eq!(names(&table), ["integer", "integer", "90001"]);
        let optional: Vec<_> = table.columns.iter().map(ColumnSchema::is_optional).collect();
        assert_eq!(optional, [false, true, true]);
    }
}
