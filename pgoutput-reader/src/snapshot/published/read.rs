//! Reads the catalogue over the replication connection.

use std::collections::{BTreeSet, HashMap};

use super::columns::{Attribute, Attributes, Generated};
use super::facts::{Entry, Facts, Membership, Publication, Relation, Size};
use super::fields::Fields;
use super::queries::{self, Sizes, Start};
use crate::connection::{Connection, QueryRow};
use crate::error::Error;
use crate::server_version::ServerVersion;

/// Rows of relations in one result, which is kept in memory.
const PAGE: usize = 20_000;

/// Tables whose columns are in one result. A table has at most 1600.
const TABLES: usize = 100;

/// The catalogue of a connection, and publications.
pub(super) struct Reading<'c> {
    connection: &'c mut Connection,
    version: ServerVersion,
    publications: Vec<Publication>,
}

impl<'c> Reading<'c> {
    /// Reads the publications of these names.
    ///
    /// # Errors
    /// One does not exist.
    pub(super) fn start(connection: &'c mut Connection, names: &[String]) -> Result<Self, Error> {
        let version = connection.server_version();
        let mut reading = Self { connection, version, publications: Vec::new() };
        let rows = reading.rows(&queries::publications(names, version))?;
        reading.publications = rows.iter().map(publication).collect::<Result<_, _>>()?;
        let distinct: BTreeSet<&String> = names.iter().collect();
        if reading.publications.len() < distinct.len() {
            reading.connection.check_publications(names)?;
        }
        Ok(reading)
    }

    /// Reads what the publications have, and the relations concerned.
    pub(super) fn facts(&mut self, sizes: Sizes) -> Result<Facts, Error> {
        let publications = std::mem::take(&mut self.publications);
        let oids: Vec<u32> = publications.iter().map(|publication| publication.oid).collect();
        let entries = self.rows(&queries::entries(&oids, self.version))?;
        let entries: HashMap<_, _> = entries.iter().map(entry).collect::<Result<_, _>>()?;
        let schemas = match queries::schemas(&oids, self.version) {
            Some(query) => self.rows(&query)?,
            None => Vec::new(),
        };
        let schemas = schemas.iter().map(schema).collect::<Result<_, _>>()?;
        let mut facts = Facts { publications, entries, schemas, ..Facts::default() };
        let listed: BTreeSet<u32> = facts.entries.keys().map(|(_, table)| *table).collect();
        let listed: Vec<u32> = listed.into_iter().collect();
        let schemas: Vec<u32> = facts.schemas.keys().map(|(_, schema)| *schema).collect();
        let start = if facts.publications.iter().any(|publication| publication.all_tables) {
            Start::All
        } else {
            Start::Listed { relations: &listed, schemas: &schemas }
        };
        let mut after = 0;
        loop {
            let page = self.rows(&queries::relations(&start, after, PAGE, sizes, self.version))?;
            for row in &page {
                let relation = relation(row)?;
                after = relation.oid;
                facts.relations.insert(relation.oid, relation);
            }
            if page.len() < PAGE {
                return Ok(facts);
            }
        }
    }

    /// Reads the columns of these tables.
    pub(super) fn attributes(&mut self, of: &[Membership<'_>]) -> Result<Attributes, Error> {
        let tables: Vec<u32> = of.iter().map(|member| member.relation.oid).collect();
        let mut attributes = Attributes::default();
        for tables in tables.chunks(TABLES) {
            for row in &self.rows(&queries::attributes(tables, self.version))? {
                let (table, attribute) = attribute(row)?;
                attributes.of.entry(table).or_default().push(attribute);
            }
            for row in &self.rows(&queries::identities(tables, self.version))? {
                let (table, columns) = identity(row)?;
                attributes.identities.insert(table, columns);
            }
        }
        let types: BTreeSet<u32> =
            attributes.of.values().flatten().map(|attribute| attribute.type_oid).collect();
        let types: Vec<u32> = types.into_iter().collect();
        for row in &self.rows(&queries::types_without_binary(&types, self.version))? {
            attributes.without_binary.insert(Fields::new(row, "pg_type").parse("oid")?);
        }
        Ok(attributes)
    }

    fn rows(&mut self, query: &str) -> Result<Vec<QueryRow>, Error> {
        let results = self.connection.with_short_timeout(|session| session.simple_query(query))?;
        Ok(results.into_iter().flat_map(|result| result.rows).collect())
    }
}

fn publication(row: &QueryRow) -> Result<Publication, Error> {
    let mut fields = Fields::new(row, "pg_publication");
    Ok(Publication {
        oid: fields.parse("oid")?,
        all_tables: fields.is_true(),
        inserts: fields.is_true(),
        updates: fields.is_true(),
        deletes: fields.is_true(),
        truncates: fields.is_true(),
        via_root: fields.is_true(),
        generated: fields.character("pubgencols")? == b's',
    })
}

fn entry(row: &QueryRow) -> Result<((u32, u32), Entry), Error> {
    let mut fields = Fields::new(row, "pg_publication_rel");
    let key = (fields.parse("prpubid")?, fields.parse("prrelid")?);
    let oid = fields.parse("oid")?;
    let columns = fields.numbers("prattrs")?;
    Ok((key, Entry { oid, columns, filter: fields.bytes_optional("prqual")? }))
}

fn schema(row: &QueryRow) -> Result<((u32, u32), u32), Error> {
    let mut fields = Fields::new(row, "pg_publication_namespace");
    Ok(((fields.parse("pnpubid")?, fields.parse("pnnspid")?), fields.parse("oid")?))
}

fn relation(row: &QueryRow) -> Result<Relation, Error> {
    let mut fields = Fields::new(row, "pg_class");
    Ok(Relation {
        oid: fields.parse("oid")?,
        is_partitioned: fields.character("relkind")? == b'p',
        is_permanent: fields.character("relpersistence")? == b'p',
        schema_oid: fields.parse("relnamespace")?,
        schema: fields.bytes("nspname")?,
        name: fields.bytes("relname")?,
        replica_identity: fields.character("relreplident")?,
        parent: fields.parse_optional("inhparent")?,
        size: Size {
            pages: fields.parse_optional("pg_relation_size")?.unwrap_or_default(),
            analyzed_rows: fields.parse("reltuples")?,
            analyzed_pages: fields.parse("relpages")?,
            is_heap: fields.is_true(),
        },
        is_readable: fields.is_true(),
        was_changed: fields.is_true(),
    })
}

fn attribute(row: &QueryRow) -> Result<(u32, Attribute), Error> {
    let mut fields = Fields::new(row, "pg_attribute");
    let table = fields.parse("attrelid")?;
    let attribute = Attribute {
        number: fields.parse("attnum")?,
        name: fields.bytes("attname")?,
        type_oid: fields.parse("atttypid")?,
        type_modifier: fields.parse("atttypmod")?,
        generated: match fields.character("attgenerated")? {
            b's' => Generated::Stored,
            b'v' => Generated::Virtual,
            _ => Generated::No,
        },
    };
    Ok((table, attribute))
}

fn identity(row: &QueryRow) -> Result<(u32, Vec<i16>), Error> {
    let mut fields = Fields::new(row, "pg_index");
    let table = fields.parse("indrelid")?;
    let mut columns = fields.numbers("indkey")?.unwrap_or_default();
    columns.truncate(fields.parse("indnkeyatts")?);
    Ok((table, columns))
}
