//! The difference between two descriptions of a table.

use std::collections::BTreeMap;

use pgoutput_decode::message::ReplicaIdentity;
use pgoutput_decode::{Column, Relation};

/// The difference between two descriptions of a table, each by a Relation message.
///
/// Columns are matched by name, in their order. PostgreSQL adds columns at the end, so a column
/// whose name comes again after later columns was dropped and added.
///
/// Relation messages do not number columns, so [`renamed`](Self::renamed) is a guess: between two
/// columns that stayed, one name is gone and a new one is in its place, with the same type. A last
/// column that was dropped, and another one of its type that was added, look the same. So does
/// another column of that type in the column list of a publication. A column that was renamed and
/// retyped is reported as dropped and added, and so is one next to another that was dropped.
///
/// ```
/// use pgoutput_reader::SchemaDifference;
/// use pgoutput_reader::decode::{DecodeError, Message, Relations};
///
/// let mut relations = Relations::new();
/// let mut describe = |frame: &[u8]| match Message::decode(frame, false)? {
///     Message::Relation(body) => Ok::<_, DecodeError>(relations.update(&body).clone()),
///     other => panic!("{other:?}"),
/// };
/// // The table `public.t (id int PRIMARY KEY, n int)`, and after ALTER TABLE.
/// let before = describe(b"R\0\0\x40\x13public\0t\0d\0\x02\
///     \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0n\0\0\0\0\x17\xFF\xFF\xFF\xFF")?;
/// let after = describe(b"R\0\0\x40\x13public\0t\0d\0\x03\
///     \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0count\0\0\0\0\x17\xFF\xFF\xFF\xFF\
///     \0note\0\0\0\0\x19\xFF\xFF\xFF\xFF")?;
///
/// let difference = SchemaDifference::between(&before, &after);
/// assert_eq!(&*difference.renamed[0].before.column.name, "n");
/// assert_eq!(&*difference.renamed[0].after.column.name, "count");
/// assert_eq!((difference.added[0].index, &*difference.added[0].column.name), (2, "note"));
/// assert!(difference.dropped.is_empty() && difference.key.is_none());
/// # Ok::<(), DecodeError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaDifference {
    /// The columns that only the new description has, in its order.
    pub added: Vec<ColumnAt>,
    /// The columns that only the old description has, in its order.
    pub dropped: Vec<ColumnAt>,
    /// The columns that were probably renamed.
    pub renamed: Vec<Changed<ColumnAt>>,
    /// The columns whose type or type modifier changed: `varchar(10)` to `varchar(20)`.
    pub retyped: Vec<Changed<ColumnAt>>,
    /// The names of the columns of the replica identity, if these are other columns. Columns that
    /// come and go under `REPLICA IDENTITY FULL`, which is all columns, do not count.
    pub key: Option<Changed<Vec<Box<str>>>>,
    /// The replica identity.
    pub replica_identity: Option<Changed<ReplicaIdentity>>,
    /// The name of the schema, if the table was moved or the schema renamed.
    pub schema_name: Option<Changed<Box<str>>>,
    /// The name of the table.
    pub table: Option<Changed<Box<str>>>,
}

/// The old and the new value of something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// The old value.
    pub before: T,
    /// The new value.
    pub after: T,
}

/// A column and its index in the description that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnAt {
    /// The index among the columns of that description, from 0.
    pub index: usize,
    /// The column.
    pub column: Column,
}

