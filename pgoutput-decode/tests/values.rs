//! Values that a real server wrote in text and in binary: both are read as equal values, and print
//! what the server printed.

use pgoutput_decode::value::{
    Field, FieldType, Format, JsonOptions, Numeric, PgType, Value, type_oid,
};

/// Lines of type, text and hexadecimal binary form, written by `data/values.sql`.
const SERVER_VALUES: &str = include_str!("data/values.tsv");

struct Sample {
    ty: FieldType<'static>,
    text: String,
    binary: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    SERVER_VALUES.lines().map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let columns: Vec<_> = line.split('\t').collect();
    let [ty, text, binary] = columns[..] else { panic!("three columns: {line}") };
    let ty = match ty {
        "character(5)" => "character",
        "bit(1)" | "bit(9)" => "bit",
        "time" => "time without time zone",
        "timestamp" => "timestamp without time zone",
        other => other,
    };
    let known = PgType::all().iter().find(|known| known.sql_name() == ty).expect(line);
    let binary = (0..binary.len()).step_by(2).map(|at| u8::from_str_radix(&binary[at..at + 2], 16));
    Sample {
        ty: FieldType::new(known.oid()),
        text: unescape(text),
        binary: binary.collect::<Result<_, _>>().expect(line),
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match (c, c == '\\') {
            (_, true) => match chars.next().expect("an escape") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            (plain, false) => plain,
        });
    }
    out
}

#[test]
fn text_and_binary_are_the_same_value_and_print_as_the_server_did() {
    let samples = samples();
    assert!(samples.len() > 4000, "{}", samples.len());
    for Sample { ty, text, binary } in &samples {
        let from_text = Field::of(*ty, Format::Text, text.as_bytes());
        let from_binary = Field::of(*ty, Format::Binary, binary);
        let name = PgType::from_oid(ty.oid()).unwrap().sql_name();
        let value: Value<'_> = from_text.get().unwrap_or_else(|e| panic!("{name} {text:?}: {e}"));
        let same: Value<'_> = from_binary.get().unwrap_or_else(|e| panic!("{name} {text:?}: {e}"));
        assert!(!matches!(same, Value::Opaque(_)), "{name} has no reader");
        assert_eq!(value, same, "{name} {text:?}");
        for field in [from_text, from_binary] {
            let mut written = String::new();
            field.write_text(&mut written).unwrap();
            assert_eq!(written, *text, "{name} as {}", field.format());
            #[cfg(feature = "encode")]
            {
                use pgoutput_decode::encode::EncodeBinary as _;
                let written = field.to_binary().unwrap_or_else(|e| panic!("{name} {text:?}: {e}"));
                assert_eq!(written, *binary, "{name} {text:?} as {}", field.format());
            }
        }
        let json = |field: Field<'_>| {
            let mut json = String::new();
            field.write_json(&mut json, JsonOptions::default()).unwrap();
            json
        };
        assert_eq!(json(from_text), json(from_binary), "{name}");
        assert!(!json(from_text).contains(['\n', '\r']), "{name}");
    }
}

#[test]
fn no_prefix_of_a_binary_value_is_read_unless_it_is_text() {
    for Sample { ty, text, binary } in samples() {
        if !matches!(
            Field::of(ty, Format::Binary, &binary).get::<Value<'_>>(),
            Ok(Value::Text(_)
                | Value::Bytea(_)
                | Value::Json(_)
                | Value::Jsonb(_)
                | Value::JsonPath(_))
        ) {
            for end in 0..binary.len() {
                let cut = Field::of(ty, Format::Binary, &binary[..end]);
                assert!(cut.get::<Value<'_>>().is_err(), "{text}: {end} of {}", binary.len());
            }
            let longer = [&binary[..], &[0]].concat();
            let field = Field::of(ty, Format::Binary, &longer);
            assert!(field.get::<Value<'_>>().is_err(), "{text}: a byte too many");
        }
    }
}

#[test]
fn the_greatest_numeric_is_read_and_written_digit_by_digit() {
    // 10 to the power of 131071 with 16383 decimal places of zeros: two bytes of digits in binary.
    let text = format!("1{}.{}", "0".repeat(131_071), "0".repeat(16_383));
    let binary = [0, 1, 0x7F, 0xFF, 0, 0, 0x3F, 0xFF, 0x03, 0xE8];
    let from_text = Field::new(type_oid::NUMERIC, Format::Text, text.as_bytes());
    let from_binary = Field::new(type_oid::NUMERIC, Format::Binary, &binary);
    assert_eq!(from_text.get::<Numeric<'_>>(), from_binary.get::<Numeric<'_>>());
    let mut json = String::new();
    from_binary.write_json(&mut json, JsonOptions::default()).unwrap();
    // In quotes: strict parsers reject a number of this size.
    assert!(json == format!("\"{text}\""));
}
