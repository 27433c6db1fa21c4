//! The topic and the key of a record.

mod key;
mod names;
mod template;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use pgoutput_reader::{ChangeEvent, Op, TableSchema};

use super::target::Target;
use crate::Failure;
use crate::args::Pipe;
pub(crate) use key::{Key, KeyColumns, row as key_row, value as key_value};
pub(crate) use names::TopicRules;
pub(crate) use template::Template;
use template::Variables;

/// The number of tables whose topics are kept. The tables of a database may change all the time.
const KEPT: usize = 4096;

/// `{schema}` of records without a table.
const NO_TABLE: &str = "pgoutput";

/// The names of the source in topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceNames {
    /// That of `--name`, or else the database.
    pub(crate) name: String,
    pub(crate) database: String,
}

impl SourceNames {
    /// Returns the names that the command line gives.
    ///
    /// # Errors
    /// The connection settings are invalid.
    pub(crate) fn of(pipe: &Pipe) -> Result<Self, Failure> {
        let config = pipe.source.server.config()?;
        let database =
            config.dbname_or_default().map_err(|error| Failure::Usage(error.to_string()))?;
        let database = database.into_owned();
        Ok(Self { name: pipe.name.clone().unwrap_or_else(|| database.clone()), database })
    }
}

/// Returns the topic for the position of a destination, which no table has: `--topic` with
/// `{schema}` `pgoutput` and `{table}` `position`.
///
/// # Errors
/// The connection settings are invalid.
#[cfg_attr(not(feature = "nats"), expect(dead_code, reason = "only NATS needs it"))]
pub(crate) fn position_topic(pipe: &Pipe) -> Result<String, Failure> {
    let source = SourceNames::of(pipe)?;
    Ok(without_table(&pipe.topic, TopicRules::of(&pipe.to), &source, "position"))
}

fn without_table(
    template: &Template,
    rules: TopicRules,
    source: &SourceNames,
    table: &str,
) -> String {
    let SourceNames { name, database } = source;
    template.fill(rules, &Variables { name, database, schema: NO_TABLE, table })
}

/// Finds the topics of events.
pub(crate) struct Route {
    template: Template,
    rules: TopicRules,
    key: KeyColumns,
    source: SourceNames,
    /// The topics of messages, of ends of a copy and of ends of transactions.
    others: [Arc<str>; 3],
    /// Tables that had an event, by their oid, with the description that this is of.
    tables: HashMap<u32, (Arc<TableSchema>, TableRoute)>,
    /// The table that each topic belongs to.
    owners: HashMap<Arc<str>, Owner>,
}

/// A table: its OID, and the names that its topic was made of. Both are empty for records without a
/// table.
#[derive(Debug, Default)]
struct Owner {
    oid: u32,
    names: String,
}

/// The topic and the key of the events of a table.
#[derive(Debug)]
pub(crate) struct TableRoute {
    pub(crate) topic: Arc<str>,
    pub(crate) key: Key,
    /// The names of all columns as keys of JSON, each with its colon.
    pub(crate) names: Box<[String]>,
}

impl Route {
    pub(crate) fn new(pipe: &Pipe, source: SourceNames) -> Self {
        Self::of(pipe.topic.clone(), TopicRules::of(&pipe.to), pipe.key.clone(), source)
    }

    pub(crate) fn of(
        template: Template,
        rules: TopicRules,
        key: KeyColumns,
        source: SourceNames,
    ) -> Self {
        let topic = |table| Arc::from(without_table(&template, rules, &source, table));
        let others = ["message", "snapshot", "transaction"].map(topic);
        let mut owners = HashMap::new();
        if template.distinguishes_tables() {
            let position = topic("position");
            let topics = others.iter().cloned().chain([position]);
            owners.extend(topics.map(|topic| (topic, Owner::default())));
        }
        Self { template, rules, key, source, others, tables: HashMap::new(), owners }
    }

    /// Returns the topic of an event without a table.
    pub(crate) fn without_table(&self, event: &ChangeEvent) -> Arc<str> {
        let [message, snapshot, transaction] = &self.others;
        Arc::clone(match event.op() {
            Op::Message => message,
            Op::SnapshotEnd => snapshot,
            _ => transaction,
        })
    }

    /// Returns the topic and the key of a table's events.
    ///
    /// # Errors
    /// Another table has the same topic, although `--topic` names the table.
    pub(crate) fn of_table(&mut self, table: &Arc<TableSchema>) -> Result<&TableRoute, String> {
        let oid = table.relation().oid().as_u32();
        let is_known = self.tables.get(&oid).is_some_and(|(known, _)| Arc::ptr_eq(known, table));
        if !is_known {
            let route = self.prepare(table)?;
            if self.tables.len() >= KEPT {
                self.tables.clear();
            }
            self.tables.insert(oid, (Arc::clone(table), route));
        }
        let (_, route) = self.tables.get(&oid).ok_or("the table was forgotten")?;
        Ok(route)
    }

    fn prepare(&mut self, table: &TableSchema) -> Result<TableRoute, String> {
        let oid = table.relation().oid().as_u32();
        let topic = self.claim(oid, table.database(), table.schema_name(), table.name())?;
        let names = key::json_names(table);
        Ok(TableRoute { topic, key: self.key.of_table(table, &names), names })
    }

    /// Gives a published table its topic before it has an event, so that two tables with the same
    /// one are noticed before anything is stored.
    ///
    /// # Errors
    /// Another table has the same topic, although `--topic` names the table.
    pub(crate) fn reserve(&mut self, oid: u32, schema: &str, table: &str) -> Result<(), String> {
        let database = self.source.database.clone();
        self.claim(oid, &database, schema, table).map(drop)
    }

    /// Returns whether tables may meet in a topic by mistake.
    pub(crate) fn distinguishes_tables(&self) -> bool {
        self.template.distinguishes_tables()
    }

    /// Gives a table its topic.
    fn claim(
        &mut self,
        oid: u32,
        database: &str,
        schema: &str,
        table: &str,
    ) -> Result<Arc<str>, String> {
        let variables = Variables { name: &self.source.name, database, schema, table };
        let topic: Arc<str> = self.template.fill(self.rules, &variables).into();
        if !self.template.distinguishes_tables() {
            return Ok(topic);
        }
        let names = self.template.identity(&variables);
        let owner = match self.owners.entry(Arc::clone(&topic)) {
            Entry::Vacant(free) => {
                free.insert(Owner { oid, names });
                return Ok(topic);
            }
            Entry::Occupied(owner) => owner.into_mut(),
        };
        // A table keeps its topic if it is renamed, and one that takes the name of another takes
        // its topic too.
        if owner.names == names || owner.oid == oid {
            *owner = Owner { oid, names };
            return Ok(topic);
        }
        let other = if owner.oid == 0 { "records without a table" } else { &owner.names };
        Err(format!(
            "{names} and {other} have the same topic {topic:?}: rename one, leave one out with \
             --exclude, or choose another --topic"
        ))
    }
}

#[cfg(test)]
mod tests;
