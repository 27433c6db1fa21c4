//! Drift: types that were altered since they were described. A stream does not report ALTER TYPE,
//! so only the values show it.

use pgoutput_decode::value::{FieldType, MAX_DEPTH, TypeKind, Value, ValueErrorKind};
use pgoutput_decode::{Lsn, TupleData, row};

use crate::event::TableSchema;

/// The number of unchanged answers of the catalogue after which a table is no longer queried.
const MAX_UNCHANGED: u8 = 3;

/// The columns of a table that hold composites, and the last answers of the catalogue about them.
#[derive(Debug)]
pub(super) struct Drift {
    /// Whether each column holds a composite; empty if none does.
    columns: Box<[bool]>,
    /// A WAL position that the server had reached when it was last queried. The answer covers
    /// everything committed before.
    queried_at: Lsn,
    /// The number of answers without a change, although the value was written after the answer
    /// before.
    unchanged_answers: u8,
    /// Whether the catalogue has just answered for the current row.
    is_answered: bool,
}

impl Drift {
    pub(super) fn new(schema: &TableSchema) -> Self {
        let is_alterable = |oid| schema.types.get(oid).is_some_and(has_composite);
        let columns = schema.columns.iter().map(|column| is_alterable(column.wire.type_oid));
        let columns: Box<[bool]> = columns.collect();
        let columns = if columns.contains(&true) { columns } else { Box::default() };
        Self { columns, queried_at: Lsn::ZERO, unchanged_answers: 0, is_answered: false }
    }