impl SchemaDifference {
    /// Returns the difference between two descriptions.
    pub fn between(before: &Relation, after: &Relation) -> Self {
        let (old, new) = (before.columns(), after.columns());
        let mut difference = Self {
            replica_identity: changed(before.replica_identity(), after.replica_identity()),
            schema_name: changed(before.namespace(), after.namespace()).map(Changed::owned),
            table: changed(before.name(), after.name()).map(Changed::owned),
            ..Self::default()
        };
        let kept = same_names(old, new);
        let (mut old_at, mut new_at) = (0, 0);
        for (old_end, new_end) in kept.iter().copied().chain([(old.len(), new.len())]) {
            difference.add_gap((old, old_at..old_end), (new, new_at..new_end));
            (old_at, new_at) = (old_end + 1, new_end + 1);
        }
        for (before, after) in &kept {
            let pair = Changed { before: at(old, *before), after: at(new, *after) };
            if !is_same_type(&pair.before.column, &pair.after.column) {
                difference.retyped.push(pair);
            }
        }
        let is_full = |table: &Relation| table.replica_identity() == ReplicaIdentity::FULL;
        if difference.changes_key(&kept, old, new, is_full(before) && is_full(after)) {
            difference.key = Some(Changed { before: key(old), after: key(new) });
        }
        difference
    }

    /// Returns whether the descriptions do not differ.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the columns between two that both descriptions have. New columns are added at the end,
    /// so only there may more of them follow those that were renamed.
    fn add_gap(
        &mut self,
        (old, gone): (&[Column], std::ops::Range<usize>),
        (new, come): (&[Column], std::ops::Range<usize>),
    ) {
        let is_end = gone.end == old.len() && come.end == new.len();
        let may_be_renamed = gone.len() == come.len() || (is_end && gone.len() < come.len());
        for offset in 0..gone.len().max(come.len()) {
            let before = gone.clone().nth(offset).map(|index| at(old, index));
            let after = come.clone().nth(offset).map(|index| at(new, index));
            match (before, after) {
                (Some(before), Some(after))
                    if may_be_renamed && is_same_type(&before.column, &after.column) =>
                {
                    self.renamed.push(Changed { before, after });
                }
                (before, after) => {
                    self.dropped.extend(before);
                    self.added.extend(after);
                }
            }
        }
    }

    fn changes_key(
        &self,
        kept: &[(usize, usize)],
        old: &[Column],
        new: &[Column],
        is_full: bool,
    ) -> bool {
        let differs =
            |before: &Column, after: &Column| before.flags.is_key() != after.flags.is_key();
        let mut come_and_gone = self.added.iter().chain(&self.dropped);
        kept.iter().any(|(before, after)| differs(&old[*before], &new[*after]))
            || self.renamed.iter().any(|pair| differs(&pair.before.column, &pair.after.column))
            || (!is_full && come_and_gone.any(|at| at.column.flags.is_key()))
    }
}

impl Changed<&str> {
    fn owned(self) -> Changed<Box<str>> {
        Changed { before: self.before.into(), after: self.after.into() }
    }
}

fn changed<T: PartialEq>(before: T, after: T) -> Option<Changed<T>> {
    (before != after).then_some(Changed { before, after })
}

fn at(columns: &[Column], index: usize) -> ColumnAt {
    ColumnAt { index, column: columns[index].clone() }
}

fn is_same_type(one: &Column, other: &Column) -> bool {
    (one.type_oid, one.type_modifier) == (other.type_oid, other.type_modifier)
}

/// The names of the columns of the key.
fn key(columns: &[Column]) -> Vec<Box<str>> {
    columns
        .iter()
        .filter(|column| column.flags.is_key())
        .map(|column| column.name.clone())
        .collect()
}

/// Returns the columns with the same names, as indexes that increase in both descriptions.
fn same_names(old: &[Column], new: &[Column]) -> Vec<(usize, usize)> {
    let mut indexes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, column) in old.iter().enumerate() {
        indexes.entry(&column.name).or_default().push(index);
    }
    let mut next = 0;
    let mut pairs = Vec::new();
    for (after, column) in new.iter().enumerate() {
        let same = indexes.get(&*column.name).map(Vec::as_slice).unwrap_or_default();
        // A stream that names two columns alike is not one of PostgreSQL.
        if let Some(before) = same.get(same.partition_point(|index| *index < next)) {
            pairs.push((*before, after));
            next = before + 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests;
