//! The topic and the key of a record.

use std::collections::HashMap;
use std::sync::Arc;

use pgoutput_reader::{ChangeEvent, Op, TableSchema};

use super::batch::RecordWriter;
use crate::args::Pipe;

/// The name of a topic with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Database,
    Schema,
    Table,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let (name, after) = after.split_once('}').ok_or("a { without its }")?;
            parts.push(match name {
                "name" => Part::Name,
                "database" => Part::Database,
                "schema" => Part::Schema,
                "table" => Part::Table,
                _ => return Err("expected {name}, {database}, {schema} or {table}".into()),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        if parts.is_empty() { Err("the topic is empty".into()) } else { Ok(Self(parts)) }
    }

    fn fill(&self, name: &str, database: &str, schema: &str, table: &str) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Name => name,
                Part::Database => database,
                Part::Schema => schema,
                Part::Table => table,
            })
            .collect()
    }
}

/// The columns of a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyColumns {
    /// Those of the replica identity.
    Identity,
    None,
    /// These, in tables that have them all.
    Named(Vec<String>),
}

impl KeyColumns {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "identity" => Ok(Self::Identity),
            "none" => Ok(Self::None),
            _ if text.split(',').any(str::is_empty) => Err("the name of a column is empty".into()),
            _ => Ok(Self::Named(text.split(',').map(str::to_owned).collect())),
        }
    }

    /// Appends the key of an event, if it has one.
    pub(crate) fn write(
        &self,
        _event: &ChangeEvent,
        _record: &mut RecordWriter<'_>,
    ) -> Result<(), String> {
        Ok(())
    }
}

/// Finds the topics of events.
pub(crate) struct Route {
    template: Template,
    key: KeyColumns,
    name: String,
    /// The topics of tables that had an event, by their description.
    topics: HashMap<*const TableSchema, (Arc<TableSchema>, Arc<str>)>,
}

impl Route {
    pub(crate) fn new(pipe: &Pipe, name: String) -> Self {
        Self { template: pipe.topic.clone(), key: pipe.key.clone(), name, topics: HashMap::new() }
    }

    pub(crate) fn key(&self) -> &KeyColumns {
        &self.key
    }

    /// Returns the topic of an event.
    pub(crate) fn topic(&mut self, event: &ChangeEvent) -> Arc<str> {
        let Some(table) = event.table() else {
            let table = match event.op() {
                Op::Message => "message",
                Op::SnapshotEnd => "snapshot",
                _ => "transaction",
            };
            return self.template.fill(&self.name, &self.name, "pgoutput", table).into();
        };
        let (_, topic) = self.topics.entry(Arc::as_ptr(table)).or_insert_with(|| {
            let topic =
                self.template.fill(&self.name, table.database(), table.schema_name(), table.name());
            (Arc::clone(table), topic.into())
        });
        Arc::clone(topic)
    }
}
