//! Every reader and writer of values at its depth limit, on a small stack.
//!
//! A program may read events on any thread; 256 KiB is the smallest stack in common use. An
//! unoptimised build needs several times the stack of an optimised one, so the limit applies to it.

use std::fmt::Debug;
use std::sync::LazyLock;

use pgoutput_decode::encode::{EncodeBinary, TupleBuf};
use pgoutput_decode::row::Row;
use pgoutput_decode::value::{
    Attribute, AttributeList, Field, FieldType, Format, JsonOptions, MAX_DEPTH, TypeInfo, TypeKind,
    TypeSet, Value, ValueErrorKind, type_oid,
};
use pgoutput_decode::{Message, Oid, Relation};
use serde::Deserialize;
use serde::de::IgnoredAny;

const STACK: usize = 256 << 10;

/// Runs on a thread with a small stack. An overflow ends the whole test program.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(run).unwrap();
    thread.join().unwrap();
}

/// Types that contain themselves, which no server has. They replace any number of nested types.
static TYPES: LazyLock<TypeSet> = LazyLock::new(|| {
    let of = |oid| FieldType::new(Oid::new(oid));
    let array = |oid| TypeKind::Array { element: of(oid), delimiter: b',' };
    let inner = |oid| [Attribute::new("inner", of(oid))];
    let (composite, mixed) = (inner(20_004), inner(20_009));
    let composite = TypeKind::Composite(AttributeList::new(&composite));
    let mixed = TypeKind::Composite(AttributeList::new(&mixed));
    let user = |oid, name, kind| TypeInfo::new(Oid::new(oid), name, kind);
    TypeSet::new(&[
        user(20_000, "array", array(20_000)),
        user(20_001, "range", TypeKind::Range(of(20_001))),
        user(20_002, "multirange", TypeKind::Multirange(of(20_003))),
        user(20_003, "of_multiranges", TypeKind::Range(of(20_002))),
        user(20_004, "composite", composite),
        user(20_005, "domains", array(20_006)),
        user(20_006, "domain", TypeKind::Domain(of(20_007))),
        user(20_007, "below", TypeKind::Domain(of(20_005))),
        user(20_008, "mixed", mixed),
        user(20_009, "mixed_array", array(20_010)),
        user(20_010, "mixed_range", TypeKind::Range(of(20_008))),
    ])
});

