//! The table of an event, as it was when the change was made.

use std::sync::Arc;

use pgoutput_decode::message::ReplicaIdentity;
#[cfg(feature = "json")]
use pgoutput_decode::value::JsonOptions;
use pgoutput_decode::value::TypeInfo;
use pgoutput_decode::{Column, Oid, Relation};

/// A table as one Relation message described it, with what the catalogue adds; shared by its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    pub(crate) database: Arc<str>,
    pub(crate) relation: Arc<Relation>,
    pub(crate) columns: Box<[ColumnSchema]>,
    /// Those of the columns that are not built in.
    pub(crate) types: Box<[TypeInfo<'static>]>,
    /// Those of which neither the catalogue nor the stream tells the kind.
    pub(crate) unknown_types: Box<[Oid]>,
    /// Of amounts of `money`, as `lc_monetary` of the server has them.
    pub(crate) money_digits: u8,
    /// How the reader's events write values: an event alone is asked for its JSON, and a row has only its table.
    #[cfg(feature = "json")]
    pub(crate) json_options: JsonOptions,
    #[cfg(feature = "json")]
    pub(crate) json: super::json::Kept<super::json::TableText>,
}

/// A column of a [`TableSchema`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSchema {
    pub(crate) wire: Column,
    pub(crate) type_name: Box<str>,
    pub(crate) optional: bool,
}

impl TableSchema {
    /// The database's name.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The schema's name.
    pub fn schema_name(&self) -> &str {
        self.relation.namespace()
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        self.relation.name()
    }

    /// The columns, in the order of rows.
    pub fn columns(&self) -> &[ColumnSchema] {
        &self.columns
    }

    /// The types of columns that are not built in, as the catalogue describes them: enums, domains, composites and so on.
    ///
    /// The catalogue knows types as they are now, and PostgreSQL says nothing of ALTER TYPE in a stream. They are asked for with
    /// each description of the table that the stream sends, and again when a value does not fit: another number of attributes, in
    /// binary other types, in text what their types cannot be read from. What fits all the same cannot be told: values that came
    /// before an attribute was renamed, or dropped and another added, or that come after it and before the table is
    /// described again, stand under the names of the description at hand. To have the stream describe a table again, alter that
    /// too, or connect again.
    pub fn types(&self) -> &[TypeInfo<'static>] {
        &self.types
    }

    /// The types of columns that are gone from the catalogue and whose kind the stream does not say,
    /// in whole or in part.
    ///
    /// The stream names each type that is not built in. For a domain it gives the base type, which
    /// is then in [`types`](Self::types): its values are read as ever. A name that begins with `_`
    /// is that of an array, whose elements are strings in the text format; in the binary format
    /// their type is known if the stream named it. Of all other types only the text or the bytes of
    /// the values are known, for [`Row::get`](crate::Row::get), `deserialize` and JSON alike, and
    /// JSON names the columns of such types in `type_mismatch`, unless they are NULL.
    pub fn unknown_types(&self) -> &[Oid] {
        &self.unknown_types
    }

    /// The same table with other descriptions of its types.
    pub(crate) fn with_types(
        &self,
        types: Box<[TypeInfo<'static>]>,
        unknown_types: Box<[Oid]>,
        money_digits: u8,
    ) -> Arc<Self> {
        Arc::new(Self { types, unknown_types, money_digits, ..self.clone() })
    }

    /// What the old rows of this table hold at the time of the change, from the Relation message.
    pub fn replica_identity(&self) -> ReplicaIdentity {
        self.relation.replica_identity()
    }

    /// How many digits an amount of `money` has behind its decimal point: 2 in most locales, none in that of Japan.
    ///
    /// PostgreSQL keeps amounts as integers of the smallest unit, and what that is hangs on the setting `lc_monetary` alone. It
    /// is the one of the reader's role in this database, asked for when the first table with such a column is described; amounts
    /// that other sessions wrote under another setting, with other digits, are not told apart, by PostgreSQL neither. `ALTER ROLE
    /// … SET lc_monetary`, or `options=-c lc_monetary=…` in the connection string, chooses another one for the reader. It is 2
    /// for a table without such a column.
    pub fn money_digits(&self) -> u8 {
        self.money_digits
    }

    /// The Relation message behind this.
    pub fn relation(&self) -> &Arc<Relation> {
        &self.relation
    }
}

impl ColumnSchema {
    /// The column's name.
    pub fn name(&self) -> &str {
        &self.wire.name
    }

    /// What the Relation message said: key flag, type id, type modifier.
    pub fn wire(&self) -> &Column {
        &self.wire
    }

    /// The type's name with its modifier, as `format_type` gives it: `character varying(20)`.
    ///
    /// Where the type is gone from the catalogue, the name that the stream said. Bytes that are not
    /// UTF-8 are escaped, as in `caf\xe9`; so are those of [attributes](TableSchema::types).
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// True when the column is part of the replica identity at the time of the change, as the
    /// Relation message says: of the primary key, or of the index chosen by `REPLICA IDENTITY USING
    /// INDEX`. With `FULL` every column is, with `NOTHING` none.
    ///
    /// These columns identify the old row ([`TableSchema::replica_identity`]). JSON calls the flag
    /// `part_of_pkey`.
    pub fn is_key(&self) -> bool {
        self.wire.flags.is_key()
    }

    /// True when the column may be NULL, as the catalogue says when it is asked.
    ///
    /// If the table is gone from the catalogue: false for the columns of a key, whose index requires
    /// `NOT NULL`, and true for all others.
    pub fn is_optional(&self) -> bool {
        self.optional
    }
}
