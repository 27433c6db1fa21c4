//! Needs for facts that only the catalogue has, and the answers to them.

use std::collections::BTreeSet;
use std::sync::Arc;

use pgoutput_decode::{Lsn, Oid, Relation};

use super::table_description::TableDescription;
use super::type_descriptions::Types;

/// A fact that the schema of a table needs and the stream does not carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// The description of a table and of the types of its columns.
    Table {
        relation: Arc<Relation>,
        /// The commit LSN of the transaction whose rows are read.
        commit_lsn: Lsn,
        /// Whether the tables described before were forgotten to bound memory.
        evicted: bool,
    },
    /// The types of a table's columns once more: a value does not fit their descriptions.
    Types { relation: Arc<Relation> },
    /// The number of fractional digits of `money`.
    MoneyDigits,
    /// The tables among these that no longer exist.
    Dropped { tables: Vec<Oid> },
}

/// The answer to a [`Need`] of the same name.
#[derive(Debug)]
pub(crate) enum Facts {
    Table(TableDescription),
    Types {
        /// A WAL position that the server had reached before it described the types.
        queried_at: Lsn,
        types: Types,
    },
    MoneyDigits(u8),
    Dropped {
        tables: BTreeSet<Oid>,
        /// A WAL position that the server had reached after it looked for the tables.
        answered_at: Lsn,
    },
}
