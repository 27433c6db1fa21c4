//! The masked columns of the tables of a stream.

use std::collections::BTreeMap;

use pgoutput_decode::value::type_oid;
use pgoutput_decode::{Oid, TupleColumn, TupleData};

use super::fields::put_len;
use super::mask::{MaskedColumn, quoted};
use super::masked_tables::MaskedTables;
use crate::error::CaptureError;

/// The value that replaces others, in text and in binary format; NULL in place of `None`.
pub(crate) type Replacement = Option<(&'static [u8], &'static [u8])>;

/// Returns a constant of the type.
fn replacement(ty: Oid) -> Replacement {
    Some(match ty {
        type_oid::BOOL => (b"f", &[0]),
        type_oid::INT2 => (b"0", &[0; 2]),
        type_oid::INT4 | type_oid::OID | type_oid::FLOAT4 => (b"0", &[0; 4]),
        type_oid::INT8 | type_oid::FLOAT8 | type_oid::NUMERIC => (b"0", &[0; 8]),
        type_oid::TEXT | type_oid::VARCHAR | type_oid::BPCHAR | type_oid::NAME => {
            (b"masked", b"masked")
        }
        type_oid::BYTEA => (b"\\x", b""),
        type_oid::DATE => (b"2000-01-01", &[0; 4]),
        type_oid::TIME => (b"00:00:00", &[0; 8]),
        type_oid::TIMESTAMP => (b"2000-01-01 00:00:00", &[0; 8]),
        type_oid::TIMESTAMPTZ => (b"2000-01-01 00:00:00+00", &[0; 8]),
        type_oid::UUID => (b"00000000-0000-0000-0000-000000000000", &[0; 16]),
        type_oid::JSON => (b"{}", b"{}"),
        type_oid::JSONB => (b"{}", b"\x01{}"),
        _ => return None,
    })
}

/// What is known of a table's columns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Described<'m> {
    /// It was not described.
    Not,
    Unmasked,
    /// For each column: what replaces it if it is masked.
    Masked(&'m [Option<Replacement>]),
}

/// The masks, and the tables of the stream that they apply to.
#[derive(Debug)]
pub(crate) struct TableMasks {
    columns: Vec<MaskedColumn>,
    /// Whether a table with the column was seen.
    seen: Vec<bool>,
    /// For each column of a table that was described: what replaces it if it is masked. `None` for
    /// a table without masks.
    tables: BTreeMap<Oid, Option<Box<[Option<Replacement>]>>>,
    /// The tables that were masked, also by the runs that a capture continues.
    masked_tables: MaskedTables,
    /// The masked tables as the catalogue named them at the start. The stream may still have rows
    /// from before a renaming.
    published: MaskedTables,
}

impl TableMasks {
    /// The masks of a stream in which these tables were masked before.
    pub(crate) fn new(
        columns: Vec<MaskedColumn>,
        masked_tables: MaskedTables,
        published: MaskedTables,
    ) -> Self {
        let seen = vec![false; columns.len()];
        Self { columns, seen, tables: BTreeMap::new(), masked_tables, published }
    }

    /// Returns the tables that were masked so far.
    pub(super) fn masked_tables(&self) -> &MaskedTables {
        &self.masked_tables
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    #[cfg(test)]
    pub(super) fn columns(&self) -> &[MaskedColumn] {
        &self.columns
    }

    /// Returns the masks of which no table was seen.
    pub(crate) fn unseen(&self) -> Vec<MaskedColumn> {
        let unseen = self.columns.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        unseen.map(|(mask, _)| mask.clone()).collect()
    }

    /// Returns the masks of a table's columns.
    pub(crate) fn of(&self, oid: Oid) -> Described<'_> {
        match self.tables.get(&oid) {
            None => Described::Not,
            Some(None) => Described::Unmasked,
            Some(Some(columns)) => Described::Masked(columns),
        }
    }

    /// Finds the masked columns of a table, which has these columns.
    ///
    /// # Errors
    /// The table has no column of the name of one that is masked, or was renamed, so that a mask
    /// would stop to apply.
    pub(crate) fn describe(
        &mut self,
        oid: Oid,
        (schema, table): (&str, &str),
        columns: &[(&str, Oid)],
    ) -> Result<(), CaptureError> {
        self.check_name(oid, schema, table)?;
        let published = self.published.get(oid);
        let mut masks = vec![None; columns.len()];
        let mut is_masked = false;
        for (mask, seen) in self.columns.iter().zip(&mut self.seen) {
            let is_published = |(schema, table)| mask.is_of(schema, table);
            if !mask.is_of(schema, table) && !published.is_some_and(is_published) {
                continue;
            }
            let found =
                columns.iter().zip(&mut masks).find(|((name, _), _)| *name == mask.column());
            let Some(((_, ty), place)) = found else {
                return Err(CaptureError::MaskedColumnMissing {
                    schema: schema.into(),
                    table: table.into(),
                    column: mask.column().into(),
                });
            };
            *place = Some(replacement(*ty));
            (*seen, is_masked) = (true, true);
        }
        if is_masked {
            self.masked_tables.insert(oid, schema, table);
        }
        self.tables.insert(oid, is_masked.then(|| masks.into()));
        Ok(())
    }

    /// Checks that a renaming of a table leaves no column without its mask.
    fn check_name(&self, oid: Oid, schema: &str, table: &str) -> Result<(), CaptureError> {
        let Some(former) = self.masked_tables.get(oid).filter(|name| *name != (schema, table))
        else {
            return Ok(());
        };
        let of = |(schema, table)| self.columns.iter().filter(move |m| m.is_of(schema, table));
        let is_lost =
            |mask: &&MaskedColumn| !of((schema, table)).any(|now| now.column() == mask.column());
        let Some(lost) = of(former).find(is_lost) else { return Ok(()) };
        let name = |schema, table| format!("{}.{}", quoted(schema), quoted(table));
        Err(CaptureError::MaskedTableRenamed {
            former: name(former.0, former.1),
            mask: lost.to_string(),
            now: name(schema, table),
            mask_now: MaskedColumn::new(schema, table, lost.column()).to_string(),
        })
    }
}

/// Appends a row with its masks, as it is in a message.
pub(crate) fn put_tuple(out: &mut Vec<u8>, tuple: TupleData<'_>, columns: &[Option<Replacement>]) {
    let count = u16::try_from(tuple.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for (column, mask) in tuple.columns().zip(columns) {
        let value = match (column, mask) {
            (TupleColumn::Text(_), Some(Some((text, _)))) => TupleColumn::Text(text),
            (TupleColumn::Binary(_), Some(Some((_, binary)))) => TupleColumn::Binary(binary),
            (TupleColumn::Text(_) | TupleColumn::Binary(_), Some(None)) => TupleColumn::Null,
            (column, _) => column,
        };
        let (kind, bytes) = match value {
            TupleColumn::Null => (b'n', None),
            TupleColumn::Unchanged => (b'u', None),
            TupleColumn::Text(bytes) => (b't', Some(bytes)),
            TupleColumn::Binary(bytes) => (b'b', Some(bytes)),
        };
        out.push(kind);
        if let Some(bytes) = bytes {
            put_len(out, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}