    /// Returns whether the catalogue may have a newer description than `schema` for these rows of a
    /// transaction.
    ///
    /// Rows committed before the last answer have that description or an older one, which the
    /// catalogue no longer has.
    pub(super) fn may_be_outdated(
        &mut self,
        schema: &TableSchema,
        rows: &[Option<TupleData<'_>>],
        commit_lsn: Lsn,
    ) -> bool {
        let is_answered = std::mem::take(&mut self.is_answered);
        !is_answered
            && !self.columns.is_empty()
            && commit_lsn >= self.queried_at
            && self.unchanged_answers < MAX_UNCHANGED
            && !rows.iter().flatten().all(|row| self.fits(schema, *row))
    }

    fn fits(&self, schema: &TableSchema, tuple: TupleData<'_>) -> bool {
        // A row of another width is a separate error.
        let Ok(row) = row::Row::new(&schema.relation, tuple) else { return true };
        let row = row.with_types(&schema.types);
        row.columns().zip(&self.columns).filter(|(_, is_alterable)| **is_alterable).all(
            |(column, _)| {
                let error = column.field().and_then(|field| field.get::<Value<'_>>().err());
                error.is_none_or(|error| is_of_any_description(error.kind()))
            },
        )
    }

    /// Records an answer of the catalogue: the server had reached `at` when it was queried, and the
    /// descriptions were new or not.
    pub(super) fn answered(&mut self, at: Lsn, is_new: bool) {
        self.is_answered = true;
        // The time of the first answer is not known.
        self.unchanged_answers = if is_new || self.queried_at.is_zero() {
            0
        } else {
            self.unchanged_answers.saturating_add(1)
        };
        self.queried_at = at;
    }
}

/// Returns whether the error is in the encoding of a value, which no other description can repair.
fn is_of_any_description(kind: ValueErrorKind) -> bool {
    matches!(kind, ValueErrorKind::InvalidUtf8 | ValueErrorKind::HstoreLengths)
}

/// Returns whether a composite is part of the type. The values of all other types keep their form,
/// or are text.
///
/// It looks no deeper than values are read. A multirange and its range have the same depth.
fn has_composite(ty: FieldType<'_>) -> bool {
    let mut ty = ty.without_domains();
    for _ in 0..=2 * MAX_DEPTH {
        let part = match ty.kind() {
            TypeKind::Composite(_) => return true,
            TypeKind::Array { element: part, .. }
            | TypeKind::Range(part)
            | TypeKind::Multirange(part) => part,
            _ => return false,
        };
        ty = part.without_domains();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pgoutput_decode::value::{Attribute, AttributeList, TypeInfo, TypeSet, type_oid};
    use pgoutput_decode::{Message, Oid, Relations};

    use super::*;
    use crate::event::ColumnSchema;

    const INTEGER: TypeInfo<'static> = TypeInfo::new(type_oid::INT4, "integer", TypeKind::Base);
    const PAIR: TypeInfo<'static> = TypeInfo::new(
        Oid::new(16_400),
        "pair",
        TypeKind::Composite(AttributeList::new(&[Attribute::new(
            "n",
            FieldType::described(&INTEGER),
        )])),
    );
    const LIST: TypeInfo<'static> = TypeInfo::new(
        Oid::new(16_401),
        "pair[]",
        TypeKind::Array { element: FieldType::described(&PAIR), delimiter: b',' },
    );
    const LISTS: TypeInfo<'static> =
        TypeInfo::new(Oid::new(16_402), "lists", TypeKind::Domain(FieldType::described(&LIST)));
    const COLOR: TypeInfo<'static> = TypeInfo::new(Oid::new(16_403), "color", TypeKind::Enum);

    /// A table with a column of each type.
    fn table(types: &[TypeInfo<'static>]) -> TableSchema {
        let mut frame = b"R\0\0\0\x01public\0t\0d\0".to_vec();
        frame.push(u8::try_from(types.len()).unwrap());
        for info in types {
            frame.extend(b"\0c\0");
            frame.extend(info.oid.as_u32().to_be_bytes().into_iter().chain([0xFF; 4]));
        }
        let mut relations = Relations::new();
        let Message::Relation(body) = Message::decode(&frame, false).unwrap() else { panic!() };
        relations.update(&body);
        let relation = Arc::clone(relations.get(Oid::new(1)).unwrap());
        let column = |column: &pgoutput_decode::Column| ColumnSchema {
            wire: column.clone(),
            type_name: "".into(),
            optional: true,
        };
        TableSchema {
            database: "app".into(),
            columns: relation.columns().iter().map(column).collect(),
            relation,
            types: TypeSet::new(types),
            unknown_types: Box::default(),
            money_digits: 2,
            #[cfg(feature = "json")]
            json_options: pgoutput_decode::value::JsonOptions::default(),
        }
    }

    fn may_be_outdated(
        drift: &mut Drift,
        table: &TableSchema,
        value: &str,
        commit_lsn: u64,
    ) -> bool {
        let mut frame = b"I\0\0\0\x01N\0\x01t".to_vec();
        frame.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        frame.extend(value.bytes());
        let Message::Insert(body) = Message::decode(&frame, false).unwrap() else { panic!() };
        drift.may_be_outdated(table, &[Some(body.new), None], Lsn::new(commit_lsn))
    }

    #[test]
    fn composites_inside_other_types_are_found() {
        for (info, good, bad) in
            [(PAIR, "(1)", "(1,2)"), (LIST, "{(1)}", "{(1),()x}"), (LISTS, "{(1)}", "{(x)}")]
        {
            let table = table(&[info]);
            let mut drift = Drift::new(&table);
            assert!(!may_be_outdated(&mut drift, &table, good, 1), "{good}");
            assert!(may_be_outdated(&mut drift, &table, bad, 1), "{bad}");
        }
        let plain = Drift::new(&table(&[COLOR, INTEGER]));
        assert!(plain.columns.is_empty());
        assert_eq!(*Drift::new(&table(&[COLOR, LISTS, INTEGER])).columns, [false, true, false]);
    }

    #[test]
    fn an_answer_covers_what_was_committed_before_it() {
        let table = table(&[PAIR]);
        let mut drift = Drift::new(&table);
        drift.answered(Lsn::new(10), false);
        assert!(!may_be_outdated(&mut drift, &table, "(1,2)", 10), "the same row");
        assert!(!may_be_outdated(&mut drift, &table, "(1,2)", 9));
        assert!(may_be_outdated(&mut drift, &table, "(1,2)", 10));
    }

    #[test]
    fn a_catalogue_that_never_has_a_change_is_not_queried_again() {
        let table = table(&[PAIR]);
        let mut drift = Drift::new(&table);
        let mut answers = 0;
        while may_be_outdated(&mut drift, &table, "(x)", u64::MAX) {
            answers += 1;
            drift.answered(Lsn::new(answers), false);
            assert!(!may_be_outdated(&mut drift, &table, "(x)", u64::MAX), "the same row");
        }
        assert_eq!(answers, 1 + u64::from(MAX_UNCHANGED));
        drift.answered(Lsn::new(answers), true);
        assert!(!may_be_outdated(&mut drift, &table, "(x)", u64::MAX), "the same row");
        assert!(may_be_outdated(&mut drift, &table, "(x)", u64::MAX));
    }
}
