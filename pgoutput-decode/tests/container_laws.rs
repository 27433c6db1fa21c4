//! Laws of arrays, composites, ranges and hstore, tested on randomly nested values. A model writes
//! both forms and the JSON by the rules of the manual. The value read from either form must be
//! written as the model writes it.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{
    Attribute, AttributeList, Field, FieldType, Format, JsonOptions, PgType, TypeInfo, TypeKind,
    Value, type_oid,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

const fn base(oid: Oid) -> TypeInfo<'static> {
    TypeInfo::new(oid, "base", TypeKind::Base)
}

const fn described(oid: u32, kind: TypeKind<'static>) -> TypeInfo<'static> {
    TypeInfo::new(Oid::new(oid), "described", kind)
}

static TEXT: TypeInfo<'_> = base(type_oid::TEXT);
static INT4: TypeInfo<'_> = base(type_oid::INT4);
static BYTEA: TypeInfo<'_> = base(type_oid::BYTEA);
static HSTORE: TypeInfo<'_> = described(16_400, TypeKind::Hstore);
static TEXTS: TypeInfo<'_> = base(type_oid::TEXT_ARRAY);
static RANGE: TypeInfo<'_> = described(16_401, TypeKind::Range(FieldType::described(&TEXT)));
static MULTIRANGE: TypeInfo<'_> =
    described(16_402, TypeKind::Multirange(FieldType::described(&RANGE)));
static SINGLE: TypeInfo<'_> = described(
    16_403,
    TypeKind::Composite(AttributeList::new(&[Attribute::new("only", FieldType::described(&TEXT))])),
);
static SINGLE_ARRAY: TypeInfo<'_> =
    described(16_404, TypeKind::Array { element: FieldType::described(&SINGLE), delimiter: b',' });
static LEAVES: TypeInfo<'_> = described(
    16_405,
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("t", FieldType::described(&TEXT)),
        Attribute::new("i", FieldType::described(&INT4)),
        Attribute::new("b", FieldType::described(&BYTEA)),
        Attribute::new("h", FieldType::described(&HSTORE)),
        Attribute::new("ts", FieldType::described(&TEXTS)),
        Attribute::new("r", FieldType::described(&RANGE)),
        Attribute::new("m", FieldType::described(&MULTIRANGE)),
        Attribute::new("s", FieldType::described(&SINGLE_ARRAY)),
    ])),
);
static MANY: TypeInfo<'_> =
    described(16_406, TypeKind::Array { element: FieldType::described(&LEAVES), delimiter: b';' });
static RANGE_OF_MANY: TypeInfo<'_> =
    described(16_407, TypeKind::Range(FieldType::described(&MANY)));
static DOMAIN: TypeInfo<'_> =
    described(16_408, TypeKind::Domain(FieldType::described(&RANGE_OF_MANY)));
static TOP: TypeInfo<'_> = described(
    16_409,
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("many", FieldType::described(&MANY)),
        Attribute::new("domain", FieldType::described(&DOMAIN)),
        Attribute::new("text \"quoted\"", FieldType::described(&TEXT)),
    ])),
);

const TYPES: [&TypeInfo<'_>; 12] = [
    &TOP,
    &MANY,
    &LEAVES,
    &RANGE_OF_MANY,
    &SINGLE_ARRAY,
    &SINGLE,
    &MULTIRANGE,
    &RANGE,
    &TEXTS,
    &HSTORE,
    &TEXT,
    &BYTEA,
];

