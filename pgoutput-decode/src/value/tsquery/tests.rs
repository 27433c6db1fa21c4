//! Unit tests of `tsquery`.

use super::*;
use crate::value::Format;
use proptest::prelude::*;
use std::string::{String, ToString};
use std::vec::Vec;

fn lexeme(text: &str) -> Vec<u8> {
    [&[1, 0, 0][..], text.as_bytes(), &[0]].concat()
}

fn read(count: u32, items: &[u8]) -> Result<String, ValueError> {
    let bytes = [&count.to_be_bytes()[..], items].concat();
    let query: TsQuery<'_> = Field::new(type_oid::TSQUERY, Format::Binary, &bytes).get()?;
    let text = query.to_string();
    let same: TsQuery<'_> = Field::new(type_oid::TSQUERY, Format::Text, text.as_bytes()).get()?;
    assert_eq!(query, same);
    Ok(text)
}

#[test]
fn chains_of_operators_are_written_from_the_left() {
    for count in [2_u32, 3, 4, 7, 1000] {
        let mut items = lexeme("0");
        let mut text = String::from("'0'");
        for number in 1..count {
            items = [&[2, 2][..], &lexeme(&number.to_string()), &items].concat();
            text = std::format!("{text} & '{number}'");
        }
        assert_eq!(read(2 * count - 1, &items).unwrap(), text);
    }
}

#[test]
fn parentheses_are_those_of_the_server() {
    let [a, b, c] = ["a", "b", "c"].map(lexeme);
    let or = [&[2, 3][..], &b, &a].concat();
    let phrase = [&[2, 4, 0, 1][..], &b, &a].concat();
    assert_eq!(read(5, &[&[2, 2][..], &c, &or].concat()).unwrap(), "( 'a' | 'b' ) & 'c'");
    assert_eq!(read(5, &[&[2, 2][..], &or, &c].concat()).unwrap(), "'c' & ( 'a' | 'b' )");
    assert_eq!(read(4, &[&[2, 1][..], &or].concat()).unwrap(), "!( 'a' | 'b' )");
    assert_eq!(read(3, &[&[2, 1, 2, 1][..], &a].concat()).unwrap(), "!!'a'");
    assert_eq!(read(5, &[&[2, 4, 0, 2][..], &c, &phrase].concat()).unwrap(), "'a' <-> 'b' <2> 'c'");
    assert_eq!(
        read(5, &[&[2, 4, 0, 2][..], &phrase, &c].concat()).unwrap(),
        "'c' <2> ( 'a' <-> 'b' )"
    );
    assert_eq!(read(1, b"\x01\x0F\x01it's\\\0").unwrap(), r"'it''s\\':*ABCD");
    assert_eq!(read(0, b"").unwrap(), "");
}

#[test]
fn counts_and_operands_must_agree() {
    let a = lexeme("a");
    for (count, items) in [
        (0, &a[..]),
        (1, b""),
        (1, &[2, 1]),
        (2, &a),
        (u32::MAX, &a),
        (2, &[&a[..], &a].concat()),
        (1, b"\x01\x10\0a\0"),
        (1, b"\x01\0\x02a\0"),
        (1, b"\x01\0\0a"),
        (1, b"\x03\0\0a\0"),
        (2, &[&[2, 5][..], &a].concat()),
    ] {
        assert!(read(count, items).is_err(), "{count} {items:?}");
    }
}

/// Each operator is the right operand of the one before it.
fn nested_to_the_right(depth: usize) -> Vec<u8> {
    let mut items = [2, 2].repeat(depth);
    items.extend(lexeme("a").repeat(depth + 1));
    items
}

/// `!( !( … 'a' & 'b' ) & 'b' )`: each operator is the negated left operand of the one before it.
fn nested_to_the_left(depth: usize) -> Vec<u8> {
    let step = [&[2, 1, 2, 2][..], &lexeme("b")].concat();
    [step.repeat(depth), lexeme("a")].concat()
}

/// Runs a function on a thread with the stack size that every reader and writer must work with.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(run);
    thread.unwrap().join().unwrap();
}

#[test]
fn depth_is_unlimited() {
    on_a_small_stack(|| {
        // Without a table on the heap the time grows with the square of the depth.
        let depth = if cfg!(feature = "alloc") { 100_000 } else { 2_000 };
        let count = u32::try_from(depth).unwrap();
        let left = read(3 * count + 1, &nested_to_the_left(depth)).unwrap();
        assert_eq!(left, ["!( ".repeat(depth), "'a'".into(), " & 'b' )".repeat(depth)].concat());
        let right = read(2 * count + 1, &nested_to_the_right(depth)).unwrap();
        assert_eq!(right, ["'a' & ".repeat(depth), "'a'".into()].concat());
        let negated = [&[2, 1].repeat(depth)[..], &lexeme("a")].concat();
        assert_eq!(read(count + 1, &negated).unwrap(), ["!".repeat(depth), "'a'".into()].concat());
    });
}

/// Writes the text as the server's own recursive function does.
fn model(items: &mut &[u8], around: u8, is_right_of_phrase: bool) -> String {
    let ([kind, detail], mut rest) = items.split_first_chunk().unwrap();
    if *kind == 1 {
        let text = rest[1..].split(|byte| *byte == 0).next().unwrap();
        *items = &rest[text.len() + 2..];
        return std::format!("'{}'", str::from_utf8(text).unwrap());
    }
    let (priority, text) = match detail {
        1 => {
            *items = rest;
            return std::format!("!{}", model(items, 4, false));
        }
        2 => (2, String::from("&")),
        3 => (1, String::from("|")),
        _ => {
            let (distance, after) = rest.split_first_chunk().unwrap();
            rest = after;
            let distance = u16::from_be_bytes(*distance);
            (3, if distance == 1 { "<->".into() } else { std::format!("<{distance}>") })
        }
    };
    *items = rest;
    let right = model(items, priority, priority == 3);
    let left = model(items, priority, false);
    let text = std::format!("{left} {text} {right}");
    let is_apart = priority < around || priority == 3 && is_right_of_phrase;
    if is_apart { std::format!("( {text} )") } else { text }
}

fn trees() -> impl Strategy<Value = Vec<u8>> {
    let leaf = "[a-z]{0,2}".prop_map(|text| lexeme(&text));
    leaf.prop_recursive(40, 200, 2, |operand| {
        let operator = prop_oneof![
            Just(Vec::from([2, 2])),
            Just(Vec::from([2, 3])),
            (0..3_u8).prop_map(|distance| Vec::from([2, 4, 0, distance])),
        ];
        prop_oneof![
            4 => (operator, operand.clone(), operand.clone())
                .prop_map(|(operator, right, left)| [operator, right, left].concat()),
            1 => operand.prop_map(|operand| [&[2, 1][..], &operand].concat()),
        ]
    })
}

proptest! {
    #[test]
    fn both_ways_write_the_text_of_the_server(items in trees()) {
        let expected = model(&mut &items[..], 0, false);
        prop_assert_eq!(&infix::both::WithSearch(&items).to_string(), &expected);
        #[cfg(feature = "alloc")]
        prop_assert_eq!(&infix::both::WithTable(&items).to_string(), &expected);
    }
}
