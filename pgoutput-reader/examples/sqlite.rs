//! Copies changes into SQLite, each exactly once, however the program ends. The transaction that
//! stores a change also stores its position.
//!
//! ```text
//! cargo run --example sqlite -- "postgresql://app@localhost/app" my_slot my_publication changes.db
//! ```
//!
//! It needs `cargo add pgoutput-reader serde_json` and `cargo add rusqlite --features bundled`. The
//! slot must exist. To create it:
//!
//! ```sql
//! SELECT pg_catalog.pg_create_logical_replication_slot('my_slot', 'pgoutput')
//! ```

use pgoutput_reader::{Position, Reader};
use rusqlite::{Connection, OptionalExtension as _};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication, file] = arguments.as_slice() else {
        return Err("usage: sqlite CONNINFO|URI SLOT PUBLICATION FILE".into());
    };
    copy(dsn, slot, publication, &mut Connection::open(file)?)
}

fn copy(dsn: &str, slot: &str, publication: &str, db: &mut Connection) -> Result<()> {
    db.execute_batch(
        "CREATE TABLE IF NOT EXISTS change (line TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT)",
    )?;
    let stored = db.query_row("SELECT text FROM position", [], |row| row.get::<_, String>(0));
    let mut builder = Reader::builder(dsn).slot(slot).publication(publication);
    if let Some(text) = stored.optional()? {
        builder = builder.resume(text.parse::<Position>()?);
    }
    for event in builder.connect()? {
        let event = event?;
        let transaction = db.transaction()?;
        transaction.execute("INSERT INTO change VALUES (?1)", [serde_json::to_string(&event)?])?;
        let position = event.position().to_string();
        transaction.execute("INSERT OR REPLACE INTO position VALUES (1, ?1)", [position])?;
        transaction.commit()?; // The loop acknowledges the event when it requests the next.
    }
    Ok(())
}