#[derive(Debug, Clone)]
enum Model {
    Text(String),
    Int(i32),
    Bytea(Vec<u8>),
    /// Lengths and lower bounds, and as many elements as they declare.
    Array {
        element: Oid,
        delimiter: char,
        dimensions: Vec<(u32, i32)>,
        elements: Vec<Option<Model>>,
    },
    Composite(Vec<(Attribute<'static>, Option<Model>)>),
    /// Each bound with whether it is inclusive; `None` is the empty range.
    Range(Option<[Bound; 2]>),
    Multirange(Vec<Model>),
    Hstore(Vec<(String, Option<String>)>),
}

/// `None` is an unbounded bound.
type Bound = Option<(Box<Model>, bool)>;

/// The characters that are significant to readers of text.
const SPECIAL: &[u8] = b"\"\\{}()[],;=> aN1:0'";

/// Generates texts of characters that are significant to some container.
fn text() -> BoxedStrategy<String> {
    let characters = "\"\\{}()[],;=> \t\nNnUuLl'aé😀\u{a0}\u{b}";
    let special = vec(select(characters.chars().collect::<Vec<_>>()), 0..6);
    prop_oneof![
        8 => special.prop_map(|characters| characters.into_iter().collect::<String>()),
        1 => select(vec!["NULL", "null", "empty", "", "\"", "\\"]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn array(element: FieldType<'static>, delimiter: char) -> BoxedStrategy<Model> {
    let dimension = (1..4_u32, prop_oneof![3 => Just(1), 1 => -9..9_i32]);
    let dimensions = prop_oneof![4 => vec(dimension.clone(), 0..=1), 1 => vec(dimension, 2..=3)];
    dimensions
        .prop_flat_map(move |dimensions| {
            let count = match dimensions.as_slice() {
                [] => 0,
                some => some.iter().map(|(len, _)| *len as usize).product(),
            };
            // Deep nesting needs only few elements on each level.
            let dimensions = if count > 6 { vec![(2, 1)] } else { dimensions };
            let count = if count > 6 { 2 } else { count };
            (Just(dimensions), vec(option::weighted(0.8, model(element)), count))
        })
        .prop_map(move |(dimensions, elements)| Model::Array {
            element: element.oid(),
            delimiter,
            dimensions,
            elements,
        })
        .boxed()
}

fn range(subtype: FieldType<'static>) -> BoxedStrategy<Model> {
    let bound = move || option::of((model(subtype).prop_map(Box::new), any::<bool>()));
    option::weighted(0.9, [bound(), bound()]).prop_map(Model::Range).boxed()
}

fn model(ty: FieldType<'static>) -> BoxedStrategy<Model> {
    match ty.kind() {
        TypeKind::Base => match ty.oid() {
            type_oid::INT4 => any::<i32>().prop_map(Model::Int).boxed(),
            type_oid::BYTEA => vec(any::<u8>(), 0..4).prop_map(Model::Bytea).boxed(),
            type_oid::TEXT_ARRAY => array(FieldType::new(type_oid::TEXT), ','),
            _ => text().prop_map(Model::Text).boxed(),
        },
        TypeKind::Hstore => vec((text(), option::of(text())), 0..3).prop_map(Model::Hstore).boxed(),
        TypeKind::Domain(base) => model(base),
        TypeKind::Array { element, delimiter } => array(element, delimiter.into()),
        TypeKind::Range(subtype) => range(subtype),
        TypeKind::Multirange(of) => vec(model(of), 0..3).prop_map(Model::Multirange).boxed(),
        TypeKind::Composite(attributes) => {
            let values: Vec<_> =
                attributes.iter().map(|attribute| option::of(model(attribute.ty))).collect();
            values
                .prop_map(move |values| Model::Composite(attributes.iter().zip(values).collect()))
                .boxed()
        }
        other => panic!("{other:?}"),
    }
}

fn escaped(text: &str, with: impl Fn(char) -> char) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(with(c));
        }
        out.push(c);
    }
    out + "\""
}

fn doubled_if(text: String, special: &str) -> String {
    let space = |c: char| matches!(c, ' ' | '\t'..='\r');
    if text.is_empty() || text.contains(|c| space(c) || "\"\\,".contains(c) || special.contains(c))
    {
        escaped(&text, |c| c)
    } else {
        text
    }
}

fn array_element(text: String, delimiter: char) -> String {
    let special =
        |c: char| matches!(c, '"' | '\\' | '{' | '}' | ' ' | '\t'..='\r') || c == delimiter;
    if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
        escaped(&text, |_| '\\')
    } else {
        text
    }
}

/// Writes each element with `write`, nested by the lengths.
fn nested<T>(
    lengths: &[u32],
    items: &mut std::slice::Iter<'_, T>,
    brackets: [&str; 3],
    write: &dyn Fn(&T) -> String,
) -> String {
    let Some((len, inner)) = lengths.split_first() else { return write(items.next().unwrap()) };
    let row: Vec<_> = (0..*len).map(|_| nested(inner, items, brackets, write)).collect();
    [brackets[0], &row.join(brackets[1]), brackets[2]].concat()
}

impl Model {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Bytea(bytes) => {
                bytes.iter().fold(r"\x".to_owned(), |text, byte| text + &format!("{byte:02x}"))
            }
            Self::Array { elements, .. } if elements.is_empty() => "{}".to_owned(),
            Self::Array { delimiter, dimensions, elements, .. } => {
                let mut bounds = String::new();
                if dimensions.iter().any(|(_, lower)| *lower != 1) {
                    for (len, lower) in dimensions {
                        bounds = format!("{bounds}[{lower}:{}]", lower + len.cast_signed() - 1);
                    }
                    bounds += "=";
                }
                let lengths: Vec<_> = dimensions.iter().map(|(len, _)| *len).collect();
                let between = delimiter.to_string();
                let write = |element: &Option<Self>| match element {
                    None => "NULL".to_owned(),
                    Some(element) => array_element(element.text(), *delimiter),
                };
                bounds + &nested(&lengths, &mut elements.iter(), ["{", &between, "}"], &write)
            }
            Self::Composite(attributes) => {
                let values = attributes.iter().map(|(_, value)| {
                    value.as_ref().map_or(String::new(), |value| doubled_if(value.text(), "()"))
                });
                format!("({})", values.collect::<Vec<_>>().join(","))
            }
            Self::Range(None) => "empty".to_owned(),
            Self::Range(Some([lower, upper])) => {
                let bound = |bound: &Bound| {
                    bound.as_ref().map_or(String::new(), |(b, _)| doubled_if(b.text(), "()[]"))
                };
                let is_closed = |bound: &Bound| matches!(bound, Some((_, true)));
                let open = if is_closed(lower) { '[' } else { '(' };
                let close = if is_closed(upper) { ']' } else { ')' };
                format!("{open}{},{}{close}", bound(lower), bound(upper))
            }
            Self::Multirange(ranges) => {
                format!("{{{}}}", ranges.iter().map(Self::text).collect::<Vec<_>>().join(","))
            }
            Self::Hstore(pairs) => {
                let quoted = |text: &String| escaped(text, |_| '\\');
                let pairs = pairs.iter().map(|(key, value)| {
                    let value = value.as_ref().map_or("NULL".to_owned(), quoted);
                    format!("{}=>{value}", quoted(key))
                });
                pairs.collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn binary(&self) -> Vec<u8> {
        let int = |number: usize| i32::try_from(number).unwrap().to_be_bytes();
        let sized = |bytes: Option<Vec<u8>>| match bytes {
            None => vec![0xFF; 4],
            Some(bytes) => [&int(bytes.len())[..], &bytes].concat(),
        };
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Int(number) => number.to_be_bytes().to_vec(),
            Self::Bytea(bytes) => bytes.clone(),
            Self::Array { element, dimensions, elements, .. } => {
                let has_nulls = elements.iter().any(Option::is_none);
                let mut out = [int(dimensions.len()), int(has_nulls.into())].concat();
                out.extend(element.as_u32().to_be_bytes());
                for (len, lower) in dimensions {
                    out.extend(len.to_be_bytes());
                    out.extend(lower.to_be_bytes());
                }
                for element in elements {
                    out.extend(sized(element.as_ref().map(Self::binary)));
                }
                out
            }
            Self::Composite(attributes) => {
                let mut out = int(attributes.len()).to_vec();
                for (attribute, value) in attributes {
                    out.extend(attribute.ty.oid().as_u32().to_be_bytes());
                    out.extend(sized(value.as_ref().map(Self::binary)));
                }
                out
            }
            Self::Range(None) => vec![1],
            Self::Range(Some(bounds)) => {
                let mut out = vec![0];
                for (bound, [inclusive, infinite]) in bounds.iter().zip([[2, 8], [4, 16]]) {
                    match bound {
                        None => out[0] |= infinite,
                        Some((bound, is_inclusive)) => {
                            out[0] |= if *is_inclusive { inclusive } else { 0 };
                            out.extend(sized(Some(bound.binary())));
                        }
                    }
                }
                out
            }
            Self::Multirange(ranges) => {
                let mut out = int(ranges.len()).to_vec();
                for range in ranges {
                    out.extend(sized(Some(range.binary())));
                }
                out
            }
            Self::Hstore(pairs) => {
                let mut out = int(pairs.len()).to_vec();
                for (key, value) in pairs {
                    out.extend(sized(Some(key.clone().into_bytes())));
                    out.extend(sized(value.clone().map(String::into_bytes)));
                }
                out
            }
        }
    }

