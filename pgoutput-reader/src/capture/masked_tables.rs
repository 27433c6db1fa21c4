//! The tables that a capture has masked, by their ids, which a renaming does not change.

use std::collections::BTreeMap;

use pgoutput_decode::message::RelationBody;
use pgoutput_decode::{Message, Oid};

use super::mask::{MaskedColumn, quoted};
use crate::error::CaptureError;
use crate::snapshot::{PublishedNow, sql_name};

/// The schema and name of each table to which a mask has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MaskedTables(BTreeMap<Oid, (String, String)>);

impl MaskedTables {
    /// Returns the schema and name that a table had when it was masked.
    pub(super) fn get(&self, oid: Oid) -> Option<(&str, &str)> {
        self.0.get(&oid).map(|(schema, table)| (&**schema, &**table))
    }

    /// Returns the tables of the masks, and checks that each is published.
    pub(crate) fn published(
        masks: &[MaskedColumn],
        published: &PublishedNow,
    ) -> Result<Self, CaptureError> {
        let mut tables = Self::default();
        for mask in masks {
            let (mut is_published, mut partitions) = (false, Vec::new());
            for table in &published.names {
                if mask.is_of(&table.schema, &table.name) {
                    is_published = true;
                    tables.insert(table.oid, &table.schema, &table.name);
                } else if table.above.iter().any(|(schema, name)| mask.is_of(schema, name)) {
                    partitions.push(MaskedColumn::new(&*table.schema, &*table.name, mask.column()));
                }
            }
            is_published |= !partitions.is_empty();
            if !is_published {
                return Err(CaptureError::MaskedTableNotPublished { mask: mask.to_string() });
            }
            partitions.retain(|column| !masks.iter().any(|mask| mask.includes(column)));
            if !partitions.is_empty() {
                let partitions = partitions.iter().map(ToString::to_string).collect();
                let mask = mask.to_string();
                return Err(CaptureError::MaskedTableHasPartitions { mask, partitions });
            }
        }
        Ok(tables)
    }

    pub(crate) fn insert(&mut self, oid: Oid, schema: &str, table: &str) {
        self.0.insert(oid, (schema.to_owned(), table.to_owned()));
    }

    /// Records a table of a file that is to be continued.
    pub(super) fn message(&mut self, message: &Message<'_>, masks: &[MaskedColumn]) {
        if let Message::Relation(body) = message {
            self.relation(body, masks);
        }
    }

    fn relation(&mut self, body: &RelationBody<'_>, masks: &[MaskedColumn]) {
        let (schema, table) = (body.namespace(), body.name);
        if masks.iter().any(|mask| mask.is_of(schema, table)) {
            self.insert(body.oid, schema, table);
        }
    }

    /// Adds the tables of others.
    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(oid, names)| (*oid, names.clone())));
    }

    /// Returns a text for each table.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let text = |(oid, (schema, table)): (&Oid, &(String, String))| {
            format!("{oid} {}.{}", quoted(schema), quoted(table))
        };
        self.0.iter().map(text)
    }

    /// Reads such a text.
    pub(super) fn add(&mut self, text: &str) -> Option<()> {
        let (oid, names) = text.split_once(' ')?;
        let (schema, rest) = sql_name(names)?;
        let (table, rest) = sql_name(rest.strip_prefix('.')?)?;
        if !rest.is_empty() {
            return None;
        }
        self.insert(Oid::new(oid.parse().ok()?), &schema, &table);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_back() {
        let mut tables = MaskedTables::default();
        tables.insert(Oid::new(u32::MAX), "public", "people");
        tables.insert(Oid::new(7), "a.\"b", "C D");
        let mut read = MaskedTables::default();
        for text in tables.texts() {
            read.add(&text).unwrap();
        }
        assert_eq!(read, tables);
        for text in ["", "7", "7 ", "7 a", "x a.b", "7 a.b.c", "7 a."] {
            assert_eq!(read.add(text), None, "{text}");
        }
    }
}
