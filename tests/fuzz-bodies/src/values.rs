//! Laws that hold for any value, type and bytes, checked on a small stack.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use pgoutput_decode::Oid;
use pgoutput_decode::encode::{EncodeBinary, EncodeError};
use pgoutput_decode::value::{
    Array, Attribute, AttributeList, Bytea, Composite, Field, FieldType, Format, FromField, Hstore,
    JsonOptions, Numeric, PgType, Text, TypeInfo, TypeKind, TypeSet, Value, type_oid,
};

use crate::small_stack;

/// A text value of any type: four bytes that choose the type for [`value_type`], and the text.
pub fn value_text(bytes: &[u8]) {
    small_stack::run(|bytes| with_type(bytes, Format::Text), bytes);
}

/// A binary value of any type: four bytes that choose the type for [`value_type`], and the value.
pub fn value_binary(bytes: &[u8]) {
    small_stack::run(|bytes| with_type(bytes, Format::Binary), bytes);
}

/// A container in text: one byte that chooses the type, and the text.
pub fn container_text(bytes: &[u8]) {
    small_stack::run(|bytes| container(bytes, Format::Text), bytes);
}

/// A container in binary: one byte that chooses the type, and the value.
pub fn container_binary(bytes: &[u8]) {
    small_stack::run(|bytes| container(bytes, Format::Binary), bytes);
}

fn with_type(bytes: &[u8], format: Format) {
    if let Some((ty, value)) = bytes.split_first_chunk() {
        check(FieldType::new(value_type(Oid::new(u32::from_be_bytes(*ty)))), format, value);
    }
}

fn container(bytes: &[u8], format: Format) {
    if let Some((choice, value)) = bytes.split_first() {
        let oid = Oid::new(CONTAINERS[usize::from(*choice) % CONTAINERS.len()]);
        check(TYPES.get(oid).unwrap_or(FieldType::new(oid)), format, value);
    }
}

/// Returns a type for a number. The oid of a built-in type is that type. A number above 16383,
/// where oids of user-defined types begin, is an unknown type. Any other number chooses among the
/// built-in types, so that a fuzzer finds them all.
pub fn value_type(oid: Oid) -> Oid {
    let all = PgType::all();
    if oid.as_u32() > 16_383 || PgType::from_oid(oid).is_some() {
        return oid;
    }
    let index = usize::try_from(oid.as_u32()).unwrap_or_default() % all.len();
    all[index].oid()
}

fn attributes<'a>(list: &[(&'a str, u32)]) -> Vec<Attribute<'a>> {
    let attribute =
        |(name, oid): &(&'a str, u32)| Attribute::new(name, FieldType::new(Oid::new(*oid)));
    list.iter().map(attribute).collect()
}

/// The types that [`CONTAINERS`] names, and those that they consist of.
///
/// `node` holds itself, in an array and below a domain; `ring` and `ranges` hold nothing else. No
/// server has such types: a value of them can be as deep as its bytes allow.
static TYPES: LazyLock<TypeSet> = LazyLock::new(|| {
    let [node, item, one, holder] = [
        attributes(&[
            ("label", TEXT),
            ("nodes", 20_007),
            ("below", 20_005),
            ("words", 20_003),
            ("pairs", 20_002),
        ]),
        attributes(&[
            ("n", NUMERIC),
            ("mood", 20_001),
            ("raw", BYTEA),
            ("boxes", 20_000),
            ("numbers", INTEGERS),
        ]),
        attributes(&[("one", INTEGER)]),
        attributes(&[("document", JSON)]),
    ];
    let of = |oid| FieldType::new(Oid::new(oid));
    let array = |element, delimiter| TypeKind::Array { element: of(element), delimiter };
    let composite = |attributes| TypeKind::Composite(AttributeList::new(attributes));
    let user = |oid, name, kind| TypeInfo::new(Oid::new(oid), name, kind);
    TypeSet::new(&[
        user(20_000, "box[]", array(BOX, b';')),
        user(20_001, "mood", TypeKind::Enum),
        user(20_002, "hstore", TypeKind::Hstore),
        user(20_003, "words", TypeKind::Range(of(TEXT))),
        user(20_004, "many_words", TypeKind::Multirange(of(20_003))),
        user(20_005, "domain", TypeKind::Domain(of(20_006))),
        user(20_006, "node", composite(&node)),
        user(20_007, "node[]", array(20_006, b',')),
        user(20_008, "item", composite(&item)),
        user(20_009, "item[]", array(20_008, b',')),
        user(20_010, "one", composite(&one)),
        user(20_011, "none", composite(&[])),
        user(20_012, "ring", array(20_012, b',')),
        user(20_013, "ranges", TypeKind::Range(of(20_013))),
        user(20_014, "json[]", array(20_015, b',')),
        user(20_015, "holder", composite(&holder)),
    ])
});

const TEXT: u32 = type_oid::TEXT.as_u32();
const INTEGER: u32 = type_oid::INT4.as_u32();
const NUMERIC: u32 = type_oid::NUMERIC.as_u32();
const BYTEA: u32 = type_oid::BYTEA.as_u32();
const BOX: u32 = type_oid::BOX.as_u32();
const JSON: u32 = type_oid::JSON.as_u32();
const TEXTS: u32 = type_oid::TEXT_ARRAY.as_u32();
const INTEGERS: u32 = type_oid::INT4_ARRAY.as_u32();

