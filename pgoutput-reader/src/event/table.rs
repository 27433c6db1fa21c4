//! The table of an event, at the time of the change.

use std::sync::Arc;

use pgoutput_decode::message::ReplicaIdentity;
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;
use pgoutput_decode::value::TypeSet;
use pgoutput_decode::{Column, Oid, Relation};

/// The description of a table by one Relation message, with facts from the catalogue.
///
/// The events of the table share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub(crate) database: Arc<str>,
    pub(crate) relation: Arc<Relation>,
    pub(crate) columns: Box<[ColumnSchema]>,
    /// The types that are not built in, with the types that they consist of.
    pub(crate) types: TypeSet,
    /// The types whose kind is known neither from the catalogue nor from the stream.
    pub(crate) unknown_types: Box<[Oid]>,
    /// The number of decimal places of a `money` amount, by the server's `lc_monetary`.
    pub(crate) money_digits: u8,
    /// The options for the JSON of values. A row has only its table to find them in.
    #[cfg(feature = "json")]
    pub(crate) json_options: JsonOptions,
}

/// A column of a [`TableSchema`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSchema {
    pub(crate) wire: Column,
    pub(crate) type_name: Box<str>,
    pub(crate) optional: bool,
}

impl TableSchema {
    /// Returns the name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the name of the schema.
    pub fn schema_name(&self) -> &str {
        self.relation.namespace()
    }

    /// Returns the name of the table.
    pub fn name(&self) -> &str {
        self.relation.name()
    }

    /// Returns the columns, in the order of rows.
    pub fn columns(&self) -> &[ColumnSchema] {
        &self.columns
    }

    /// Returns the types of columns that are not built in, as the catalogue describes them: enums,
    /// domains, composites and so on, with the types that these consist of.
    ///
    /// The descriptions belong to this schema. Clones of the set share them, and they are freed
    /// with the last one.
    ///
    /// PostgreSQL does not announce ALTER TYPE in a replication stream, and the catalogue describes
    /// a type only as it is now. The reader queries the types when the stream describes the table.
    /// It queries them again when a value of a composite type does not match its description: in
    /// the number of attributes, the types of binary attributes, or the form of a text attribute.
    ///
    /// An alteration that keeps the number and the types of the attributes is not noticed. Values
    /// from before it, or from after it until the stream describes the table again, have the
    /// attribute names of the current description. To make the stream describe the table again,
    /// alter the table too, or reconnect.
    pub fn types(&self) -> &TypeSet {
        &self.types
    }

    /// Returns the types of columns that are gone from the catalogue and whose kind, in whole or in
    /// part, the stream does not name.
    ///
    /// The stream names each type that is not built in. For a domain it gives the base type; the
    /// domain is then in [`types`](Self::types), and its values are read as before. A name that
    /// begins with `_` is that of an array. Its elements are strings in the text format; in the
    /// binary format their type is known if the stream named it.
    ///
    /// Of all other types only the text or the bytes of the values are known. This applies to
    /// [`Row::get`](crate::Row::get), `deserialize` and JSON. JSON names the columns of such types
    /// in `type_mismatch`, unless they are NULL.
    pub fn unknown_types(&self) -> &[Oid] {
        &self.unknown_types
    }

    /// Returns the same table with other descriptions of its types.
    pub(crate) fn with_types(
        &self,
        types: TypeSet,
        unknown_types: Box<[Oid]>,
        money_digits: u8,
    ) -> Self {
        Self { types, unknown_types, money_digits, ..self.clone() }
    }

    /// Returns the replica identity at the time of the change, from the Relation message. It
    /// determines which columns old rows have.
    pub fn replica_identity(&self) -> ReplicaIdentity {
        self.relation.replica_identity()
    }

    /// Returns the number of decimal places of a `money` amount: 2 in most locales, none in that of
    /// Japan.
    ///
    /// PostgreSQL stores amounts as integers of the smallest unit; only the setting `lc_monetary`
    /// determines that unit. The reader uses the setting of its role in this database, queried when
    /// the first table with such a column is described. Amounts that other sessions wrote under a
    /// setting with another number cannot be distinguished, even by PostgreSQL. To choose another
    /// setting for the reader, use `ALTER ROLE … SET lc_monetary`, or `options=-c lc_monetary=…` in
    /// the connection string. Without such a column the number is 2.
    pub fn money_digits(&self) -> u8 {
        self.money_digits
    }

    /// Returns the Relation message that this describes.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }
}

impl ColumnSchema {
    /// Returns the name of the column.
    pub fn name(&self) -> &str {
        &self.wire.name
    }

    /// Returns the column of the Relation message: key flag, type id, type modifier.
    pub fn wire(&self) -> &Column {
        &self.wire
    }

    /// Returns the name of the type with its modifier, as `format_type` prints it: `character
    /// varying(20)`.
    ///
    /// If the type is gone from the catalogue, the name is that in the stream. Bytes that are not
    /// UTF-8 are escaped, as in `caf\xe9`; so are those of [attributes](TableSchema::types).
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// Returns true if the column is part of the replica identity at the time of the change, by the
    /// Relation message. That is the primary key, or the index chosen with `REPLICA IDENTITY USING
    /// INDEX`. With `FULL` every column is, with `NOTHING` none.
    ///
    /// These columns identify the old row ([`TableSchema::replica_identity`]). JSON calls the flag
    /// `part_of_pkey`.
    pub fn is_key(&self) -> bool {
        self.wire.flags.is_key()
    }

    /// Returns true if the column may be NULL, by the catalogue at the time of the query.
    ///
    /// If the table is gone from the catalogue: false for the columns of a key, whose index
    /// requires `NOT NULL`, and true for all others.
    pub fn is_optional(&self) -> bool {
        self.optional
    }
}
