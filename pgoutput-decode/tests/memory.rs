//! Law 10: decoding and reading values allocate nothing, whatever lengths a frame or value
//! declares.

use std::fmt;

use pgoutput_bench::{Counting, allocations};
use pgoutput_decode::value::{
    Attribute, AttributeList, Field, FieldType, Format, JsonOptions, TypeInfo, TypeKind, TypeSet,
    Value, ValueError, ValueErrorKind, type_oid,
};
use pgoutput_decode::{
    CopyData, DecodeError, Decoder, HotStandbyFeedback, Message, Oid, OldTuple,
    StandbyStatusUpdate, StreamAbortForm, TupleColumn,
};
use pgoutput_strategies::{any_frame, mutated, sequences};
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes in every way and visits everything that is borrowed.
fn decode_everything(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut visited = 0;
    for in_stream in [false, true] {
        visited += Message::decode(bytes, in_stream).map_or(0, |message| visit(&message));
        let count = |_, column: TupleColumn<'_>| {
            visited += usize::from(column.utf8().is_some());
        };
        let with = Message::decode_with(bytes, in_stream, count);
        visited += with.map_or(0, |message| visit(&message));
        for form in [StreamAbortForm::Short, StreamAbortForm::Long] {
            let prefix = Message::decode_prefix(bytes, in_stream, form);
            visited += prefix.map_or(0, |(message, _)| visit(&message));
        }
    }
    visited += usize::from(CopyData::decode(bytes).is_ok());
    visited += usize::from(StandbyStatusUpdate::decode(bytes).is_ok());
    visited += usize::from(HotStandbyFeedback::decode(bytes).is_ok());
    Message::decode(bytes, false).map(|_| visited)
}

fn visit(message: &Message<'_>) -> usize {
    let old = |tuple: OldTuple<'_>| match tuple {
        OldTuple::Key(key) => key.full_width().columns().count(),
        OldTuple::Full(row) => row.columns().count(),
    };
    match message {
        Message::Insert(body) => body.new.columns().count(),
        Message::Update(body) => body.old.map_or(0, old) + body.new.columns().count(),
        Message::Delete(body) => old(body.old),
        Message::Relation(body) => body.columns.iter().map(|column| column.name.len()).sum(),
        Message::Truncate(body) => body.relations.iter().count(),
        _ => 1,
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| ()).1, 0);
    assert_eq!(allocations(|| vec![1_u8]).1, 1);
}

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn law_10_no_frame_makes_decoding_allocate(
        good in any_frame(),
        bad in mutated(any_frame().prop_map(|frame| frame.bytes)),
    ) {
        for bytes in [&good.bytes, &bad] {
            prop_assert_eq!(allocations(|| decode_everything(bytes)).1, 0);
        }
    }

    #[test]
    fn law_10_no_stream_makes_its_decoder_allocate(frames in sequences()) {
        let (decoded, count) = allocations(|| {
            let mut decoder = Decoder::new();
            frames.iter().filter(|frame| decoder.decode(frame).is_ok()).count()
        });
        prop_assert_eq!((decoded, count), (frames.len(), 0));
    }
}

#[test]
fn law_10_huge_lengths_and_counts_allocate_nothing() {
    let frames: [&[u8]; 8] = [
        // A row with a count of 65535 columns, but without columns.
        b"I\0\0\0\x01N\xFF\xFF",
        // A value of 2 GiB, text and binary.
        b"I\0\0\0\x01N\0\x01t\x7F\xFF\xFF\xFF",
        b"U\0\0\0\x01N\0\x01b\x7F\xFF\xFF\xFF",
        // The same in an old row.
        b"D\0\0\0\x01K\xFF\xFFt\x7F\xFF\xFF\xFF",
        // A truncate of two billion tables.
        b"T\x7F\xFF\xFF\xFF\0\0\0\0\x01",
        // A table of 65535 columns.
        b"R\0\0\0\x01\0t\0d\xFF\xFF",
        // A message of 2 GiB.
        b"M\0\0\0\0\0\0\0\0\0p\0\x7F\xFF\xFF\xFF",
        // A name without a terminator.
        b"O\0\0\0\0\0\0\0\0nnnnnnnnnnnn",
    ];
    for frame in frames {
        let (decoded, count) = allocations(|| decode_everything(frame));
        assert!(decoded.is_err());
        assert_eq!(count, 0, "{}", frame.escape_ascii());
    }
}

