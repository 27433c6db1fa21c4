//! Every step from a server to JSON: creates a table, a publication and a slot, changes the table,
//! and prints each change.
//!
//! ```text
//! cargo run --release --example quickstart                       # on a throwaway server
//! cargo run --release --example quickstart -- --dsn "host=…"     # on your server
//! ```
//!
//! It also uses a server that `DATABASE_URL`, `PGHOST` or another variable names. However it ends,
//! also by a signal, it drops everything that it created there.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use pgoutput_harness::Server;
use pgoutput_reader::decode::Printable;
use pgoutput_reader::{Config, Connection, Reader, ReaderBuilder, StopHandle};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

#[path = "../src/bin/pgoutput/stdout.rs"]
mod stdout;

/// The statements whose changes are printed: seven events in five transactions. PostgreSQL 10 does
/// not publish the last one.
const CHANGES: [&str; 5] = [
    "INSERT INTO public.readme (id) SELECT pg_catalog.generate_series(1, 3)",
    "UPDATE public.readme SET created_at = pg_catalog.now() WHERE id OPERATOR(pg_catalog.=) 1",
    "UPDATE public.readme SET id = 4 WHERE id OPERATOR(pg_catalog.=) 3",
    "DELETE FROM public.readme WHERE id OPERATOR(pg_catalog.=) 2",
    "TRUNCATE public.readme",
];

const NAME: &str = "pgoutput_quickstart";

/// The time that the server has to release the slot before it is dropped.
const RELEASE_LIMIT: Duration = Duration::from_secs(30);

/// Bounds every wait for other sessions, such as that of a new slot for older transactions, because
/// a signal takes effect only between two statements. A commit is flushed before it returns, so
/// that the end of the WAL is after it.
const BOUND_WAITS: &str = "SET lock_timeout = '10s'; SET synchronous_commit = local";

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Box<dyn Error>> {
    let dsn = dsn_argument()?;
    // A closed output is an error before anything is created.
    let mut out = io::LineWriter::new(stdout::open()?);
    if dsn.is_some() || names_a_server() {
        let config = Config::from_dsn_or_env(dsn.as_deref())?;
        return run(&config, &mut out);
    }
    let server = Server::any()?;
    let database = server.database("quickstart");
    report("starting a throwaway server");
    run(&database.dsn().parse()?, &mut out)
}

fn run(config: &Config, out: &mut impl io::Write) -> Result<(), Box<dyn Error>> {
    let mut connection = Connection::connect(config)?;
    report(&format!("using {}", describe(&mut connection)?));
    let mut builder = ReaderBuilder::from(config.clone()).slot(NAME).publication(NAME);
    let stop = builder.stop_handle()?;
    // From here on, a signal no longer ends the program by itself.
    stop_on_signals(stop.clone())?;
    let mut created = Created { connection, config, stop: stop.clone(), undo: Vec::new() };
    created.sql("bounding waits", BOUND_WAITS)?;
    created.create(
        "table public.readme",
        "CREATE TABLE public.readme (id integer PRIMARY KEY,
                                     created_at timestamp with time zone DEFAULT pg_catalog.now())",
        Undo::Sql("DROP TABLE public.readme"),
    )?;
    created.create(
        "publication pgoutput_quickstart",
        "CREATE PUBLICATION pgoutput_quickstart FOR TABLE public.readme",
        Undo::Sql("DROP PUBLICATION pgoutput_quickstart"),
    )?;
    created.create(
        "replication slot pgoutput_quickstart",
        "SELECT pg_catalog.pg_create_logical_replication_slot('pgoutput_quickstart', 'pgoutput')",
        Undo::Slot,
    )?;
    for statement in CHANGES {
        created.check_stop()?;
        created.sql("changing public.readme", statement)?;
    }
    // Reads from the creation of the slot to the current end of the WAL.
    let end = created.connection.identify_system()?.xlogpos;
    let mut reader = builder.until_lsn(end).connect()?;
    let printed = print(&mut reader, out);
    // Also after an error, because only a released slot can be dropped.
    reader.stop()?;
    printed?;
    Ok(created.check_stop()?)
}

/// Stops the reader, or the steps before it, at the first signal that requests the end.
fn stop_on_signals(stop: StopHandle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            stop.stop();
            report("stopping: dropping what was created first");
        }
    });
    Ok(())
}

/// Prints each change until all are printed or the output is closed.
fn print(reader: &mut Reader, out: &mut impl io::Write) -> Result<(), Box<dyn Error>> {
    for event in reader {
        match writeln!(out, "{}", serde_json::to_string_pretty(&event?)?) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            result => result?,
        }
    }
    Ok(())
}

/// The server that is reached: its version, address and database.
fn describe(connection: &mut Connection) -> Result<String, pgoutput_reader::Error> {
    let database = connection.identify_system()?.dbname.unwrap_or_default();
    let (version, address) = (connection.server_version(), connection.address());
    Ok(format!("PostgreSQL {version} at {address}, database \"{database}\""))
}

/// The objects created on the server. They are dropped at the end, also after an error or a signal.
struct Created<'c> {
    connection: Connection,
    config: &'c Config,
    stop: StopHandle,
    undo: Vec<(&'static str, Undo)>,
}

/// The way to drop an object.
#[derive(Clone, Copy)]
enum Undo {
    Sql(&'static str),
    Slot,
}

impl Created<'_> {
    fn sql(&mut self, doing: &str, statement: &str) -> Result<(), String> {
        let done = self.connection.simple_query(statement);
        done.map(drop).map_err(|error| format!("{doing}: {error}"))
    }

    fn check_stop(&self) -> Result<(), String> {
        if self.stop.is_stopped() { Err("stopped by a signal".into()) } else { Ok(()) }
    }

    fn create(&mut self, what: &'static str, statement: &str, undo: Undo) -> Result<(), String> {
        self.check_stop()?;
        self.sql(&format!("creating {what}"), statement)?;
        self.undo.push((what, undo));
        report(&format!("created {what}"));
        Ok(())
    }

    fn drop_slot(&self) -> Result<(), pgoutput_reader::Error> {
        let mut connection = Connection::connect(self.config)?;
        connection.set_command_timeout(Some(RELEASE_LIMIT));
        // A connection that was cut short may hold it for a moment.
        connection.drop_slot(NAME, true)?;
        connection.close()
    }
}

impl Drop for Created<'_> {
    fn drop(&mut self) {
        for (what, undo) in std::mem::take(&mut self.undo).into_iter().rev() {
            let undone = match undo {
                Undo::Sql(statement) => self.sql(&format!("dropping {what}"), statement),
                Undo::Slot => self.drop_slot().map_err(|error| format!("dropping {what}: {error}")),
            };
            report(&undone.map_or_else(|error| error, |()| format!("dropped {what}")));
        }
    }
}

/// Writes a line to standard error, which may be closed.
fn report(line: &str) {
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

/// Returns whether the environment names a server. PGUSER, PGPASSWORD and PGDATABASE do not.
fn names_a_server() -> bool {
    ["DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
