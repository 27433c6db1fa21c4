//! Columns whose values are replaced before they are written.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use pgoutput_decode::message::RelationBody;
use pgoutput_decode::value::type_oid;
use pgoutput_decode::{Message, Oid, OldTuple, TupleColumn, TupleData};

use super::masked_tables::MaskedTables;
use crate::error::CaptureError;
use crate::snapshot::sql_name;

/// A column whose values a [`Capture`](crate::Capture) replaces.
///
/// The text is read as SQL reads names: those without double quotes are folded to lower case. The
/// schema may be left out, for the tables of this name in all schemas.
///
/// ```
/// use pgoutput_reader::MaskedColumn;
///
/// let column = MaskedColumn::new("public", "people", "E-mail");
/// assert_eq!(r#"public.People."E-mail""#.parse(), Ok(column));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedColumn {
    schema: Option<String>,
    table: String,
    column: String,
}

impl MaskedColumn {
    /// A column, with its names exactly as the catalogue has them.
    pub fn new(
        schema: impl Into<String>,
        table: impl Into<String>,
        column: impl Into<String>,
    ) -> Self {
        Self { schema: Some(schema.into()), table: table.into(), column: column.into() }
    }

    pub(super) fn column(&self) -> &str {
        &self.column
    }

    /// Returns whether it masks this column.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let schema = other.schema.as_deref().unwrap_or_default();
        self.column == other.column && self.is_of(schema, &other.table)
    }

    pub(super) fn is_of(&self, schema: &str, table: &str) -> bool {
        self.table == table && self.schema.as_ref().is_none_or(|own| own == schema)
    }
}

/// The error of a text that is not `schema.table.column` or `table.column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a column with its table, as in public.people.email or people.email")]
#[non_exhaustive]
pub struct ParseMaskedColumnError;

impl FromStr for MaskedColumn {
    type Err = ParseMaskedColumnError;

    fn from_str(text: &str) -> Result<Self, ParseMaskedColumnError> {
        let (mut names, mut rest) = (Vec::new(), text.trim_ascii());
        loop {
            let (name, after) = sql_name(rest).ok_or(ParseMaskedColumnError)?;
            names.push(name);
            match after.strip_prefix('.') {
                Some(next) => rest = next,
                None if after.is_empty() => break,
                None => return Err(ParseMaskedColumnError),
            }
        }
        let mut names = names.into_iter();
        match (names.next(), names.next(), names.next(), names.next()) {
            (Some(table), Some(column), None, _) => Ok(Self { schema: None, table, column }),
            (Some(schema), Some(table), Some(column), None) => Ok(Self::new(schema, table, column)),
            _ => Err(ParseMaskedColumnError),
        }
    }
}

/// Displays the names with a dot between them, each in double quotes if it needs them.
impl fmt::Display for MaskedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.schema.iter().chain([&self.table, &self.column]);
        for (index, name) in names.enumerate() {
            f.write_str(if index > 0 { "." } else { "" })?;
            f.write_str(&quoted(name))?;
        }
        Ok(())
    }
}

/// Returns a name in double quotes if it needs them.
pub(super) fn quoted(name: &str) -> Cow<'_, str> {
    let is_plain = sql_name(name).is_some_and(|(read, rest)| read == name && rest.is_empty());
    if is_plain { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")).into() }
}

/// The value that replaces others, in text and in binary format; NULL in place of `None`.
type Replacement = Option<(&'static [u8], &'static [u8])>;

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

/// The masks, and the tables of the stream that they apply to.
#[derive(Debug)]
pub(super) struct Masks {
    columns: Vec<MaskedColumn>,
    /// Whether a table with the column was seen.
    seen: Vec<bool>,
    /// For each column of a table that was described: what replaces it if it is masked. `None` for
    /// a table without masks.
    tables: BTreeMap<Oid, Option<Box<[Option<Replacement>]>>>,
    /// The tables that were masked, also by the runs that the capture continues.
    masked_tables: MaskedTables,
    /// The masked tables as the catalogue named them at the start. The stream may still have rows
    /// from before a renaming.
    published: MaskedTables,
    /// The last message that was changed.
    masked: Vec<u8>,
}

impl Masks {
    /// The masks of a capture in which these tables were masked before.
    pub(super) fn new(
        columns: Vec<MaskedColumn>,
        masked_tables: MaskedTables,
        published: MaskedTables,
    ) -> Self {
        let seen = vec![false; columns.len()];
        let (tables, masked) = (BTreeMap::new(), Vec::new());
        Self { columns, seen, tables, masked_tables, published, masked }
    }

