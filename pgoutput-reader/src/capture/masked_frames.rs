//! Frames without the values of masked columns.

use pgoutput_decode::message::RelationBody;
use pgoutput_decode::{DecodeError, Message, OldTuple, TupleData};

use super::mask::MaskedColumn;
use super::masked_tables::MaskedTables;
use super::table_masks::{Described, TableMasks, put_tuple};
use crate::error::CaptureError;

/// The masks of a capture.
#[derive(Debug)]
pub(super) struct Masks {
    tables: TableMasks,
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
        Self { tables: TableMasks::new(columns, masked_tables, published), masked: Vec::new() }
    }

    /// Returns the masks of the tables.
    pub(super) fn tables(&self) -> &TableMasks {
        &self.tables
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
        message: Result<Message<'a>, DecodeError>,
        in_stream: bool,
    ) -> Result<&'a [u8], CaptureError> {
        let start = if in_stream { 9 } else { 5 };
        let (relation, tuples) = match message {
            Ok(Message::Relation(body)) => {
                describe(&mut self.tables, &body)?;
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
        let columns = match self.tables.of(relation) {
            Described::Masked(columns) => columns,
            Described::Unmasked => return Ok(frame),
            Described::Not => return Ok(frame.get(..1).unwrap_or_default()),
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
}

/// Finds the masked columns of a table.
fn describe(tables: &mut TableMasks, body: &RelationBody<'_>) -> Result<(), CaptureError> {
    let columns: Vec<_> =
        body.columns.iter().map(|column| (column.name, column.type_oid)).collect();
    tables.describe(body.oid, (body.namespace(), body.name), &columns)
}

fn old(old: OldTuple<'_>) -> (u8, TupleData<'_>) {
    match old {
        OldTuple::Key(key) => (b'K', key.full_width()),
        OldTuple::Full(tuple) => (b'O', tuple),
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::Oid;

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
    fn a_row_is_masked_in_its_form() {
        let mut masks = masks(&["people.name"]);
        assert_eq!(masks.tables().unseen().len(), 1);
        assert_eq!(apply(&mut masks, ROW).unwrap(), b"I");
        assert_eq!(apply(&mut masks, TABLE).unwrap(), TABLE);
        assert!(masks.tables().unseen().is_empty());
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
        let columns = masks.tables().columns().to_vec();
        let former = masks.tables().masked_tables().clone();
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
