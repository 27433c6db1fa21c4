//! Reads an outbox without a table: messages that transactions write with
//! `pg_logical_emit_message`, as an enum. PostgreSQL 14 or later.
//!
//! ```text
//! cargo run --example outbox -- "postgresql://app@localhost/app" my_slot my_publication
//! ```
//!
//! It needs `cargo add pgoutput-reader serde_json` and `cargo add serde --features derive`. The
//! publication may be one without tables: `CREATE PUBLICATION my_publication`. An application
//! writes to the outbox in the transaction that changes its tables:
//!
//! ```sql
//! SELECT pg_catalog.pg_logical_emit_message(true, 'orders',
//!     '{"event": "placed", "order": 7, "items": ["tea", "milk"]}')
//! ```
//!
//! The slot is created if it is missing. Drop it when you no longer need it:
//! `SELECT pg_catalog.pg_drop_replication_slot('my_slot')`.

use std::io::{LineWriter, Write as _};

use pgoutput_reader::{Reader, SlotCreation, StreamOptions};
use serde::Deserialize;

#[path = "../src/bin/pgoutput/stdout.rs"]
mod stdout;

/// The prefix of the messages that this program reads.
const PREFIX: &str = "orders";

/// What happened to an order.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
enum OrderEvent {
    Placed { order: u64, items: Vec<String> },
    Shipped { order: u64, carrier: String },
    Cancelled { order: u64 },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dsn, slot, publication] = arguments.as_slice() else {
        return Err("usage: outbox CONNINFO|URI SLOT PUBLICATION".into());
    };
    let mut out = LineWriter::new(stdout::open()?);
    let mut reader = Reader::builder(dsn)
        .slot(slot)
        .publication(publication)
        .slot_creation(SlotCreation::IfMissing)
        .options(StreamOptions::new().messages(true))
        .connect()?;
    for event in &mut reader {
        let event = event?;
        // Other events are changes of published tables.
        let Some(message) = event.logical_message() else { continue };
        if message.prefix != PREFIX {
            continue;
        }
        // An error ends the program. The message is not acknowledged, and comes again.
        let order_event = serde_json::from_slice(message.content)
            .map_err(|error| format!("message at {}: {error}", event.lsn()))?;
        let text = match order_event {
            OrderEvent::Placed { order, items } => format!("order {order}: {}", items.join(", ")),
            OrderEvent::Shipped { order, carrier } => format!("order {order}: sent by {carrier}"),
            OrderEvent::Cancelled { order } => format!("order {order}: cancelled"),
        };
        // The id is the same whenever the message is delivered.
        writeln!(out, "{} {text}", event.message_id())?;
    }
    reader.stop()?;
    Ok(())
}
