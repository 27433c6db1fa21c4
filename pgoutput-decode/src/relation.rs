//! The tables that Relation messages of a replication stream have described so far.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::column::ColumnFlags;
use crate::id::Oid;
use crate::message::{RelationBody, ReplicaIdentity};

/// A table as one Relation message described it; immutable and shared by the events of the table.
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
#[non_exhaustive]
pub struct Column {
    /// Whether the column is part of the replica identity.
    pub flags: ColumnFlags,
    /// The name of the column.
    pub name: Box<str>,
    /// The id of the column's type, as in `pg_attribute.atttypid`.
    pub type_oid: Oid,
    /// The type modifier, as in `pg_attribute.atttypmod`; -1 if the type has none.
    pub type_modifier: i32,
}

impl Relation {
    /// Returns the id of the table.
    pub fn oid(&self) -> Oid {
        self.oid
    }

    /// Returns the name of the schema; `pg_catalog` if it is empty in the message.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Returns the name of the table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the replica identity, which decides which columns old rows contain.
    pub fn replica_identity(&self) -> ReplicaIdentity {
        self.replica_identity
    }

    /// Returns the columns, in the order of the columns of a tuple.
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

/// The latest description of each table that a replication stream has sent.
///
/// The Relation message that describes a change comes before the change, so looking up the table
/// when the change arrives returns the right description. Create one for each
/// [`Decoder`](crate::Decoder).
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
    /// Creates an empty collection.
    pub const fn new() -> Self {
        Self { by_oid: BTreeMap::new() }
    }

    /// Stores the description in a Relation message. If it equals the stored one, that one and its
    /// pointer are kept.
    pub fn update(&mut self, body: &RelationBody<'_>) -> &Arc<Relation> {
        let held = self.by_oid.entry(body.oid).or_insert_with(|| Arc::new(body.into()));
        if !held.is_described_by(body) {
            *held = Arc::new(body.into());
        }
        held
    }

    /// Stores a description, such as one that [`get`](Self::get) returned earlier, and returns the
    /// one that it replaces.
    pub fn insert(&mut self, relation: Arc<Relation>) -> Option<Arc<Relation>> {
        self.by_oid.insert(relation.oid, relation)
    }

    /// Returns the last description of the table with this id.
    pub fn get(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid)
    }

    /// Forgets a table, such as one that was dropped.
    ///
    /// Do not forget a table that can still change: the server describes it again only after it was
    /// altered.
    pub fn remove(&mut self, oid: Oid) -> Option<Arc<Relation>> {
        self.by_oid.remove(&oid)
    }

    /// Returns all tables, ordered by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Relation>> {
        self.by_oid.values()
    }
}
