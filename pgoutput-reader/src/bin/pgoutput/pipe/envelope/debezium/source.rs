//! The block `source` of a record.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use pgoutput_reader::{ChangeEvent, Lsn, Op, TransactionInfo};

use super::text::string;
use crate::pipe::route::SourceNames;

/// Writes the block, and keeps what it needs of earlier events.
#[derive(Debug)]
pub(super) struct Source {
    /// The constant start of the block.
    head: String,
    database: String,
    transaction: Option<Arc<TransactionInfo>>,
    /// The end of the last transaction before.
    committed: Option<Lsn>,
    /// The table of the copy that is being written.
    copied: Option<u32>,
    snapshot: &'static str,
}

/// Returns the nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Source {
    pub(super) fn new(source: &SourceNames) -> Self {
        let mut head = String::from("{\"version\":");
        string(&mut head, env!("CARGO_PKG_VERSION"));
        head.push_str(",\"connector\":\"postgresql\",\"name\":");
        string(&mut head, &source.name);
        Self {
            head,
            database: source.database.clone(),
            transaction: None,
            committed: None,
            copied: None,
            snapshot: "false",
        }
    }

    /// Takes note of the next event.
    pub(super) fn begin(&mut self, event: &ChangeEvent) {
        if let Some(transaction) = event.transaction()
            && !self.transaction.as_ref().is_some_and(|known| Arc::ptr_eq(known, transaction))
        {
            let ended = self.transaction.replace(Arc::clone(transaction));
            self.committed = ended.map(|ended| ended.end_lsn().unwrap_or(ended.commit_lsn()));
        }
        self.snapshot = self.place_in_copy(event);
    }

    /// Returns the place of a row in a copy, whose rows are sent table by table.
    fn place_in_copy(&mut self, event: &ChangeEvent) -> &'static str {
        let Some(table) = event.table().filter(|_| event.op() == Op::SnapshotRow) else {
            if event.transaction().is_some() || event.op() == Op::SnapshotEnd {
                self.copied = None;
            }
            return if is_copied(event) { "true" } else { "false" };
        };
        let table = table.relation().oid().as_u32();
        match self.copied.replace(table) {
            None => "first",
            _ if event.is_last() => "last_in_data_collection",
            Some(before) if before != table => "first_in_data_collection",
            Some(_) => "true",
        }
    }

    /// Writes the block.
    pub(super) fn write(&self, event: &ChangeEvent, now: i64, out: &mut String) {
        let transaction = event.transaction();
        let micros = transaction
            .and_then(|transaction| transaction.commit_time().as_unix_micros())
            .unwrap_or(now.div_euclid(1000));
        let lsn = event.lsn().as_u64();
        out.push_str(&self.head);
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            ",\"ts_ms\":{},\"snapshot\":\"{}\",\"db\":",
            micros.div_euclid(1000),
            self.snapshot
        );
        string(out, event.table().map_or(&*self.database, |table| table.database()));
        out.push_str(",\"sequence\":\"[");
        match self.committed {
            Some(committed) => {
                let _ = write!(out, "\\\"{}\\\"", committed.as_u64());
            }
            None => out.push_str("null"),
        }
        let nanos = i128::from(micros) * 1000;
        let _ = write!(out, ",\\\"{lsn}\\\"]\",\"ts_us\":{micros},\"ts_ns\":{nanos},\"schema\":");
        string(out, event.table().map_or("", |table| table.schema_name()));
        out.push_str(",\"table\":");
        string(out, event.table().map_or("", |table| table.name()));
        match transaction {
            Some(transaction) => {
                let _ = write!(out, ",\"txId\":{}", transaction.xid().as_u32());
            }
            None => out.push_str(",\"txId\":null"),
        }
        let _ = write!(out, ",\"lsn\":{lsn},\"xmin\":null");
        if let Some(origin) = transaction.and_then(|transaction| transaction.origin()) {
            out.push_str(",\"origin\":");
            string(out, &origin.name);
            out.push_str(",\"origin_lsn\":");
            match origin.commit_lsn {
                Some(lsn) => {
                    let _ = write!(out, "{}", lsn.as_u64());
                }
                None => out.push_str("null"),
            }
        }
        out.push('}');
    }
}

/// Returns whether an event belongs to a copy.
fn is_copied(event: &ChangeEvent) -> bool {
    event.transaction().is_none() && event.op() != Op::Message
}
