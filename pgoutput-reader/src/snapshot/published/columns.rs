//! The published columns of a table.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use pgoutput_decode::{Oid, ReplicaIdentity};

use super::error::{shown, utf8};
use super::facts::{Facts, Membership, Relation};
use super::{Leaf, PublishedColumn, PublishedTable};
use crate::error::{Error, SetupError};
use crate::sql::names::escaped;

/// The columns of tables, by the tables' oids.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) of: HashMap<u32, Vec<Attribute>>,
    /// The numbers of the columns of the replica identity.
    pub(super) identities: HashMap<u32, Vec<i16>>,
    /// The types whose values cannot be sent in binary format.
    pub(super) without_binary: HashSet<u32>,
}

/// A row of `pg_attribute`.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) number: i16,
    pub(super) name: Vec<u8>,
    pub(super) type_oid: u32,
    pub(super) type_modifier: i32,
    pub(super) generated: Generated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generated {
    No,
    Stored,
    Virtual,
}

/// Returns the description of a published table.
pub(super) fn table(
    facts: &Facts,
    member: &Membership<'_>,
    attributes: &Attributes,
) -> Result<PublishedTable, Error> {
    let relation = member.relation;
    let text = |bytes: &[u8]| utf8(bytes, &relation.schema, &relation.name);
    let all = attributes.of.get(&relation.oid).map(Vec::as_slice).unwrap_or_default();
    let published = published(facts, member, all)?;
    let replica_identity = ReplicaIdentity(relation.replica_identity);
    let identity = attributes.identities.get(&relation.oid);
    let is_key = |number| {
        replica_identity == ReplicaIdentity::FULL
            || identity.is_some_and(|columns| columns.contains(&number))
    };
    let column = |attribute: &Attribute| -> Result<PublishedColumn, Error> {
        Ok(PublishedColumn {
            name: text(&attribute.name)?,
            type_oid: Oid::new(attribute.type_oid),
            type_modifier: attribute.type_modifier,
            is_key: is_key(attribute.number),
            is_generated: attribute.generated != Generated::No,
            has_binary: !attributes.without_binary.contains(&attribute.type_oid),
        })
    };
    let columns = all.iter().filter(|attribute| published.contains(&attribute.number));
    let filters = facts.row_filters(member).unwrap_or_default();
    let filters = filters.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    Ok(PublishedTable {
        oid: Oid::new(relation.oid),
        schema: text(&relation.schema)?,
        name: text(&relation.name)?,
        is_partitioned: relation.is_partitioned,
        replica_identity,
        columns: columns.map(column).collect::<Result<_, _>>()?,
        all_columns: all.iter().map(|attribute| escaped(&attribute.name)).collect(),
        row_filter: any_of(&filters),
        leaves: member.leaves.iter().map(|leaf| self::leaf(leaf)).collect::<Result<_, _>>()?,
        entries_id: facts.entries_id(relation),
        was_changed: relation.was_changed || member.leaves.iter().any(|leaf| leaf.was_changed),
    })
}

fn leaf(relation: &Relation) -> Result<Leaf, Error> {
    let text = |bytes: &[u8]| utf8(bytes, &relation.schema, &relation.name);
    Ok(Leaf {
        oid: Oid::new(relation.oid),
        schema: text(&relation.schema)?,
        name: text(&relation.name)?,
        pages: relation.size.pages,
        is_heap: relation.size.is_heap,
        is_readable: relation.is_readable,
        estimated_rows: relation.size.estimated_rows(),
    })
}

/// Returns an expression that is true if one of these is.
fn any_of(filters: &[String]) -> Option<String> {
    match filters {
        [] => None,
        [one] => Some(one.clone()),
        several => {
            let several: Vec<String> = several.iter().map(|filter| format!("({filter})")).collect();
            Some(several.join(" OR "))
        }
    }
}

/// Returns the numbers of the published columns.
///
/// # Errors
/// The publications have different ones, with which the stream fails.
fn published(
    facts: &Facts,
    member: &Membership<'_>,
    all: &[Attribute],
) -> Result<HashSet<i16>, Error> {
    let table = || shown(&member.relation.schema, &member.relation.name);
    let lists: Vec<Option<&[i16]>> = member
        .publications
        .iter()
        .map(|publication| facts.entry(publication, member.relation)?.columns.as_deref())
        .collect();
    let without_list = || member.publications.iter().zip(&lists).filter(|(_, list)| list.is_none());
    let has_generated = all.iter().any(|attribute| attribute.generated != Generated::No);
    let publishes_generated = without_list().next().is_some_and(|(first, _)| first.generated);
    if has_generated && without_list().any(|(other, _)| other.generated != publishes_generated) {
        return Err(SetupError::GeneratedColumnsDiffer { table: table() }.into());
    }
    let without_lists = || -> HashSet<i16> {
        let is_published = |attribute: &&Attribute| match attribute.generated {
            Generated::No => true,
            Generated::Stored => publishes_generated,
            Generated::Virtual => false,
        };
        all.iter().filter(is_published).map(|attribute| attribute.number).collect()
    };
    let mut sets = lists.iter().map(|list| match list {
        Some(list) => list.iter().copied().collect(),
        None => without_lists(),
    });
    let first = sets.next().unwrap_or_else(without_lists);
    if sets.any(|other| other != first) {
        return Err(SetupError::ColumnListsDiffer { table: table() }.into());
    }
    Ok(first)
}
