//! The tables a stream has named so far.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::ColumnFlags;
use crate::Oid;
use crate::message::{RelationBody, ReplicaIdentity};

/// A table as one Relation message described it; immutable, shared by whoever holds events of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    oid: Oid,
    namespace: Box<str>,
    name: Box<str>,
    replica_identity: ReplicaIdentity,
    columns: Box<[Column]>,
}

/// A column of a [`Relation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Whether it is part of the replica identity.
    pub flags: ColumnFlags,
    /// Its name.
    pub name: Box<str>,
    /// The id of its type, as `pg_attribute.atttypid`.
    pub type_oid: Oid,
    /// The type modifier, as `pg_attribute.atttypmod`; -1 where the type has none.
    pub type_modifier: i32,
}

impl Relation {
    /// The table's id.
    pub fn oid(&self) -> Oid {
        self.oid
    }

    /// The schema's name; `pg_catalog` where the message left it empty.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What old rows hold.
    pub fn replica_identity(&self) -> ReplicaIdentity {
        self.replica_identity
    }

    /// The columns, in the order of tuples.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    fn is_described_by(&self, body: &RelationBody<'_>) -> bool {
        self.oid == body.oid
            && *self.namespace == *body.namespace()
            && *self.name == *body.name
            && self.replica_identity == body.replica_identity
            && self.columns.len() == body.columns.len()
            && self.columns.iter().zip(body.columns).all(|(held, sent)| {
                held.flags == sent.flags
                    && *held.name == *sent.name
                    && held.type_oid == sent.type_oid
                    && held.type_modifier == sent.type_modifier
            })
    }
}

impl From<&RelationBody<'_>> for Relation {
    fn from(body: &RelationBody<'_>) -> Self {
        let columns = body.columns.iter().map(|column| Column {
            flags: column.flags,
            name: column.name.into(),
            type_oid: column.type_oid,
            type_modifier: column.type_modifier,
        });
        Self {
            oid: body.oid,
            namespace: body.namespace().into(),
            name: body.name.into(),
            replica_identity: body.replica_identity,
            columns: columns.collect(),
        }
    }
}

/// The latest version of each table that a stream has named, in wire order.
///
/// A change stands after the Relation message that describes it, so looking its table up when the change
/// comes gives the right version. Lives as long as its [`Decoder`](crate::Decoder).
///
/// ```
/// use pgoutput_decode::{Decoder, Message, Relations};
///
/// let frame = b"R\0\0\x40\x13public\0readme\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF";
/// let (mut decoder, mut relations) = (Decoder::new(), Relations::new());
/// if let Message::Relation(body) = decoder.decode(frame)? {
///     relations.update(&body);
/// }
/// let table = relations.get(16403.into()).unwrap();
/// assert_eq!((table.namespace(), table.name()), ("public", "readme"));
/// assert_eq!(&*table.columns()[0].name, "id");
/// # Ok::<(), pgoutput_decode::DecodeError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Relations {
    by_oid: BTreeMap<Oid, Arc<Relation>>,
}

impl Relations {
    /// An empty catalogue.
    pub const fn new() -> Self {
        Self { by_oid: BTreeMap::new() }
    }

    /// Takes a Relation message in; a description equal to the one held keeps the old pointer.
    pub fn update(&mut self, body: &RelationBody<'_>) -> &Arc<Relation> {
        let held = self.by_oid.entry(body.oid).or_insert_with(|| Arc::new(body.into()));
        if !held.is_described_by(body) {
            *held = Arc::new(body.into());
        }
        held
    }

    /// The table with this id, as it was described last.
    pub fn get(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid)
    }

    /// Forgets a table, such as one that was dropped. The server describes a table that it goes on
    /// to send again only after it was altered: forget none of which changes may come.
    pub fn remove(&mut self, oid: Oid) -> Option<Arc<Relation>> {
        self.by_oid.remove(&oid)
    }

    /// All tables, ordered by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Relation>> {
        self.by_oid.values()
    }
}
