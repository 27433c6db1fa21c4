//! Differences of hand-written tables, and the law that a difference leads from one to the other.

use std::sync::Arc;

use pgoutput_decode::value::type_oid;
use pgoutput_decode::{Message, Oid, Relations};
use proptest::prelude::*;

use super::*;

/// A table by its names, replica identity and columns.
#[derive(Debug, Clone)]
struct Table {
    schema_name: String,
    name: String,
    identity: u8,
    columns: Vec<TableColumn>,
}

#[derive(Debug, Clone)]
struct TableColumn {
    name: String,
    type_oid: Oid,
    modifier: i32,
    is_key: bool,
}

impl Table {
    /// A table `public.t` with columns of type `integer`. Those with a star are in the key.
    fn of(columns: &str) -> Self {
        let column = |name: &str| TableColumn {
            name: name.trim_end_matches('*').into(),
            type_oid: type_oid::INT4,
            modifier: -1,
            is_key: name.ends_with('*'),
        };
        let columns = columns.split_whitespace().map(column).collect();
        Self { schema_name: "public".into(), name: "t".into(), identity: b'd', columns }
    }

    fn with_type(mut self, index: usize, type_oid: Oid, modifier: i32) -> Self {
        (self.columns[index].type_oid, self.columns[index].modifier) = (type_oid, modifier);
        self
    }

    fn with_identity(mut self, identity: u8) -> Self {
        self.identity = identity;
        self
    }

    fn relation(&self) -> Arc<Relation> {
        let mut frame = b"R\0\0\0\x01".to_vec();
        frame.extend(format!("{}\0{}\0", self.schema_name, self.name).bytes());
        frame.push(self.identity);
        frame.extend(u16::try_from(self.columns.len()).unwrap().to_be_bytes());
        for column in &self.columns {
            frame.push(column.is_key.into());
            frame.extend(format!("{}\0", column.name).bytes());
            frame.extend(column.type_oid.as_u32().to_be_bytes());
            frame.extend(column.modifier.to_be_bytes());
        }
        let Message::Relation(body) = Message::decode(&frame, false).unwrap() else { panic!() };
        Arc::clone(Relations::new().update(&body))
    }
}

fn difference(before: &Table, after: &Table) -> SchemaDifference {
    SchemaDifference::between(&before.relation(), &after.relation())
}

/// Describes the columns that differ between two tables, with their indexes.
fn columns(before: &Table, after: &Table) -> String {
    let SchemaDifference { added, dropped, renamed, retyped, .. } = difference(before, after);
    let name = |at: &ColumnAt| format!("{}{}", at.column.name, at.index);
    let pair = |pair: &Changed<ColumnAt>| format!("{}>{}", name(&pair.before), name(&pair.after));
    let mut parts: Vec<String> = dropped.iter().map(|at| format!("-{}", name(at))).collect();
    parts.extend(added.iter().map(|at| format!("+{}", name(at))));
    parts.extend(renamed.iter().map(pair));
    parts.extend(retyped.iter().map(|retyped| format!("~{}", pair(retyped))));
    parts.join(" ")
}

#[test]
fn columns_are_matched_by_their_names_and_renamed_in_place() {
    for (before, after, expected) in [
        ("a b c", "a b c", ""),
        ("a b", "a b c", "+c2"),
        ("a b c", "a c", "-b1"),
        ("a b c", "a x c", "b1>x1"),
        ("a b c", "x b c", "a0>x0"),
        // Something before it was dropped at the same time.
        ("a b c", "b x", "-a0 c2>x1"),
        // Renamed, and another one added at the end.
        ("a b", "a x y", "+y2 b1>x1"),
        // It is unknown which of the two was renamed.
        ("a b c d", "a x d", "-b1 -c2 +x1"),
        ("a b c d", "a b x", "-c2 -d3 +x2"),
        ("a b d", "a x y d", "-b1 +x1 +y2"),
        // Dropped and added again.
        ("a b c", "b c a", "-a0 +a2"),
        ("a b c d", "x b c a", "a0>x0 d3>a3"),
        ("", "a", "+a0"),
        ("a", "", "-a0"),
        ("a", "b", "a0>b0"),
    ] {
        let (before, after) = (Table::of(before), Table::of(after));
        assert_eq!(columns(&before, &after), expected, "{before:?} {after:?}");
    }
}

#[test]
fn types_differ_by_oid_and_by_modifier() {
    let before = Table::of("a v").with_type(1, type_oid::VARCHAR, 14);
    let longer = before.clone().with_type(1, type_oid::VARCHAR, 24);
    assert_eq!(columns(&before, &longer), "~v1>v1");
    let pair = &difference(&before, &longer).retyped[0];
    assert_eq!((pair.before.column.type_modifier, pair.after.column.type_modifier), (14, 24));
    let other = before.clone().with_type(1, type_oid::TEXT, -1);
    assert_eq!(columns(&before, &other), "~v1>v1");
    // Renamed and retyped.
    let mut renamed = longer;
    renamed.columns[1].name = "w".into();
    assert_eq!(columns(&before, &renamed), "-v1 +w1");
}

