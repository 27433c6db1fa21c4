//! The contents of publications, and the rules that pgoutput applies to them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use crate::event::fnv::fnv;

/// The relations and publications of the catalogue.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) publications: Vec<Publication>,
    /// The tables that publications list, by the oids of publication and table.
    pub(super) entries: HashMap<(u32, u32), Entry>,
    /// The oids of the entries of schemas that publications list, by the oids of publication and
    /// schema.
    pub(super) schemas: HashMap<(u32, u32), u32>,
    /// The tables that may be published, and the partitioned tables above them, by their oids.
    pub(super) relations: BTreeMap<u32, Relation>,
}

/// A row of `pg_publication`.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the catalogue")]
pub(super) struct Publication {
    pub(super) oid: u32,
    pub(super) all_tables: bool,
    pub(super) inserts: bool,
    pub(super) updates: bool,
    pub(super) deletes: bool,
    /// True before PostgreSQL 11, which has no such column.
    pub(super) truncates: bool,
    pub(super) via_root: bool,
    /// Whether it publishes stored generated columns.
    pub(super) generated: bool,
}

impl Publication {
    /// Returns a number for an entry of this publication: the entry's oid, with the operations that
    /// the publication leaves out in the upper bits. Entries with near oids have near numbers,
    /// which take few bytes in a position.
    fn entry_id(&self, entry_oid: u32) -> u32 {
        let operations = [self.inserts, self.updates, self.deletes, self.truncates];
        let left_out = operations.iter().fold(0, |bits, is_in| (bits << 1) | u32::from(!is_in));
        entry_oid ^ (left_out << 28)
    }
}

/// A row of `pg_publication_rel`.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) oid: u32,
    /// The numbers of the columns.
    pub(super) columns: Option<Vec<i16>>,
    /// An SQL expression.
    pub(super) filter: Option<Vec<u8>>,
}

/// A row of `pg_class`.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the columns of the catalogue")]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) is_partitioned: bool,
    /// Whether it is permanent: not temporary, not unlogged.
    pub(super) is_permanent: bool,
    pub(super) schema_oid: u32,
    pub(super) schema: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) replica_identity: u8,
    /// The table of which it is a partition.
    pub(super) parent: Option<u32>,
    pub(super) size: Size,
    pub(super) is_readable: bool,
    /// Whether it was changed after the snapshot; see [`PublishedTable::was_changed`].
    ///
    /// [`PublishedTable::was_changed`]: super::PublishedTable::was_changed
    pub(super) was_changed: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Size {
    pub(super) pages: u32,
    /// `pg_class.reltuples` and `relpages`, which the last VACUUM or ANALYZE left.
    pub(super) analyzed_rows: f64,
    pub(super) analyzed_pages: i64,
    pub(super) is_heap: bool,
}

impl Size {
    /// Returns the estimate of rows that the planner would start from.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an estimate; `as` saturates"
    )]
    pub(super) fn estimated_rows(&self) -> Option<u64> {
        if self.pages == 0 {
            return Some(0);
        }
        let is_known = self.analyzed_pages > 0 && self.analyzed_rows >= 0.0;
        let density = self.analyzed_rows / self.analyzed_pages as f64;
        is_known.then(|| (density * f64::from(self.pages)).round() as u64)
    }
}

/// A published table with the publications that decide on its columns and rows.
#[derive(Debug)]
pub(super) struct Membership<'f> {
    /// The relation that the stream names.
    pub(super) relation: &'f Relation,
    pub(super) publications: Vec<&'f Publication>,
    /// Whether INSERT is published, by these or other publications.
    pub(super) inserts: bool,
    pub(super) leaves: Vec<&'f Relation>,
}

/// The publication of the rows of one relation.
struct PublishedAs<'f> {
    oid: u32,
    publications: Vec<&'f Publication>,
    inserts: bool,
    changes: bool,
}

impl Facts {
    /// Returns the partitioned tables above a partition.
    pub(super) fn above(&self, relation: &Relation) -> impl Iterator<Item = &Relation> {
        let parent = |relation: &Relation| self.relations.get(&relation.parent?);
        std::iter::successors(parent(relation), move |relation| parent(relation))
    }

