//! The whole road in one go: a server, a table, a publication, a slot, some changes, and each change as JSON.
//!
//! ```text
//! cargo run --release --example quickstart                       # on a throwaway server
//! cargo run --release --example quickstart -- --dsn "host=…"     # on yours, as with DATABASE_URL or PG* set
//! ```

use std::error::Error;
use std::io::Write as _;

use pgoutput_harness::Server;
use pgoutput_reader::{Config, ReaderBuilder};
use postgres::Client;

/// The changes that are shown: seven events (PostgreSQL 10 does not publish the last), in five transactions.
const CHANGES: [&str; 5] = [
    "INSERT INTO public.readme (id) SELECT pg_catalog.generate_series(1, 3)",
    "UPDATE public.readme SET created_at = pg_catalog.now() WHERE id OPERATOR(pg_catalog.=) 1",
    "UPDATE public.readme SET id = 4 WHERE id OPERATOR(pg_catalog.=) 3",
    "DELETE FROM public.readme WHERE id OPERATOR(pg_catalog.=) 2",
    "TRUNCATE public.readme",
];

const NAME: &str = "pgoutput_quickstart";

fn main() -> Result<(), Box<dyn Error>> {
    let dsn = dsn_argument()?;
    if dsn.is_some() || names_a_server() {
        let config = Config::from_dsn_or_env(dsn.as_deref())?;
        return run(&config);
    }
    let server = Server::any()?;
    say(&format!("using a throwaway PostgreSQL {}", server.version()));
    let database = server.database("quickstart");
    run(&database.dsn().parse()?)
}

fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    let mut client = config.connect_postgres()?;
    let mut made = Made::new(&mut client);
    made.make(
        "table public.readme",
        "CREATE TABLE public.readme (id integer PRIMARY KEY,
                                     created_at timestamp with time zone DEFAULT pg_catalog.now())",
        "DROP TABLE public.readme",
    )?;
    made.make(
        "publication pgoutput_quickstart",
        "CREATE PUBLICATION pgoutput_quickstart FOR TABLE public.readme",
        "DROP PUBLICATION pgoutput_quickstart",
    )?;
    made.make(
        "replication slot pgoutput_quickstart",
        "SELECT pg_catalog.pg_create_logical_replication_slot('pgoutput_quickstart', 'pgoutput')",
        "SELECT pg_catalog.pg_drop_replication_slot('pgoutput_quickstart')",
    )?;
    for statement in CHANGES {
        made.client.batch_execute(statement)?;
    }
    let end: String = made
        .client
        .query_one("SELECT pg_catalog.pg_current_wal_lsn()::pg_catalog.text", &[])?
        .get(0);

    // From where the slot was created to where the log ends now.
    let mut reader = ReaderBuilder::from(config.clone())
        .slot(NAME)
        .publication(NAME)
        .until_lsn(end.parse()?)
        .connect()?;
    let mut out = std::io::stdout().lock();
    for event in &mut reader {
        writeln!(out, "{}", serde_json::to_string_pretty(&event?)?)?;
    }
    reader.stop()?;
    Ok(())
}

/// What was made on the server; dropped again at the end, also after an error, and nothing else is.
struct Made<'c> {
    client: &'c mut Client,
    undo: Vec<(&'static str, &'static str)>,
}

impl<'c> Made<'c> {
    fn new(client: &'c mut Client) -> Self {
        Self { client, undo: Vec::new() }
    }

    fn make(
        &mut self,
        what: &'static str,
        statement: &str,
        undo: &'static str,
    ) -> Result<(), postgres::Error> {
        self.client.batch_execute(statement)?;
        self.undo.push((what, undo));
        say(&format!("created {what}"));
        Ok(())
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        for (what, undo) in self.undo.iter().rev() {
            match self.client.batch_execute(undo) {
                Ok(()) => say(&format!("dropped {what}")),
                Err(error) => say(&format!("could not drop {what}: {error}")),
            }
        }
    }
}

/// Says something to whoever looks at standard error; nobody may.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The value of `--dsn`.
fn dsn_argument() -> Result<Option<String>, String> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(None),
        (Some("--dsn"), Some(dsn), None) => Ok(Some(dsn)),
        _ => Err("usage: quickstart [--dsn CONNINFO|URI]".into()),
    }
}

/// Whether the environment names a server, as it does for every program that uses libpq.
fn names_a_server() -> bool {
    [
        "DATABASE_URL",
        "PGHOST",
        "PGHOSTADDR",
        "PGPORT",
        "PGDATABASE",
        "PGUSER",
        "PGPASSWORD",
        "PGSERVICE",
    ]
    .iter()
    .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