    /// Returns the tables that were masked so far.
    pub(super) fn masked_tables(&self) -> &MaskedTables {
        &self.masked_tables
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the masks of which no table was seen.
    pub(super) fn unseen(&self) -> Vec<MaskedColumn> {
        let unseen = self.columns.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        unseen.map(|(mask, _)| mask.clone()).collect()
    }

    /// Returns the message as it is written. Of a row that cannot be read, or whose table was not
    /// described, only the tag is.
    ///
    /// # Errors
    /// A table has no column of the name of one that is masked, or was renamed, so that a mask
    /// would stop to apply.
    pub(super) fn apply<'a>(
        &'a mut self,
        frame: &'a [u8],
        message: Result<Message<'a>, pgoutput_decode::DecodeError>,
        in_stream: bool,
    ) -> Result<&'a [u8], CaptureError> {
        let start = if in_stream { 9 } else { 5 };
        let (relation, tuples) = match message {
            Ok(Message::Relation(body)) => {
                self.describe(&body)?;
                return Ok(frame);
            }
            Ok(Message::Insert(body)) => (body.relation, [None, Some((b'N', body.new))]),
            Ok(Message::Update(body)) => {
                (body.relation, [body.old.map(old), Some((b'N', body.new))])
            }
            Ok(Message::Delete(body)) => (body.relation, [Some(old(body.old)), None]),
            Ok(_) => return Ok(frame),
            // Names in these may not be UTF-8; they have no values.
            Err(_) if matches!(frame.first(), Some(b'R' | b'Y' | b'O' | b'M')) => return Ok(frame),
            Err(_) => return Ok(frame.get(..1).unwrap_or_default()),
        };
        let columns = match self.tables.get(&relation) {
            Some(Some(columns)) => columns,
            Some(None) => return Ok(frame),
            None => return Ok(frame.get(..1).unwrap_or_default()),
        };
        self.masked.clear();
        self.masked.extend_from_slice(frame.get(..start).unwrap_or_default());
        for (kind, tuple) in tuples.into_iter().flatten() {
            if tuple.len() != columns.len() {
                return Ok(frame.get(..1).unwrap_or_default());
            }
            self.masked.push(kind);
            put_tuple(&mut self.masked, tuple, columns);
        }
        Ok(&self.masked)
    }

    /// Finds the masked columns of a table.
    fn describe(&mut self, body: &RelationBody<'_>) -> Result<(), CaptureError> {
        let (schema, table) = (body.namespace(), body.name);
        self.check_name(body.oid, schema, table)?;
        let published = self.published.get(body.oid);
        let mut columns = vec![None; body.columns.len()];
        let mut is_masked = false;
        for (mask, seen) in self.columns.iter().zip(&mut self.seen) {
            let is_published = |(schema, table)| mask.is_of(schema, table);
            if !mask.is_of(schema, table) && !published.is_some_and(is_published) {
                continue;
            }
            let found = body.columns.iter().position(|column| column.name == mask.column);
            let ty = found.and_then(|index| body.columns.iter().nth(index));
            let (Some(index), Some(column)) = (found, ty) else {
                return Err(CaptureError::MaskedColumnMissing {
                    schema: schema.into(),
                    table: table.into(),
                    column: mask.column.clone(),
                });
            };
            if let Some(place) = columns.get_mut(index) {
                *place = Some(replacement(column.type_oid));
            }
            (*seen, is_masked) = (true, true);
        }
        if is_masked {
            self.masked_tables.insert(body.oid, schema, table);
        }
        self.tables.insert(body.oid, is_masked.then(|| columns.into()));
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
            |mask: &&MaskedColumn| !of((schema, table)).any(|now| now.column == mask.column);
        let Some(lost) = of(former).find(is_lost) else { return Ok(()) };
        let name = |schema, table| format!("{}.{}", quoted(schema), quoted(table));
        Err(CaptureError::MaskedTableRenamed {
            former: name(former.0, former.1),
            mask: lost.to_string(),
            now: name(schema, table),
            mask_now: MaskedColumn::new(schema, table, &*lost.column).to_string(),
        })
    }
}

fn old(old: OldTuple<'_>) -> (u8, TupleData<'_>) {
    match old {
        OldTuple::Key(key) => (b'K', key.full_width()),
        OldTuple::Full(tuple) => (b'O', tuple),
    }
}

