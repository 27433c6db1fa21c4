//! `pgoutput publication list`.

use postgres::Row;
use serde::Serialize;

use crate::Failure;
use crate::args::PublicationList;
use crate::report::Report;
use crate::result::{print_json, print_text};
use crate::session::Session;
use crate::sql::names::{hex, shown};
use crate::table::{Align, Table};

/// A publication. What the server's version does not have is `None`.
#[derive(Debug, Serialize)]
struct PublicationFacts {
    name: String,
    owner: String,
    all_tables: bool,
    /// Schemas of which all tables are published.
    schemas: Option<Vec<String>>,
    /// The number of tables that are published now.
    tables: i64,
    publish: Vec<&'static str>,
    via_root: Option<bool>,
}

const PUBLICATIONS: &str = concat!(
    "SELECT ",
    hex!("publication.pubname"),
    ", ",
    hex!("pg_catalog.pg_get_userbyid(publication.pubowner)"),
    ", publication.puballtables,
       (SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_get_publication_tables(publication.pubname::pg_catalog.text)),
       publication.pubinsert, publication.pubupdate, publication.pubdelete,
       (later.columns OPERATOR(pg_catalog.->>) 'pubtruncate'::pg_catalog.text)::pg_catalog.bool,
       (later.columns OPERATOR(pg_catalog.->>) 'pubviaroot'::pg_catalog.text)::pg_catalog.bool
FROM pg_catalog.pg_publication AS publication,
     LATERAL (SELECT pg_catalog.to_jsonb(publication) AS columns) AS later
ORDER BY publication.pubname USING OPERATOR(pg_catalog.<)"
);

const SCHEMAS: &str = concat!(
    "SELECT ",
    hex!("publication.pubname"),
    ", ",
    hex!("namespace.nspname"),
    "
FROM pg_catalog.pg_publication_namespace AS entry
JOIN pg_catalog.pg_publication AS publication
     ON publication.oid OPERATOR(pg_catalog.=) entry.pnpubid
JOIN pg_catalog.pg_namespace AS namespace
     ON namespace.oid OPERATOR(pg_catalog.=) entry.pnnspid
ORDER BY namespace.nspname USING OPERATOR(pg_catalog.<)"
);

pub(super) fn run(arguments: &PublicationList) -> Result<(), Failure> {
    let mut session = Session::open(&arguments.server, arguments.verbosity)?;
    let publications = all(&mut session)?;
    if arguments.result.json {
        return print_json("publications", &publications);
    }
    if publications.is_empty() {
        Report::of(arguments.verbosity)
            .print(&format_args!("database \"{}\" has no publications", session.database));
        return Ok(());
    }
    print_text(&table(&publications))
}

fn all(session: &mut Session) -> Result<Vec<PublicationFacts>, Failure> {
    let mut publications: Vec<PublicationFacts> =
        session.query(PUBLICATIONS, &[])?.iter().map(read).collect();
    if session.version.major() < 15 {
        return Ok(publications);
    }
    for publication in &mut publications {
        publication.schemas = Some(Vec::new());
    }
    for row in session.query(SCHEMAS, &[])? {
        let (name, schema) = (shown(row.get(0)), shown(row.get(1)));
        let publication = publications.iter_mut().find(|publication| publication.name == name);
        if let Some(schemas) = publication.and_then(|publication| publication.schemas.as_mut()) {
            schemas.push(schema);
        }
    }
    Ok(publications)
}

fn read(row: &Row) -> PublicationFacts {
    let operations = [("insert", 4), ("update", 5), ("delete", 6), ("truncate", 7)];
    PublicationFacts {
        name: shown(row.get(0)),
        owner: shown(row.get(1)),
        all_tables: row.get(2),
        schemas: None,
        tables: row.get(3),
        publish: operations
            .into_iter()
            .filter(|(_, column)| row.get::<_, Option<bool>>(*column) == Some(true))
            .map(|(word, _)| word)
            .collect(),
        via_root: row.get(8),
    }
}

fn table(publications: &[PublicationFacts]) -> Table<6> {
    let mut table = Table::new([
        ("NAME", Align::Left),
        ("OWNER", Align::Left),
        ("TABLES", Align::Right),
        ("OF", Align::Left),
        ("PUBLISHES", Align::Left),
        ("VIA ROOT", Align::Left),
    ]);
    for publication in publications {
        let schemas = publication.schemas.as_deref().unwrap_or_default();
        let of = match (publication.all_tables, schemas) {
            (true, _) => "all tables".to_owned(),
            (false, []) => "named tables".to_owned(),
            (false, schemas) => format!("schema {}", schemas.join(", ")),
        };
        let via_root = |is_set| if is_set { "yes" } else { "no" };
        table.push([
            publication.name.clone(),
            publication.owner.clone(),
            publication.tables.to_string(),
            of,
            publication.publish.join(","),
            publication.via_root.map_or("", via_root).to_owned(),
        ]);
    }
    table
}