    fn json(&self) -> String {
        let string = |text: &str| serde_json::to_string(text).unwrap();
        let member = |key: &str, value: Option<String>| {
            format!("{}:{}", string(key), value.unwrap_or("null".to_owned()))
        };
        let object = |members: Vec<String>| format!("{{{}}}", members.join(","));
        match self {
            Self::Int(number) => number.to_string(),
            Self::Array { elements, .. } if elements.is_empty() => "[]".to_owned(),
            Self::Array { dimensions, elements, .. } => {
                let lengths: Vec<_> = dimensions.iter().map(|(len, _)| *len).collect();
                let write = |e: &Option<Self>| e.as_ref().map_or("null".to_owned(), Self::json);
                nested(&lengths, &mut elements.iter(), ["[", ",", "]"], &write)
            }
            Self::Composite(attributes) => {
                let members = attributes.iter().map(|(attribute, value)| {
                    member(attribute.name, value.as_ref().map(Self::json))
                });
                object(members.collect())
            }
            Self::Hstore(pairs) => {
                let members = pairs.iter().map(|(k, v)| member(k, v.as_ref().map(|v| string(v))));
                object(members.collect())
            }
            _ => string(&self.text()),
        }
    }
}

fn any_model() -> impl Strategy<Value = (&'static TypeInfo<'static>, Model)> {
    select(TYPES.to_vec()).prop_flat_map(|ty| (Just(ty), model(FieldType::described(ty))))
}

fn written(field: Field<'_>) -> [String; 2] {
    let [mut text, mut json] = [String::new(), String::new()];
    field.write_text(&mut text).unwrap();
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    [text, json]
}

/// Reads and writes a value. If it can be read, its text must read back as the same value.
fn try_all(ty: &TypeInfo<'_>, format: Format, bytes: &[u8]) -> Result<(), TestCaseError> {
    let field = Field::with_type(ty, format, bytes);
    match field.get::<Value<'_>>() {
        Err(error) => prop_assert!(error.offset() <= bytes.len(), "{} of {}", error, bytes.len()),
        Ok(Value::Opaque(_)) => {}
        Ok(value) => {
            let [text, _] = written(field);
            let again = Field::with_type(ty, Format::Text, text.as_bytes());
            prop_assert_eq!(again.get::<Value<'_>>(), Ok(value), "{}", &text);
            prop_assert_eq!(&written(again)[0], &text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_forms_are_the_value_of_the_model((ty, model) in any_model()) {
        let (text, binary) = (model.text(), model.binary());
        let from_text = Field::with_type(ty, Format::Text, text.as_bytes());
        let from_binary = Field::with_type(ty, Format::Binary, &binary);
        prop_assert_eq!(from_text.get::<Value<'_>>(), from_binary.get::<Value<'_>>());
        let expected = [text.clone(), model.json()];
        prop_assert_eq!(written(from_text), expected.clone());
        prop_assert_eq!(written(from_binary), expected);
        #[cfg(feature = "encode")]
        for field in [from_text, from_binary] {
            let written = pgoutput_decode::encode::EncodeBinary::to_binary(&field);
            prop_assert_eq!(written.as_ref(), Ok(&binary), "{}", &text);
        }
    }

    #[test]
    fn values_are_equal_if_their_texts_are(
        (ty, left) in any_model(),
        right in any::<Index>(),
        other in text(),
    ) {
        // The same value with a text inserted somewhere.
        let left = left.text();
        let mut right: String = {
            let at = right.index(left.chars().count() + 1);
            left.chars().take(at).chain(other.chars()).chain(left.chars().skip(at)).collect()
        };
        if other.is_empty() {
            right.clone_from(&left);
        }
        let [a, b] = [&left, &right]
            .map(|text| Field::with_type(ty, Format::Text, text.as_bytes()));
        if let (Ok(a), Ok(b)) = (a.get::<Value<'_>>(), b.get::<Value<'_>>()) {
            prop_assert_eq!(a == b, a.to_string() == b.to_string());
        }
    }

    #[test]
    fn changed_values_never_panic(
        (ty, model) in any_model(),
        is_binary: bool,
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        len in any::<Index>(),
        is_cut: bool,
    ) {
        let mut bytes = if is_binary { model.binary() } else { model.text().into_bytes() };
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                let special = SPECIAL[usize::from(byte) % SPECIAL.len()];
                bytes[at] = if is_binary { byte } else { special };
            }
        }
        if is_cut && !bytes.is_empty() {
            bytes.truncate(len.index(bytes.len()));
        }
        try_all(ty, if is_binary { Format::Binary } else { Format::Text }, &bytes)?;
    }

    #[test]
    fn any_bytes_of_any_type_never_panic(
        built_in in select(PgType::all().to_vec()),
        ty in select(TYPES.to_vec()),
        is_described: bool,
        is_binary: bool,
        bytes in prop_oneof![
            vec(any::<u8>(), 0..60),
            vec(select(SPECIAL.to_vec()), 0..30),
            vec(select(b"\0\0\0\0\x01\x02\x04\x19\xFF".to_vec()), 0..60),
        ],
    ) {
        let built_in = base(built_in.oid());
        let format = if is_binary { Format::Binary } else { Format::Text };
        try_all(if is_described { ty } else { &built_in }, format, &bytes)?;
    }
}