/// Output that counts bytes and calls.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Written {
    bytes: usize,
    calls: usize,
}

impl fmt::Write for Written {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        self.calls += 1;
        Ok(())
    }
}

/// Reads a value, writes it as text and as JSON, and asserts that nothing was allocated.
fn written(ty: FieldType<'_>, format: Format, bytes: &[u8]) -> Result<[Written; 2], ValueError> {
    let (result, count) = allocations(|| {
        let field = Field::of(ty, format, bytes);
        let (mut text, mut json) = (Written::default(), Written::default());
        field.get::<Value<'_>>()?;
        field.write_text(&mut text)?;
        field.write_json(&mut json, JsonOptions::default())?;
        Ok([text, json])
    });
    assert_eq!(count, 0, "{ty:?} {format}");
    result
}

const HSTORE: Oid = Oid::new(16_400);
const TWINS: Oid = Oid::new(16_401);
const RING: Oid = Oid::new(16_402);

/// `twins` contains itself twice, which no server has: the worst possible description.
fn types() -> TypeSet {
    let twins = [
        Attribute::new("text", FieldType::new(type_oid::TEXT)),
        Attribute::new("one", FieldType::new(TWINS)),
        Attribute::new("other", FieldType::new(TWINS)),
    ];
    let twins = TypeKind::Composite(AttributeList::new(&twins));
    let ring = TypeKind::Array { element: FieldType::new(RING), delimiter: b',' };
    TypeSet::new(&[
        TypeInfo::new(HSTORE, "hstore", TypeKind::Hstore),
        TypeInfo::new(TWINS, "twins", twins),
        TypeInfo::new(RING, "ring", ring),
    ])
}

#[test]
fn law_10_values_of_a_few_bytes_that_declare_gigabytes_are_rejected() {
    let (known, types) = (FieldType::new, types());
    let values: [(FieldType<'_>, Format, &[u8]); 15] = [
        // An array of one bytea of 1 GiB, and one of two billion integers.
        (
            known(type_oid::BYTEA_ARRAY),
            Format::Binary,
            b"\0\0\0\x01\0\0\0\0\0\0\0\x11\0\0\0\x01\0\0\0\x01\x40\0\0\0",
        ),
        (
            known(type_oid::INT4_ARRAY),
            Format::Binary,
            b"\0\0\0\x01\0\0\0\0\0\0\0\x17\x7F\xFF\xFF\xFE\0\0\0\x01",
        ),
        // Six dimensions whose product overflows.
        (
            known(type_oid::INT4_ARRAY),
            Format::Binary,
            b"\0\0\0\x06\0\0\0\0\0\0\0\x17\
              \x7F\xFF\xFF\xF0\0\0\0\x01\x7F\xFF\xFF\xF0\0\0\0\x01\x7F\xFF\xFF\xF0\0\0\0\x01\
              \x7F\xFF\xFF\xF0\0\0\0\x01\x7F\xFF\xFF\xF0\0\0\0\x01\x7F\xFF\xFF\xF0\0\0\0\x01",
        ),
        (known(type_oid::INT4_ARRAY), Format::Text, b"[1:2147483646]={1}"),
        (known(type_oid::NUMERIC), Format::Binary, b"\x7F\xFF\0\0\0\0\0\0\0\x01"),
        (known(type_oid::VARBIT), Format::Binary, b"\x7F\xFF\xFF\xFF\xFF"),
        (known(type_oid::PATH), Format::Binary, b"\x01\x7F\xFF\xFF\xFF"),
        (known(type_oid::POLYGON), Format::Binary, b"\x7F\xFF\xFF\xFF"),
        (known(type_oid::TSVECTOR), Format::Binary, b"\x7F\xFF\xFF\xFFa\0\xFF\xFF"),
        (known(type_oid::TSQUERY), Format::Binary, b"\x7F\xFF\xFF\xFF\x02\x02"),
        (known(type_oid::PG_SNAPSHOT), Format::Binary, b"\x7F\xFF\xFF\xFF\0\0\0\0\0\0\0\x01"),
        (known(type_oid::INT4MULTIRANGE), Format::Binary, b"\xFF\xFF\xFF\xFF\0\0\0\x01\x01"),
        (known(type_oid::INT8RANGE), Format::Binary, b"\x02\x40\0\0\0"),
        (types.get(HSTORE).unwrap(), Format::Binary, b"\x7F\xFF\xFF\xFF\x40\0\0\0k"),
        (types.get(TWINS).unwrap(), Format::Binary, b"\0\0\0\x03\0\0\0\x19\x40\0\0\0a"),
    ];
    for (ty, format, bytes) in values {
        assert!(written(ty, format, bytes).is_err(), "{ty:?} {}", bytes.escape_ascii());
    }
}

/// Returns arrays of one element of their own type, nested `depth` deep.
fn ring(depth: usize) -> Vec<u8> {
    // Innermost first: an empty array, then the head of each array around it, built from the end.
    let mut reversed: Vec<u8> =
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x12].into_iter().rev().collect();
    for _ in 0..depth {
        let length = u32::try_from(reversed.len()).unwrap();
        for number in [length, 1, 1, RING.as_u32(), 0, 1] {
            reversed.extend(number.to_be_bytes().iter().rev());
        }
    }
    reversed.reverse();
    reversed
}

