//! The names that Relation and Type messages have given so far, and the place of a message in its
//! transaction.

use std::collections::BTreeMap;

use pgoutput_decode::value::format_type;
use pgoutput_decode::{ColumnFlags, Message, Oid, OldTuple, Relations, TupleColumn, TupleData};

use super::value::write_name;

/// Names by id.
#[derive(Debug, Default)]
pub(super) struct Names {
    relations: Relations,
    types: BTreeMap<Oid, String>,
    is_in_transaction: bool,
}

/// A column of a row, with what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedColumn<'a> {
    pub(super) index: usize,
    /// The name and type; `None` if no Relation message described the column.
    pub(super) described: Option<(&'a str, Oid)>,
    pub(super) value: TupleColumn<'a>,
}

impl Names {
    /// Learns what a message says about other messages.
    pub(super) fn learn(&mut self, message: &Message<'_>) {
        match message {
            Message::Relation(body) => {
                self.relations.update(body);
            }
            Message::Type(body) => {
                self.types.insert(body.oid, qualified(body.namespace(), body.name));
            }
            Message::Begin(_) | Message::BeginPrepare(_) => self.is_in_transaction = true,
            Message::Commit(_) | Message::Prepare(_) => self.is_in_transaction = false,
            _ => {}
        }
    }

    /// Notes that a new stream starts.
    pub(super) fn restart(&mut self) {
        self.is_in_transaction = false;
    }

    /// Returns how far a message is indented: inside a transaction or a chunk by one step.
    pub(super) fn depth(&self, message: &Message<'_>, is_in_chunk: bool) -> usize {
        let is_inside = match message {
            Message::Relation(_)
            | Message::Type(_)
            | Message::Origin(_)
            | Message::Insert(_)
            | Message::Update(_)
            | Message::Delete(_)
            | Message::Truncate(_) => true,
            Message::Message(body) => body.flags.is_transactional(),
            _ => false,
        };
        usize::from(is_inside && (self.is_in_transaction || is_in_chunk))
    }

    /// Returns the schema and name of a table.
    pub(super) fn table(&self, oid: Oid) -> Option<(&str, &str)> {
        self.relations.get(oid).map(|relation| (relation.namespace(), relation.name()))
    }

    /// Returns the name of a type.
    pub(super) fn type_name(&self, oid: Oid, modifier: i32) -> Option<String> {
        let built_in = || format_type(oid, modifier).map(|name| name.to_string());
        self.types.get(&oid).cloned().or_else(built_in)
    }

    /// Returns the columns of a row.
    pub(super) fn row<'a>(&'a self, relation: Oid, row: TupleData<'a>) -> Vec<NamedColumn<'a>> {
        let described = self.relations.get(relation).map(|relation| relation.columns());
        let column = |index: usize| {
            let column = described?.get(index)?;
            Some((&*column.name, column.type_oid))
        };
        let columns = row.columns().enumerate();
        columns
            .map(|(index, value)| NamedColumn { index, described: column(index), value })
            .collect()
    }

    /// Returns what an old row is, and its columns: of a key, only its own if they are known.
    pub(super) fn old_row<'a>(
        &'a self,
        relation: Oid,
        old: OldTuple<'a>,
    ) -> (&'static str, Vec<NamedColumn<'a>>) {
        let key = match old {
            OldTuple::Full(row) => return ("old", self.row(relation, row)),
            OldTuple::Key(key) => key.full_width(),
        };
        let mut columns = self.row(relation, key);
        if let Some(relation) = self.relations.get(relation)
            && relation.columns().len() == columns.len()
        {
            let mut flags = relation.columns().iter().map(|column| column.flags);
            columns.retain(|_| flags.next().is_some_and(ColumnFlags::is_key));
        }
        ("key", columns)
    }
}

/// Returns a name with its schema, quoted as in SQL.
pub(super) fn qualified(schema: &str, name: &str) -> String {
    let mut text = String::new();
    write_name(&mut text, schema);
    text.push('.');
    write_name(&mut text, name);
    text
}

/// Returns the `REPLICA IDENTITY` of a table as in SQL.
pub(super) fn replica_identity(identity: pgoutput_decode::ReplicaIdentity) -> String {
    format!("{identity:?}").to_lowercase()
}
