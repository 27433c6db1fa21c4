//! The JSON of a change of a table.

use pgoutput_decode::message::ReplicaIdentity;
use serde::{Serialize, Serializer};

use super::text::JsonText;
use crate::event::{SchemaChange, TableSchema};
use crate::schema::{Changed, ColumnAt};

/// The table before, and the parts of the difference that are not empty.
#[derive(Serialize)]
struct Change<'a> {
    before: &'a TableSchema,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    added: Vec<JsonText<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<JsonText<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    renamed: Vec<Pair<JsonText<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retyped: Vec<Retyped<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Pair<Vec<JsonText<'a>>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replica_identity: Option<Pair<Identity>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_name: Option<Pair<JsonText<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<Pair<JsonText<'a>>>,
}

#[derive(Serialize)]
struct Pair<T> {
    before: T,
    after: T,
}

#[derive(Serialize)]
struct Retyped<'a> {
    name: JsonText<'a>,
    before: ColumnType<'a>,
    after: ColumnType<'a>,
}

#[derive(Serialize)]
struct ColumnType<'a> {
    #[serde(rename = "type_id")]
    oid: u32,
    /// Absent if it is -1, which is none.
    #[serde(rename = "type_modifier", skip_serializing_if = "Option::is_none")]
    modifier: Option<i32>,
    #[serde(rename = "type_name")]
    name: JsonText<'a>,
}

impl Serialize for SchemaChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (before, after, difference) = (self.before(), self.after(), self.difference());
        let retyped = difference.retyped.iter().map(|pair| Retyped {
            name: name(&pair.after),
            before: ColumnType::of(before, &pair.before),
            after: ColumnType::of(after, &pair.after),
        });
        let change = Change {
            before,
            added: difference.added.iter().map(name).collect(),
            dropped: difference.dropped.iter().map(name).collect(),
            renamed: difference.renamed.iter().map(|pair| Pair::of(pair, name)).collect(),
            retyped: retyped.collect(),
            key: difference.key.as_ref().map(|key| Pair::of(key, |names| texts(names))),
            replica_identity: (difference.replica_identity.as_ref())
                .map(|identity| Pair::of(identity, |identity| Identity(*identity))),
            schema_name: difference
                .schema_name
                .as_ref()
                .map(|names| Pair::of(names, |name| JsonText(name))),
            table: difference.table.as_ref().map(|names| Pair::of(names, |name| JsonText(name))),
        };
        change.serialize(serializer)
    }
}

impl<'a, T> Pair<T> {
    fn of<U>(changed: &'a Changed<U>, part: impl Fn(&'a U) -> T) -> Self {
        Self { before: part(&changed.before), after: part(&changed.after) }
    }
}

impl<'a> ColumnType<'a> {
    fn of(table: &'a TableSchema, at: &'a ColumnAt) -> Self {
        Self {
            oid: at.column.type_oid.as_u32(),
            modifier: Some(at.column.type_modifier).filter(|modifier| *modifier != -1),
            name: JsonText(table.columns().get(at.index).map_or("", |column| column.type_name())),
        }
    }
}

fn name(at: &ColumnAt) -> JsonText<'_> {
    JsonText(&at.column.name)
}

fn texts(names: &[Box<str>]) -> Vec<JsonText<'_>> {
    names.iter().map(|name| JsonText(name)).collect()
}

/// The name of a replica identity.
pub(super) struct Identity(pub(super) ReplicaIdentity);

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            ReplicaIdentity::DEFAULT => serializer.serialize_str("default"),
            ReplicaIdentity::FULL => serializer.serialize_str("full"),
            ReplicaIdentity::INDEX => serializer.serialize_str("index"),
            ReplicaIdentity::NOTHING => serializer.serialize_str("nothing"),
            ReplicaIdentity(byte) => serializer.collect_str(&format_args!("0x{byte:02x}")),
        }
    }
}