/// Returns composites that contain two of themselves, nested `depth` deep, each with one text.
fn twins(depth: usize) -> Vec<u8> {
    let inner = (depth > 0).then(|| twins(depth - 1));
    let mut bytes = b"\0\0\0\x03\0\0\0\x19\0\0\0\x01\"".to_vec();
    for _ in 0..2 {
        bytes.extend(TWINS.as_u32().to_be_bytes());
        match &inner {
            None => bytes.extend((-1_i32).to_be_bytes()),
            Some(inner) => {
                bytes.extend(u32::try_from(inner.len()).unwrap().to_be_bytes());
                bytes.extend(inner);
            }
        }
    }
    bytes
}

#[test]
fn law_10_nested_containers_end_on_a_small_stack() {
    let work = || {
        let types = types();
        let (ring_type, twins_type) = (types.get(RING).unwrap(), types.get(TWINS).unwrap());
        let too_deep = written(ring_type, Format::Binary, &ring(100_000)).unwrap_err();
        assert_eq!(too_deep.kind(), ValueErrorKind::TooDeep);
        // In text, each level doubles the quotes in its values; braces need no quotes.
        let braces = "{".repeat(1_000_000);
        assert!(written(ring_type, Format::Text, braces.as_bytes()).is_err());
        let parentheses = "(\"\"\"\"".repeat(200_000);
        assert!(written(twins_type, Format::Text, parentheses.as_bytes()).is_err());
        let nots = format!("{}'a'", "!".repeat(1_000_000));
        let _ = written(FieldType::new(type_oid::TSQUERY), Format::Text, nots.as_bytes());

        let [_, json] = written(ring_type, Format::Binary, &ring(16)).unwrap();
        assert_eq!(json.bytes, 34, "17 pairs of brackets");
        // Reading and writing take time in proportion to the bytes, not to the types.
        let bytes = twins(8);
        let [_, json] = written(twins_type, Format::Binary, &bytes).unwrap();
        assert!(json.bytes < 2 * bytes.len(), "{json:?} for {} bytes", bytes.len());
        assert!(json.calls < 2 * bytes.len(), "{json:?} for {} bytes", bytes.len());
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn law_10_the_greatest_numeric_is_written_without_a_buffer() {
    let ty = FieldType::new(type_oid::NUMERIC);
    let text = format!("{}.{}", "9".repeat(131_072), "9".repeat(16_383));
    // 36864 groups of four digits, the first of weight 32767, with 16383 decimal places.
    let mut binary = vec![0x90, 0x00, 0x7F, 0xFF, 0, 0, 0x3F, 0xFF];
    binary.extend([0x27, 0x0F].repeat(32_768 + 4_095));
    // The last group has three decimal places.
    binary.extend(9990_u16.to_be_bytes());
    for (format, bytes) in [(Format::Text, text.as_bytes()), (Format::Binary, &binary)] {
        let [shown, json] = written(ty, format, bytes).unwrap();
        // JSON has it in quotes: strict parsers reject a number of this size.
        assert_eq!([shown.bytes, json.bytes], [text.len(), text.len() + 2]);
        assert!(shown.calls <= text.len() && json.calls <= text.len() + 2);
    }
}