/// One type of each ring.
fn rings() -> [FieldType<'static>; 6] {
    [20_000, 20_001, 20_002, 20_004, 20_005, 20_008].map(|oid| TYPES.get(Oid::new(oid)).unwrap())
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    let length = i32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Returns the binary form of a value with `depth` containers inside it, the last of which is
/// empty.
fn nested(ty: FieldType<'_>, depth: u8) -> Vec<u8> {
    let inner = |ty: FieldType<'_>| depth.checked_sub(1).map(|depth| sized(&nested(ty, depth)));
    match ty.without_domains().kind() {
        TypeKind::Array { element, .. } => {
            let dimensions = u32::from(depth > 0);
            let head = [dimensions, 0, element.oid().as_u32()].map(u32::to_be_bytes).concat();
            let one = [1_u32, 1].map(u32::to_be_bytes).concat();
            inner(element).map_or(head.clone(), |inner| [head, one, inner].concat())
        }
        // Without an upper bound, or empty.
        TypeKind::Range(subtype) => {
            inner(subtype).map_or(vec![1], |inner| [vec![0x10], inner].concat())
        }
        TypeKind::Multirange(range) => {
            let count = u32::from(depth > 0);
            let ranges = if depth > 0 { sized(&nested(range, depth)) } else { Vec::new() };
            [count.to_be_bytes().to_vec(), ranges].concat()
        }
        TypeKind::Composite(attributes) => {
            let attribute = attributes.get(0).unwrap();
            let value = inner(attribute.ty).unwrap_or(vec![0xFF; 4]);
            [&[0, 0, 0, 1][..], &attribute.ty.oid().as_u32().to_be_bytes(), &value].concat()
        }
        other => panic!("{other:?}"),
    }
}

/// A type that contains itself, in any shape that its values have.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
#[allow(dead_code, reason = "read and compared")]
enum Any {
    Null(()),
    Text(String),
    List(Vec<Any>),
    Named { inner: Box<Any> },
}

fn relation(oid: Oid) -> Relation {
    let frame =
        [&b"R\0\0\0\x01public\0t\0d\0\x01\0c\0"[..], &oid.as_u32().to_be_bytes(), &[0xFF; 4]];
    let frame = frame.concat();
    let Ok(Message::Relation(body)) = Message::decode(&frame, false) else { panic!() };
    Relation::from(&body)
}

/// Reads the column of a row as `T`.
fn deserialized<T: Debug + for<'a> Deserialize<'a>>(field: Field<'_>) -> T {
    #[derive(Debug, Deserialize)]
    struct Only<T> {
        c: T,
    }
    let mut row = TupleBuf::new();
    match field.format() {
        Format::Text => row.text(field.bytes()).unwrap(),
        Format::Binary => row.binary(field.bytes()).unwrap(),
    };
    let table = relation(field.ty().oid());
    let row = Row::new(&table, row.as_tuple()).unwrap().with_types(&TYPES);
    row.deserialize::<Only<T>>().unwrap().c
}

fn texts_of(field: &Field<'_>) -> [String; 3] {
    let value: Value<'_> = field.get().unwrap();
    let mut json = String::new();
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    [value.to_string(), format!("{value:?}"), json]
}

fn try_everything(field: Field<'_>) {
    let value: Value<'_> = field.get().unwrap();
    assert_eq!(value, value.clone());
    let bytes = field.to_binary().unwrap();
    let again = Field::of(field.ty(), Format::Binary, &bytes);
    assert_eq!(again.get::<Value<'_>>().unwrap(), value);
    assert_eq!(texts_of(&again), texts_of(&field));
    let json: serde_json::Value = field.get().unwrap();
    assert_eq!(deserialized::<serde_json::Value>(field), json);
    deserialized::<IgnoredAny>(field);
    deserialized::<Any>(field);
}

#[test]
fn containers_are_read_and_written_at_the_limit_on_a_small_stack() {
    for ty in rings() {
        on_a_small_stack(move || {
            let binary = nested(ty, MAX_DEPTH);
            let field = Field::of(ty, Format::Binary, &binary);
            try_everything(field);
            let text = field.get::<Value<'_>>().unwrap().to_string();
            let from_text = Field::of(ty, Format::Text, text.as_bytes());
            assert_eq!(from_text.get::<Value<'_>>().unwrap(), field.get().unwrap());
            try_everything(from_text);
        });
    }
}

#[test]
fn containers_beyond_the_limit_are_rejected_on_a_small_stack() {
    for ty in rings() {
        // Written here, since the writer needs a larger stack at this depth.
        let binaries = [MAX_DEPTH + 1, 100].map(|depth| nested(ty, depth));
        on_a_small_stack(move || {
            for binary in binaries {
                let field = Field::of(ty, Format::Binary, &binary);
                let error = field.get::<Value<'_>>().unwrap_err();
                assert_eq!(error.kind(), ValueErrorKind::TooDeep, "{error}");
                assert!(error.offset() > 0 && error.offset() < binary.len(), "{error}");
                assert!(field.to_binary().is_err());
                assert!(field.get::<serde_json::Value>().is_err());
            }
        });
    }
}

/// Checks the limit of `serde_json` itself: 127 nested arrays or objects.
#[test]
fn documents_are_read_at_the_limit_of_serde_json_on_a_small_stack() {
    const DEEPEST: usize = 127;
    for (open, close) in [("[", "]"), (r#"{"inner":"#, "}")] {
        on_a_small_stack(move || {
            let document = |depth: usize| [open.repeat(depth), "null".into(), close.repeat(depth)];
            let text = document(DEEPEST).concat();
            let field = Field::new(type_oid::JSON, Format::Text, text.as_bytes());
            let json: serde_json::Value = field.get().unwrap();
            assert_eq!(deserialized::<serde_json::Value>(field), json);
            deserialized::<IgnoredAny>(field);
            deserialized::<Any>(field);
            assert_eq!(
                texts_of(&field),
                [text.clone(), format!("Json(Json({text:?}))"), text.clone()]
            );

            let text = document(DEEPEST + 1).concat();
            let field = Field::new(type_oid::JSON, Format::Text, text.as_bytes());
            let error = field.get::<serde_json::Value>().unwrap_err();
            assert!(error.offset() > 0, "{error}");
        });
    }
}

#[test]
fn a_query_of_any_depth_is_read_and_written_on_a_small_stack() {
    on_a_small_stack(|| {
        let depth = 7_500;
        let text = ["!( ".repeat(depth), "'a'".into(), " & 'b' )".repeat(depth)].concat();
        let array = format!("{{\"{text}\"}}");
        let field = Field::new(type_oid::TSQUERY_ARRAY, Format::Text, array.as_bytes());
        try_everything(field);
        let binary = field.to_binary().unwrap();
        let from_binary = Field::new(type_oid::TSQUERY_ARRAY, Format::Binary, &binary);
        assert_eq!(from_binary.get::<Value<'_>>().unwrap().to_string(), array);
        try_everything(from_binary);
    });
}