    /// Returns the published tables in the order of their oids.
    pub(super) fn memberships(&self) -> Vec<Membership<'_>> {
        let mut published: BTreeMap<u32, Membership<'_>> = BTreeMap::new();
        // The server changes the rows of permanent tables only, whatever the tables above them are.
        for relation in self.relations.values().filter(|relation| relation.is_permanent) {
            let Some(found) = self.published_as(relation).filter(|found| found.changes) else {
                continue;
            };
            let Some(named) = self.relations.get(&found.oid) else { continue };
            let member = published.entry(found.oid).or_insert_with(|| Membership {
                relation: named,
                publications: found.publications,
                inserts: false,
                leaves: Vec::new(),
            });
            if !relation.is_partitioned {
                member.inserts |= found.inserts;
                member.leaves.push(relation);
            }
        }
        published.into_values().collect()
    }

    /// Returns the table that the changes of a relation are published as: the topmost one that any
    /// publication with `publish_via_partition_root` has. The publications that have the rows as
    /// another table still decide which operations are published.
    fn published_as(&self, relation: &Relation) -> Option<PublishedAs<'_>> {
        let ancestors = self.ancestors(relation);
        let mut found = PublishedAs {
            oid: relation.oid,
            publications: Vec::new(),
            inserts: false,
            changes: false,
        };
        let mut level = 0;
        for publication in &self.publications {
            let Some((oid, its_level)) = self.has(publication, relation, &ancestors) else {
                continue;
            };
            if relation.is_partitioned && !publication.via_root {
                continue;
            }
            found.inserts |= publication.inserts;
            found.changes |= publication.inserts || publication.updates || publication.deletes;
            if its_level < level {
                continue;
            }
            if its_level > level {
                (found.oid, level) = (oid, its_level);
                found.publications.clear();
            }
            found.publications.push(publication);
        }
        (!found.publications.is_empty()).then_some(found)
    }

    /// Returns whether a publication has a relation: the table that it publishes its rows as, and
    /// the number of partition levels up to it.
    fn has(
        &self,
        publication: &Publication,
        relation: &Relation,
        ancestors: &[&Relation],
    ) -> Option<(u32, usize)> {
        let own = (relation.oid, 0);
        let topmost = if publication.all_tables {
            ancestors.len().checked_sub(1)
        } else {
            ancestors.iter().rposition(|ancestor| self.lists(publication, ancestor))
        };
        match topmost {
            Some(at) if publication.via_root => {
                ancestors.get(at).map(|ancestor| (ancestor.oid, at + 1))
            }
            Some(_) => Some(own),
            None => (publication.all_tables || self.lists(publication, relation)).then_some(own),
        }
    }

    fn lists(&self, publication: &Publication, relation: &Relation) -> bool {
        self.entries.contains_key(&(publication.oid, relation.oid))
            || self.schemas.contains_key(&(publication.oid, relation.schema_oid))
    }

    /// Returns a number for the entries of the catalogue by which a relation is published, and the
    /// operations that their publications publish. A table that leaves a publication and joins it
    /// again has another one: each entry has an oid.
    pub(super) fn entries_id(&self, relation: &Relation) -> u32 {
        let mut ids: Vec<u32> = Vec::new();
        let relations = self.ancestors(relation);
        for relation in relations.into_iter().chain([relation]) {
            for publication in &self.publications {
                let of_all = publication.all_tables.then_some(publication.oid);
                let entry = self.entries.get(&(publication.oid, relation.oid));
                let schema = self.schemas.get(&(publication.oid, relation.schema_oid));
                let oids = [of_all, entry.map(|entry| entry.oid), schema.copied()];
                ids.extend(oids.into_iter().flatten().map(|oid| publication.entry_id(oid)));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        if let [one] = ids[..] {
            return one;
        }
        let hash = fnv(ids.into_iter().flat_map(u32::to_le_bytes));
        // Both halves count.
        u32::try_from((hash ^ (hash >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
    }

    /// Returns the partitioned tables above a relation, the closest first.
    fn ancestors(&self, relation: &Relation) -> Vec<&Relation> {
        let mut ancestors: Vec<&Relation> = Vec::new();
        let mut next = relation.parent;
        while let Some(parent) = next.and_then(|oid| self.relations.get(&oid)) {
            // A cycle in the answer of a server must end.
            if ancestors.len() > self.relations.len() {
                break;
            }
            ancestors.push(parent);
            next = parent.parent;
        }
        ancestors
    }

    /// Returns the row filters that apply to inserted rows: a row is published if one of them is
    /// true. `None` is no filter.
    pub(super) fn row_filters(&self, member: &Membership<'_>) -> Option<Vec<&[u8]>> {
        let decides = |publication: &&&Publication| {
            if member.inserts {
                publication.inserts
            } else {
                publication.updates || publication.deletes
            }
        };
        let mut filters: Vec<&[u8]> = Vec::new();
        for publication in member.publications.iter().filter(decides) {
            let filter = self.entry(publication, member.relation)?.filter.as_deref()?;
            if !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        (!filters.is_empty()).then_some(filters)
    }

    /// Returns a publication's entry for a table, unless the publication has all tables, or all of
    /// its schema, which excludes filters and lists.
    pub(super) fn entry(&self, publication: &Publication, table: &Relation) -> Option<&Entry> {
        let has_all = publication.all_tables
            || self.schemas.contains_key(&(publication.oid, table.schema_oid));
        self.entries.get(&(publication.oid, table.oid)).filter(|_| !has_all)
    }
}