fn put_tuple(out: &mut Vec<u8>, tuple: TupleData<'_>, columns: &[Option<Replacement>]) {
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
            super::fields::put_len(out, bytes.len());
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"R\0\0\0\x07public\0people\0d\0\x02\
        \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0name\0\0\0\0\x19\xFF\xFF\xFF\xFF";
    const ROW: &[u8] = b"I\0\0\0\x07N\0\x02t\0\0\0\x017t\0\0\0\x03Ada";

    fn masks(texts: &[&str]) -> Masks {
        let masks = texts.iter().map(|text| text.parse().unwrap()).collect();
        Masks::new(masks, MaskedTables::default(), MaskedTables::default())
    }

    fn apply(masks: &mut Masks, frame: &[u8]) -> Result<Vec<u8>, CaptureError> {
        masks.apply(frame, Message::decode(frame, false), false).map(<[u8]>::to_vec)
    }

    #[test]
    fn names_are_read_and_displayed_as_in_sql() {
        for (text, displayed) in [
            ("people.email", "people.email"),
            ("Public.People.EMail", "public.people.email"),
            (r#""a.b"."c""d"."E""#, r#""a.b"."c""d"."E""#),
        ] {
            let column: MaskedColumn = text.parse().unwrap();
            assert_eq!(column.to_string(), displayed);
            assert_eq!(displayed.parse(), Ok(column));
        }
        for text in ["", "email", "a.b.c.d", "a..b", "a.b.", ".a.b", "a b.c", "\"a.b", "a.1"] {
            assert!(text.parse::<MaskedColumn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_row_is_masked_in_its_form() {
        let mut masks = masks(&["people.name"]);
        assert_eq!(masks.unseen().len(), 1);
        assert_eq!(apply(&mut masks, ROW).unwrap(), b"I");
        assert_eq!(apply(&mut masks, TABLE).unwrap(), TABLE);
        assert!(masks.unseen().is_empty());
        let masked = b"I\0\0\0\x07N\0\x02t\0\0\0\x017t\0\0\0\x06masked";
        assert_eq!(apply(&mut masks, ROW).unwrap(), masked);
        apply(&mut masks, b"R\0\0\0\x08public\0other\0d\0\0").unwrap();
        let other = b"I\0\0\0\x08N\0\x01t\0\0\0\x03Ada";
        assert_eq!(apply(&mut masks, other).unwrap(), other);
        let absent = b"U\0\0\0\x07O\0\x02nnN\0\x02nu";
        assert_eq!(apply(&mut masks, absent).unwrap(), absent);
    }

    #[test]
    fn nothing_of_a_row_that_cannot_be_read_is_written() {
        let mut masks = masks(&["people.name"]);
        apply(&mut masks, TABLE).unwrap();
        let wide = b"I\0\0\0\x07N\0\x03nnt\0\0\0\x03Ada";
        let longer = [ROW, b"Ada"].concat();
        for frame in [&ROW[..ROW.len() - 1], wide, &longer, b"?Ada"] {
            assert_eq!(apply(&mut masks, frame).unwrap(), frame[..1], "{}", frame.escape_ascii());
        }
    }

    #[test]
    fn a_table_that_lacks_the_column_or_was_renamed_is_an_error() {
        let error = apply(&mut masks(&["public.people.nome"]), TABLE).unwrap_err();
        assert!(error.to_string().starts_with("column nome is to be masked"), "{error}");
        let mut masks = masks(&["people.name"]);
        apply(&mut masks, TABLE).unwrap();
        let renamed = b"R\0\0\0\x07public\0humans\0d\0\0";
        // Also in another run.
        let columns = masks.columns.clone();
        let former = masks.masked_tables().clone();
        let mut later = Masks::new(columns, former, MaskedTables::default());
        for masks in [&mut masks, &mut later] {
            let error = apply(masks, renamed).unwrap_err();
            let expected = "public.people, masked by people.name, is now public.humans: nothing \
                            more is captured to this file; capture to another file with the mask \
                            public.humans.name";
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn rows_from_before_a_renaming_are_masked() {
        let mut published = MaskedTables::default();
        published.insert(Oid::new(7), "public", "humans");
        let columns = vec!["humans.name".parse().unwrap()];
        let mut masks = Masks::new(columns, MaskedTables::default(), published);
        apply(&mut masks, TABLE).unwrap();
        let masked = b"I\0\0\0\x07N\0\x02t\0\0\0\x017t\0\0\0\x06masked";
        assert_eq!(apply(&mut masks, ROW).unwrap(), masked);
        let humans = [&TABLE[..12], b"humans", &TABLE[18..]].concat();
        assert_eq!(apply(&mut masks, &humans).unwrap(), humans);
        assert_eq!(apply(&mut masks, ROW).unwrap(), masked);
    }

    #[test]
    fn a_table_that_is_masked_by_its_new_name_too_is_masked() {
        let mut masks = masks(&["people.name", "public.humans.name"]);
        apply(&mut masks, TABLE).unwrap();
        let humans = [&TABLE[..12], b"humans", &TABLE[18..]].concat();
        assert_eq!(apply(&mut masks, &humans).unwrap(), humans);
        let masked = b"I\0\0\0\x07N\0\x02t\0\0\0\x017t\0\0\0\x06masked";
        assert_eq!(apply(&mut masks, ROW).unwrap(), masked);
    }
}
