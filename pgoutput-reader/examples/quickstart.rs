//! The whole road in one go: a server, a table, a publication, a slot, some changes, and each change as JSON.
//!
//! ```text
//! cargo run --release --example quickstart                       # on a throwaway server
//! cargo run --release --example quickstart -- --dsn "host=…"     # on yours, as with DATABASE_URL, PGHOST and the like set
//! ```

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use pgoutput_decode::Printable;
use pgoutput_harness::Server;
use pgoutput_reader::{Config, Connection, Reader, ReaderBuilder};
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

/// How long the server may take to let go of the slot before it is dropped.
const LET_GO: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn Error>> {
    let dsn = dsn_argument()?;
    if dsn.is_some() || names_a_server() {
        let config = Config::from_dsn_or_env(dsn.as_deref())?;
        return run(&config);
    }
    let server = Server::any()?;
    let database = server.database("quickstart");
    say("starting a throwaway server");
    run(&database.dsn().parse()?)
}

fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    say(&format!("using {}", describe(config)?));
    let mut client = config.connect_postgres()?;
    let mut made = Made { client: &mut client, config, undo: Vec::new() };
    made.make(
        "table public.readme",
        "CREATE TABLE public.readme (id integer PRIMARY KEY,
                                     created_at timestamp with time zone DEFAULT pg_catalog.now())",
        Undo::Sql("DROP TABLE public.readme"),
    )?;
    made.make(
        "publication pgoutput_quickstart",
        "CREATE PUBLICATION pgoutput_quickstart FOR TABLE public.readme",
        Undo::Sql("DROP PUBLICATION pgoutput_quickstart"),
    )?;
    made.make(
        "replication slot pgoutput_quickstart",
        "SELECT pg_catalog.pg_create_logical_replication_slot('pgoutput_quickstart', 'pgoutput')",
        Undo::Slot,
    )?;
    for statement in CHANGES {
        made.sql("changing public.readme", statement)?;
    }
    let position = "SELECT pg_catalog.pg_current_wal_lsn()::pg_catalog.text";
    let end = made.client.query_one(position, &[]);
    let end: String = end.map_err(|error| readable("reading the position", &error))?.get(0);

    // From where the slot was created to where the log ends now.
    let mut reader = ReaderBuilder::from(config.clone())
        .slot(NAME)
        .publication(NAME)
        .until_lsn(end.parse()?)
        .connect()?;
    let printed = print(&mut reader);
    // Also when the output was closed: the slot is free after this, and can be dropped.
    reader.stop()?;
    printed
}

/// Prints each change; a reader of our output that goes away ends it.
fn print(reader: &mut Reader) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for event in reader {
        match writeln!(out, "{}", serde_json::to_string_pretty(&event?)?) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            result => result?,
        }
    }
    Ok(())
}

/// The server that is reached: its version, address and database.
fn describe(config: &Config) -> Result<String, pgoutput_reader::Error> {
    let mut connection = Connection::connect(config)?;
    let (version, address) = (connection.server_version(), connection.address().to_owned());
    let database = connection.identify_system()?.dbname.unwrap_or_default();
    connection.close()?;
    Ok(format!("PostgreSQL {version} at {address}, database \"{database}\""))
}

/// What was made on the server; dropped again at the end, also after an error, and nothing else is.
struct Made<'c> {
    client: &'c mut Client,
    config: &'c Config,
    undo: Vec<(&'static str, Undo)>,
}

/// How something is dropped.
#[derive(Clone, Copy)]
enum Undo {
    Sql(&'static str),
    Slot,
}

impl Made<'_> {
    fn sql(&mut self, doing: &str, statement: &str) -> Result<(), String> {
        self.client.batch_execute(statement).map_err(|error| readable(doing, &error))
    }

    fn make(&mut self, what: &'static str, statement: &str, undo: Undo) -> Result<(), String> {
        self.sql(&format!("creating {what}"), statement)?;
        self.undo.push((what, undo));
        say(&format!("created {what}"));
        Ok(())
    }

    fn drop_slot(&self) -> Result<(), pgoutput_reader::Error> {
        let mut connection = Connection::connect(self.config)?;
        connection.set_command_timeout(Some(LET_GO));
        // A connection that was cut short may hold it for a moment.
        connection.drop_slot(NAME, true)?;
        connection.close()
    }
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        for (what, undo) in std::mem::take(&mut self.undo).into_iter().rev() {
            let undone = match undo {
                Undo::Sql(statement) => self.sql(&format!("dropping {what}"), statement),
                Undo::Slot => self.drop_slot().map_err(|error| format!("dropping {what}: {error}")),
            };
            say(&undone.map_or_else(|error| error, |()| format!("dropped {what}")));
        }
    }
}

/// What the server said, on one line; the crate `postgres` says no more than that something failed.
fn readable(doing: &str, error: &postgres::Error) -> String {
    let Some(said) = error.as_db_error() else { return format!("{doing}: {error}") };
    let code = said.code().code();
    let mut line = format!("{doing}: {}: {} (SQLSTATE {code})", said.severity(), said.message());
    for (name, text) in [("detail", said.detail()), ("hint", said.hint())] {
        if let Some(text) = text {
            line.extend(["; ", name, ": ", text]);
        }
    }
    line
}

/// Says something to whoever looks at standard error; nobody may.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", Printable(line));
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

/// Whether the environment names a server. Who connects (PGUSER, PGPASSWORD) and to which database (PGDATABASE) names none.
fn names_a_server() -> bool {
    ["DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
