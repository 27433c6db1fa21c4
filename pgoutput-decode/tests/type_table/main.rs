//! The table of types in `docs/types.md`, line by line: each type is read from both formats, as the
//! Rust types of its line, and its JSON is that of its line.

mod rows;

use pgoutput_decode::encode::EncodeBinary;
use pgoutput_decode::value;
use pgoutput_decode::value::{Field, FieldType, Format, FromField, JsonOptions, PgType, Value};
use rows::{Input, NOT_VALUES, ROWS};

const TYPES: &str = include_str!("../../../docs/types.md");
const HEAD: &str = "| PostgreSQL | text | binary | Rust | JSON |";

/// Returns the cells of each line of the table.
fn table() -> Vec<[&'static str; 5]> {
    let (_, table) = TYPES.split_once(HEAD).expect("the table");
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |line: &'static str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.try_into().unwrap_or_else(|_| panic!("five cells: {line}"))
    };
    lines.map(cells).collect()
}

/// Returns the texts between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

type Reads = for<'a> fn(&Field<'a>) -> bool;

/// Returns a function that reads a field as the Rust type with this name.
fn reader(name: &str) -> Option<Reads> {
    fn reads<'a, T: FromField<'a>>(field: &Field<'a>) -> bool {
        field.get::<T>().is_ok()
    }
    macro_rules! readers {
        ($($name:literal $ty:ty,)*) => {
            match name {
                $($name => Some(|field: &Field<'_>| reads::<$ty>(field)),)*
                _ => None,
            }
        };
    }
    readers! {
        "bool" bool,
        "integers" i64, "u32" u32,
        "Oid" value::Oid, "Xid" value::Xid, "Cid" value::Cid,
        "Xid8" value::Xid8, "Tid" value::Tid, "Lsn" value::Lsn,
        "f32" f32, "f64" f64, "Float4" value::Float4, "Float8" value::Float8,
        "Numeric" value::Numeric<'_>,
        "Money" value::Money,
        "&str" &str, "String" String, "Text" value::Text<'_>,
        "Char" value::Char,
        "&[u8]" &[u8], "Vec<u8>" Vec<u8>, "Bytea" value::Bytea<'_>,
        "Date" value::Date, "Time" value::Time, "TimeTz" value::TimeTz,
        "Timestamp" value::Timestamp, "TimestampTz" value::TimestampTz, "Interval" value::Interval,
        "time::Date" time::Date, "time::Time" time::Time,
        "time::PrimitiveDateTime" time::PrimitiveDateTime,
        "time::OffsetDateTime" time::OffsetDateTime,
        "(time::Time, time::UtcOffset)" (time::Time, time::UtcOffset),
        "time::Duration" time::Duration,
        "Uuid" value::Uuid, "uuid::Uuid" uuid::Uuid,
        "Json" value::Json<'_>, "Jsonb" value::Jsonb<'_>, "serde_json::Value" serde_json::Value,
        "Inet" value::Inet, "Cidr" value::Cidr,
        "MacAddr" value::MacAddr, "MacAddr8" value::MacAddr8,
        "Bits" value::Bits<'_>,
        "Point" value::Point, "Line" value::Line, "LineSegment" value::LineSegment,
        "Rectangle" value::Rectangle, "Path" value::Path<'_>, "Polygon" value::Polygon<'_>,
        "Circle" value::Circle,
        "TsVector" value::TsVector<'_>, "TsQuery" value::TsQuery<'_>,
        "JsonPath" value::JsonPath<'_>, "Snapshot" value::Snapshot<'_>,
        "Vec<T>" Vec<Option<Value<'_>>>, "Array" value::Array<'_>,
        "Range" value::Range<'_>, "Multirange" value::Multirange<'_>,
        "Composite" value::Composite<'_>, "Hstore" value::Hstore<'_>,
        "Value" Value<'_>,
    }
}

/// Returns whether this is the name of the type in the catalogue or in SQL.
fn is_named(ty: FieldType<'_>, name: &str) -> bool {
    let known = PgType::from_oid(ty.oid());
    // Without quotes, `char` is the name of `character`.
    let typname = known.map(PgType::typname).filter(|typname| *typname != "char");
    let names = [typname, known.map(PgType::sql_name), ty.info().map(|info| info.name)];
    let name = if name == "char" { "bpchar" } else { name };
    names.contains(&Some(name))
}

fn json(field: &Field<'_>) -> String {
    let mut json = String::new();
    field.write_json(&mut json, JsonOptions::default()).unwrap();
    json
}

/// Returns whether the cell describes the JSON, with an example or in words outside of backticks.
fn is_described(cell: &str, input: &Input) -> bool {
    let words: String = cell.split('`').step_by(2).collect();
    let has = |word: &str| words.contains(word);
    let is_literal = quoted(cell).any(|example| example == input.json);
    let as_text =
        has("PostgreSQL's text") && input.json == serde_json::to_string(input.text).unwrap();
    is_literal
        || as_text
        || match input.json.as_bytes() {
            [b'"', ..] => has("string") || has("ISO 8601") || has("as the type below"),
            [b'[', ..] => has("array") || has("nested as they are"),
            [b'{', ..] => has("object") || has("nested as they are"),
            _ => has("number") || has("nested as they are") || has("as the type below"),
        }
}

#[test]
fn the_table_is_correct() {
    let table = table();
    let mut rows: Vec<_> = table.iter().map(|[name, ..]| *name).collect();
    rows.retain(|name| !NOT_VALUES.contains(name));
    assert_eq!(
        rows,
        ROWS.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        "the lines of the table"
    );
    for ([name, in_text, in_binary, rust, document], (_, inputs)) in table.iter().zip(ROWS) {
        for ty in quoted(name) {
            assert!(inputs.iter().any(|input| is_named(input.ty, ty)), "{name}: no value of {ty}");
        }
        assert!(matches!(*in_text, "yes" | "hex, escape" | "a name"), "{name}: {in_text}");
        for input in *inputs {
            let text = Field::of(input.ty, Format::Text, input.text.as_bytes());
            assert_eq!(json(&text), input.json, "{name}");
            assert!(is_described(document, input), "{name}: {} is not {document}", input.json);
            match text.to_binary() {
                Err(_) => assert!(matches!(*in_binary, "kept as it came" | "an oid"), "{name}"),
                Ok(bytes) => {
                    let can_be_read = in_binary.starts_with("yes") || *in_binary == "an oid";
                    assert!(can_be_read, "{name}");
                    let binary = Field::of(input.ty, Format::Binary, &bytes);
                    assert_eq!(json(&binary), input.json, "{name}");
                }
            }
        }
        // Every example in the table is one of the inputs. Some cells also name types.
        let is_example =
            |text: &&str| quoted(name).chain(["JsonOptions", "bytea"]).all(|word| word != *text);
        for example in quoted(document).filter(is_example) {
            assert!(inputs.iter().any(|input| input.json == example), "{name}: {example}");
        }
        for rust in quoted(rust).filter(|rust| !["serde", "time"].contains(rust)) {
            let reads = reader(rust).unwrap_or_else(|| panic!("{name}: {rust} is no type"));
            let read = inputs.iter().any(|input| {
                let text = Field::of(input.ty, Format::Text, input.text.as_bytes());
                let bytes = text.to_binary().unwrap_or_default();
                reads(&text) || reads(&Field::of(input.ty, Format::Binary, &bytes))
            });
            assert!(read, "{name}: nothing is read as {rust}");
        }
    }
}
