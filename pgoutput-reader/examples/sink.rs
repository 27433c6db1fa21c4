//! Stores changes in SQLite through a `Sink`: each one exactly once, however the program ends. The
//! pipe decides what a batch is, and the sink stores it with its position in one transaction.
//!
//! ```text
//! cargo run --example sink -- "postgresql://app@localhost/app" my_slot my_publication changes.db
//! ```
//!
//! It needs `cargo add pgoutput-reader` and `cargo add rusqlite --features bundled`. It creates the
//! slot if it is missing. Drop it when you no longer need it:
//! `SELECT pg_catalog.pg_drop_replication_slot('my_slot')`.

use pgoutput_reader::{BatchLimits, ChangeEvent, Position, Reader, Sink, SlotCreation};
use rusqlite::{Connection, OptionalExtension as _};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A table of changes, and the position of the last one.
struct Changes {
    db: Connection,
    /// Whether the transaction of a batch is open.
    is_open: bool,
    /// The size of the batch.
    bytes: usize,
}

impl Changes {
    fn open(file: &str) -> rusqlite::Result<Self> {
        let db = Connection::open(file)?;
        db.execute_batch(
            "CREATE TABLE IF NOT EXISTS change (number INTEGER PRIMARY KEY, event TEXT NOT NULL);
             CREATE TABLE IF NOT EXISTS position
                 (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT)",
        )?;
        Ok(Self { db, is_open: false, bytes: 0 })
    }

    /// Opens the transaction of a batch.
    fn begin(&mut self) -> rusqlite::Result<()> {
        if !self.is_open {
            self.db.execute_batch("BEGIN IMMEDIATE")?;
            self.is_open = true;
        }
        Ok(())
    }
}

impl Sink for Changes {
    type Error = rusqlite::Error;

    fn position(&mut self) -> rusqlite::Result<Option<Position>> {
        let text = "SELECT text FROM position";
        let text = self.db.query_row(text, [], |row| row.get::<_, String>(0)).optional()?;
        let position = text.map(|text| text.parse::<Position>()).transpose();
        position.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }

    fn write(&mut self, event: &ChangeEvent) -> rusqlite::Result<()> {
        self.begin()?;
        let mut json = String::new();
        let written = event.write_json(&mut json);
        written.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        self.db.execute("INSERT INTO change (event) VALUES (?1)", [&json])?;
        self.bytes += json.len();
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        self.bytes
    }

    fn commit(&mut self, position: &Position) -> rusqlite::Result<()> {
        self.begin()?;
        let replace = "INSERT OR REPLACE INTO position VALUES (1, ?1)";
        self.db.execute(replace, [position.to_string()])?;
        self.db.execute_batch("COMMIT")?;
        (self.is_open, self.bytes) = (false, 0);
        Ok(())
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication, file] = arguments.as_slice() else {
        return Err("usage: sink CONNINFO|URI SLOT PUBLICATION FILE".into());
    };
    let mut pipe = Reader::builder(dsn)
        .slot(slot)
        .publication(publication)
        .slot_creation(SlotCreation::IfMissing)
        .pipe(Changes::open(file)?)?
        .limits(BatchLimits::new().max_events(1000));
    pipe.run()?;
    pipe.stop()?;
    Ok(())
}
