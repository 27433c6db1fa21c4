//! Equal values of the same changes sent as text and as binary.

use std::collections::BTreeSet;

use pgoutput_decode::value::{Field, Format, Value};
use pgoutput_decode::{Message, Oid, OldTuple, Relations, TupleColumn, TupleData};
use pgoutput_tests::capture::{Capture, Variant, WithoutRepetitions, file_names, load};

/// Columns whose binary form needs more than the type's oid, has no reader, or has another content.
const NOT_COMPARED: [&str; 7] = [
    "It's, a Table.日本",
    "typed.amount",
    "typed.both_of",
    "typed.code",
    "typed.feeling",
    "typed.feelings",
    "types.regclass",
];

#[test]
fn text_and_binary_have_the_same_values() {
    let mut left_out = BTreeSet::new();
    for name in file_names().unwrap() {
        let Some(text_name) = Variant::text_of(&name) else { continue };
        let ((text, _), (binary, _)) = (load(text_name).unwrap(), load(&name).unwrap());
        let (text, binary) = (messages(&text), messages(&binary));
        assert_eq!(text.len(), binary.len(), "{name}");
        let mut relations = Relations::new();
        for (text, binary) in text.iter().zip(&binary) {
            if let Message::Relation(body) = text {
                relations.update(body);
            }
            let Some((relation, rows)) = rows(text) else {
                // The format does not affect other messages.
                assert_eq!(text, binary, "{name}");
                continue;
            };
            let table = relations.get(relation).unwrap();
            let (other, binary) = self::rows(binary).unwrap();
            assert_eq!((relation, rows.len()), (other, binary.len()), "{name}");
            for (text, binary) in rows.iter().zip(binary) {
                assert_eq!(text.len(), binary.len(), "{name}");
                for (column, pair) in
                    table.columns().iter().zip(text.columns().zip(binary.columns()))
                {
                    match same(column.type_oid, pair) {
                        Some(same) => assert!(same, "{name}: {column:?}: {pair:?}"),
                        None => drop(left_out.insert(format!("{}.{}", table.name(), column.name))),
                    }
                }
            }
        }
    }
    // Exactly these: a column that becomes readable must leave the list.
    assert_eq!(left_out, NOT_COMPARED.map(String::from).into());
}

/// Returns the messages that do not repeat earlier ones.
fn messages(capture: &Capture) -> Vec<Message<'_>> {
    let mut unrepeated = WithoutRepetitions::default();
    capture.frames().filter_map(|frame| unrepeated.next(frame).unwrap()).collect()
}

/// Returns the rows of a change, and their table.
fn rows<'a>(message: &Message<'a>) -> Option<(Oid, Vec<TupleData<'a>>)> {
    let old = |tuple| match tuple {
        OldTuple::Key(key) => key.full_width(),
        OldTuple::Full(row) => row,
    };
    match *message {
        Message::Insert(body) => Some((body.relation, vec![body.new])),
        Message::Update(body) => {
            Some((body.relation, body.old.map(old).into_iter().chain([body.new]).collect()))
        }
        Message::Delete(body) => Some((body.relation, vec![old(body.old)])),
        _ => None,
    }
}

/// Returns whether two columns are equal. `None` if the binary form cannot be read, or is a number
/// for the text's name.
fn same(type_oid: Oid, pair: (TupleColumn<'_>, TupleColumn<'_>)) -> Option<bool> {
    let (TupleColumn::Text(text), TupleColumn::Binary(binary)) = pair else {
        return Some(pair.0 == pair.1);
    };
    let binary = Field::new(type_oid, Format::Binary, binary);
    match binary.get().unwrap() {
        Value::Opaque(_) => None,
        Value::Oid(_) if binary.ty().is_reg() => None,
        value => Some(Field::new(type_oid, Format::Text, text).get() == Ok(value)),
    }
}