#[test]
fn the_key_differs_by_its_columns_whatever_their_names() {
    let key = |before: &Table, after: &Table| {
        difference(before, after).key.map(|key| (key.before.join(" "), key.after.join(" ")))
    };
    let some = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    for (before, after, expected) in [
        ("a* b", "a* b", None),
        ("a* b", "a b*", some("a", "b")),
        ("a* b", "a* b*", some("a", "a b")),
        ("a* b", "x* b", None),
        ("a* b", "a* b c", None),
        ("a* b", "a* b c*", some("a", "a c")),
        ("a* b", "b", some("a", "")),
        ("a*", "x", some("a", "")),
    ] {
        assert_eq!(key(&Table::of(before), &Table::of(after)), expected, "{before} {after}");
    }
    // All columns are the key.
    let full = |columns| Table::of(columns).with_identity(b'f');
    assert_eq!(key(&full("a* b*"), &full("a* b* c*")), None);
    assert_eq!(key(&full("a* b*"), &full("b*")), None);
    let difference = difference(&Table::of("a* b"), &full("a* b*"));
    assert_eq!(difference.key.unwrap().after.join(" "), "a b");
    let identity = difference.replica_identity.unwrap();
    assert_eq!(
        (identity.before, identity.after),
        (ReplicaIdentity::DEFAULT, ReplicaIdentity::FULL)
    );
}

#[test]
fn names_of_the_table_and_its_schema_are_compared() {
    let before = Table::of("a");
    let mut after = before.clone();
    after.name = "u".into();
    after.schema_name = "other".into();
    let difference = difference(&before, &after);
    let names = |names: Option<Changed<Box<str>>>| names.map(|names| (names.before, names.after));
    assert_eq!(names(difference.table), Some(("t".into(), "u".into())));
    assert_eq!(names(difference.schema_name), Some(("public".into(), "other".into())));
}

#[test]
fn a_stream_that_names_columns_alike_is_compared_too() {
    let (one, three) = (Table::of("a"), Table::of("a a a"));
    assert_eq!(columns(&one, &three), "+a1 +a2");
    assert_eq!(columns(&three, &one), "-a1 -a2");
    assert_eq!(columns(&three, &three), "");
}

/// Applies a difference to the table before, without the one after.
fn apply(difference: &SchemaDifference, before: &Relation) -> (Vec<Column>, String, String, u8) {
    let gone: Vec<usize> = difference.dropped.iter().map(|at| at.index).collect();
    let mut columns = before.columns().to_vec();
    for pair in &difference.renamed {
        columns[pair.before.index].name = pair.after.column.name.clone();
    }
    for pair in &difference.retyped {
        columns[pair.before.index].type_oid = pair.after.column.type_oid;
        columns[pair.before.index].type_modifier = pair.after.column.type_modifier;
    }
    let mut index = 0;
    columns.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
    for at in &difference.added {
        columns.insert(at.index, at.column.clone());
    }
    if let Some(key) = &difference.key {
        for column in &mut columns {
            column.flags.0 = key.after.contains(&column.name).into();
        }
    }
    let name = |changed: &Option<Changed<Box<str>>>, old: &str| {
        changed.as_ref().map_or(old, |names| &names.after).to_owned()
    };
    let identity = difference.replica_identity.as_ref();
    (
        columns,
        name(&difference.schema_name, before.namespace()),
        name(&difference.table, before.name()),
        identity.map_or(before.replica_identity(), |identity| identity.after).0,
    )
}

fn column() -> impl Strategy<Value = TableColumn> {
    let types = [type_oid::INT4, type_oid::TEXT, type_oid::VARCHAR];
    ("[a-h]", prop::sample::select(types.to_vec()), -1..2_i32, any::<bool>()).prop_map(
        |(name, type_oid, modifier, is_key)| TableColumn { name, type_oid, modifier, is_key },
    )
}

fn table() -> impl Strategy<Value = Table> {
    let identities = prop::sample::select(&b"dnfi"[..]);
    ("[pq]", "[tu]", identities, prop::collection::vec(column(), 0..8)).prop_map(
        |(schema_name, name, identity, mut columns)| {
            // Columns of a table have different names.
            let mut names = std::collections::BTreeSet::new();
            columns.retain(|column| names.insert(column.name.clone()));
            if identity == b'f' {
                for column in &mut columns {
                    column.is_key = true;
                }
            }
            Table { schema_name, name, identity, columns }
        },
    )
}

proptest! {
    #[test]
    fn applying_the_difference_to_the_table_before_gives_the_one_after(
        before in table(),
        after in table(),
    ) {
        let (before, after) = (before.relation(), after.relation());
        let difference = SchemaDifference::between(&before, &after);
        let (columns, schema_name, name, identity) = apply(&difference, &before);
        prop_assert_eq!(columns, after.columns());
        prop_assert_eq!(schema_name, after.namespace());
        prop_assert_eq!(name, after.name());
        prop_assert_eq!(identity, after.replica_identity().0);
        prop_assert_eq!(difference.is_empty(), before == after);
        prop_assert!(SchemaDifference::between(&before, &before).is_empty());
    }

    /// What ALTER TABLE does to one column is reported as that.
    #[test]
    fn one_alteration_of_a_column_is_one_difference(
        before in table().prop_filter("columns", |table| !table.columns.is_empty()),
        at in any::<prop::sample::Index>(),
        kind in 0..4,
    ) {
        let at = at.index(before.columns.len());
        let mut after = before.clone();
        let name = after.columns[at].name.clone();
        let expected = match kind {
            0 => {
                after.columns.remove(at);
                format!("-{name}{at}")
            }
            1 => {
                let mut column = after.columns[at].clone();
                column.name = "new".into();
                after.columns.push(column);
                format!("+new{}", before.columns.len())
            }
            2 => {
                after.columns[at].name = "new".into();
                format!("{name}{at}>new{at}")
            }
            _ => {
                after.columns[at].modifier += 1;
                format!("~{name}{at}>{name}{at}")
            }
        };
        prop_assert_eq!(columns(&before, &after), expected);
    }
}
