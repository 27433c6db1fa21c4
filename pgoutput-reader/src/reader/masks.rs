//! The masks of a reader: events without the values of some columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgoutput_decode::{Message, Oid, OldTuple, Relation};

use crate::capture::{Described, MaskedColumn, MaskedTables, TableMasks, put_tuple};
use crate::error::{CaptureError, Error, StreamError};
use crate::event::{ChangeEvent, Content, full_width};

/// Replaces the values of masked columns in events.
#[derive(Debug)]
pub(super) struct RowMasks {
    tables: TableMasks,
    /// The newest description of each table that had an event.
    described: BTreeMap<Oid, Arc<Relation>>,
    /// The masked rows, as a message.
    frame: Vec<u8>,
}

impl RowMasks {
    /// The masks of these columns; `None` if there are none. `published` has their tables as the
    /// catalogue names them.
    pub(super) fn new(columns: Vec<MaskedColumn>, published: MaskedTables) -> Option<Self> {
        let tables = TableMasks::new(columns, MaskedTables::default(), published);
        (!tables.is_empty()).then(|| Self { tables, described: BTreeMap::new(), frame: Vec::new() })
    }

    /// Masks the rows of an event.
    ///
    /// # Errors
    /// Its table has no column of the name of one that is masked, or was renamed, so that a mask
    /// would stop to apply.
    pub(super) fn apply(&mut self, event: &mut ChangeEvent) -> Result<(), Error> {
        let Some(table) = event.table() else { return Ok(()) };
        let (table, oid) = (Arc::clone(table), table.relation().oid());
        if !self.described.get(&oid).is_some_and(|known| Arc::ptr_eq(known, table.relation())) {
            let columns: Vec<_> = table
                .columns()
                .iter()
                .map(|column| (column.name(), column.wire().type_oid))
                .collect();
            self.tables
                .describe(oid, (table.schema_name(), table.name()), &columns)
                .map_err(named)?;
            self.described.insert(oid, Arc::clone(table.relation()));
        }
        let Described::Masked(columns) = self.tables.of(oid) else { return Ok(()) };
        let Some((new, old)) = event.content.rows() else { return Ok(()) };
        let frame = &mut self.frame;
        frame.clear();
        frame.push(match (new, old) {
            (Some(_), Some(_)) => b'U',
            (None, Some(_)) => b'D',
            (_, None) => b'I',
        });
        frame.extend_from_slice(&oid.as_u32().to_be_bytes());
        if let Some(old) = old {
            frame.push(if matches!(old, OldTuple::Key(_)) { b'K' } else { b'O' });
            put_tuple(frame, full_width(old), columns);
        }
        if let Some(new) = new {
            frame.push(b'N');
            put_tuple(frame, new, columns);
        }
        let (new, old) = match Message::decode(frame, false)? {
            Message::Insert(insert) => (Some(insert.new), None),
            Message::Update(update) => (Some(update.new), update.old),
            Message::Delete(delete) => (None, Some(delete.old)),
            _ => (None, None),
        };
        event.content = Content::of_rows(&table, new, old, event.lsn)?;
        Ok(())
    }
}

/// Describes a renamed table without a capture.
fn named(error: CaptureError) -> Error {
    match error {
        CaptureError::MaskedTableRenamed { former, mask, now, mask_now } => {
            StreamError::MaskedTableRenamed { former, mask, now, mask_now }.into()
        }
        error => error.into(),
    }
}