/// The types that `container_text` and `container_binary` choose from.
const CONTAINERS: [u32; 15] = [
    TEXTS, INTEGERS, 20_000, 20_008, 20_009, 20_006, 20_007, 20_003, 20_004, 20_002, 20_010,
    20_011, 20_012, 20_013, 20_014,
];

/// A value is read or refused. If it is read, it prints a text that reads as the same value, and
/// valid JSON, and is written in binary as bytes that read as the same value.
fn check(ty: FieldType<'_>, format: Format, bytes: &[u8]) {
    let field = Field::of(ty, format, bytes);
    match field.get::<Value<'_>>() {
        Ok(value) => {
            printed(ty, &value);
            encoded(&field, &value);
        }
        Err(error) => {
            assert!(error.offset() <= bytes.len(), "{error} is outside of {} bytes", bytes.len());
            assert!(!error.to_string().is_empty());
            let mut json = String::new();
            assert!(field.write_json(&mut json, JsonOptions::default()).is_err());
            assert_eq!(json, "", "a rejected value must write nothing");
        }
    }
    read_otherwise(&field);
}

/// The longest text that is checked. Twenty bytes of `numeric` can mean 147,000 digits, and a quote
/// inside of 16 containers becomes 65,000 bytes, as PostgreSQL itself writes them.
const PRINTED: usize = 1 << 18;

struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > PRINTED {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn printed(ty: FieldType<'_>, value: &Value<'_>) {
    let mut json = Limited(String::new());
    let written = value.write_json(&mut json, JsonOptions::default()).is_ok();
    assert!(!json.0.contains(['\n', '\r']), "one line");
    if written {
        // The strictest reader: numbers must fit, surrogate pairs must be whole, and the nesting is
        // limited.
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&json.0);
        assert!(parsed.is_ok(), "{}", json.0);
    }
    // Exercises the stack that `Debug` needs.
    let _ = write!(Limited(String::new()), "{value:?}");
    // Bytes of an unknown type have no text form.
    if matches!(value, Value::Opaque(_))
        || ty.info().is_none() && PgType::from_oid(ty.oid()).is_none()
    {
        return;
    }
    let mut text = Limited(String::new());
    if write!(text, "{value}").is_ok() {
        let again = Field::of(ty, Format::Text, text.0.as_bytes());
        let again: Value<'_> = again.get().unwrap_or_else(|error| panic!("{}: {error}", text.0));
        assert_eq!(again, *value, "{}", text.0);
    }
}

fn encoded(field: &Field<'_>, value: &Value<'_>) {
    let is_text = field.format() == Format::Text;
    let bytes = match field.to_binary() {
        Ok(bytes) => bytes,
        Err(error) if is_text && error.is_unrepresentable() => return,
        // The text of these types is validated only here.
        Err(EncodeError::Value(_)) if is_text && holds_lexemes(field.ty()) => return,
        Err(error) => panic!("{error}"),
    };
    let ty = field.ty();
    let is_lexemes = holds_lexemes(ty);
    if field.format() == Format::Binary || !is_lexemes {
        let again = Field::of(ty, Format::Binary, &bytes);
        let same: Value<'_> = again.get().unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"));
        assert_eq!(same, *value, "{bytes:02x?}");
        // The binary form of each value is unique.
        assert_eq!(again.to_binary().as_ref(), Ok(&bytes));
    }
}

/// Returns the type, or the element type of a built-in array.
fn element(ty: FieldType<'_>) -> Oid {
    let oid = ty.without_domains().oid();
    PgType::from_oid(oid).and_then(PgType::element).unwrap_or(oid)
}

fn holds_lexemes(ty: FieldType<'_>) -> bool {
    [type_oid::TSVECTOR, type_oid::TSQUERY].contains(&element(ty))
}

/// Reads the field as types that do not use `Value`.
fn read_otherwise<'a>(field: &Field<'a>) {
    fn read<'a, T: FromField<'a>>(field: &Field<'a>) {
        if let Err(error) = field.get::<T>() {
            assert!(error.offset() <= field.bytes().len(), "{error}");
        }
    }
    read::<bool>(field);
    read::<i16>(field);
    read::<u64>(field);
    read::<f32>(field);
    read::<f64>(field);
    read::<&str>(field);
    read::<&[u8]>(field);
    read::<String>(field);
    read::<Vec<u8>>(field);
    read::<Vec<Option<i32>>>(field);
    read::<Vec<Option<String>>>(field);
    read::<Vec<Vec<Option<Vec<u8>>>>>(field);
    read::<Numeric<'a>>(field);
    read::<Bytea<'a>>(field);
    read::<serde_json::Value>(field);
    if let Ok(text) = field.get::<Text<'_>>() {
        assert_eq!(text.pieces().collect::<String>(), text.to_string());
    }
    if let Ok(array) = field.get::<Array<'_>>() {
        assert_eq!(array.elements().count(), array.len(), "every element must be returned");
        array.elements().flatten().for_each(|element| {
            element.get::<Value<'_>>().expect("read once before");
        });
    }
    if let Ok(composite) = field.get::<Composite<'_>>() {
        let described = composite.attributes().len();
        assert_eq!(composite.attributes().count(), described, "every attribute must be returned");
    }
    if let Ok(pairs) = field.get::<Hstore<'_>>() {
        assert!(pairs.pairs().count() <= field.bytes().len());
    }
}
