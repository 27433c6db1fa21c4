use super::*;
use crate::id::Oid;
use crate::value::{Format, Value};
use std::string::{String, ToString};
use std::vec::Vec;

const UNKNOWN: Oid = Oid::new(20_000);

fn text<'a, T: FromField<'a>>(oid: Oid, bytes: &'a [u8]) -> Result<T, ValueError> {
    Field::new(oid, Format::Text, bytes).get()
}

fn binary<'a, T: FromField<'a>>(oid: Oid, bytes: &'a [u8]) -> Result<T, ValueError> {
    Field::new(oid, Format::Binary, bytes).get()
}

#[test]
fn the_text_of_any_type_without_a_reader_is_a_string() {
    for oid in [
        type_oid::ACLITEM,
        type_oid::RECORD,
        type_oid::PG_NDISTINCT,
        type_oid::PG_DEPENDENCIES,
        type_oid::PG_MCV_LIST,
        type_oid::REGCLASS,
        UNKNOWN,
    ] {
        assert_eq!(text(oid, b"a=r/b"), Ok("a=r/b"), "{oid}");
        assert_eq!(text(oid, b"a=r/b"), Ok(String::from("a=r/b")));
        assert_eq!(text::<Text<'_>>(oid, b"a=r/b").unwrap(), "a=r/b");
        assert_eq!(text(oid, b"a\xFF"), Ok(&b"a\xFF"[..]));
    }
    let acls: Vec<&str> = text(type_oid::ACLITEM_ARRAY, b"{a=r/b,=r/b}").unwrap();
    assert_eq!(acls, ["a=r/b", "=r/b"]);
    let quoted: Vec<Vec<u8>> = text(type_oid::ACLITEM_ARRAY, br#"{"\"a b\"=r/c"}"#).unwrap();
    assert_eq!(quoted, [br#""a b"=r/c"#]);
}

#[test]
fn the_binary_form_of_any_type_without_a_reader_is_bytes() {
    for oid in [type_oid::PG_NDISTINCT, type_oid::RECORD, UNKNOWN] {
        assert_eq!(binary(oid, b"\0\xFF"), Ok(&b"\0\xFF"[..]), "{oid}");
        assert_eq!(binary(oid, b"\0\xFF"), Ok(Vec::from(*b"\0\xFF")));
        assert_eq!(binary(oid, b"\0\xFF"), Ok(Bytea::new(b"\0\xFF")));
        let error = binary::<&str>(oid, b"x").unwrap_err();
        assert_eq!(error.kind(), ValueErrorKind::Undescribed);
        assert!(error.to_string().contains("`Bytea`"), "{error}");
    }
    assert_eq!(text(UNKNOWN, b"\\x00"), Ok(Bytea::new(b"\\x00")), "a type without a meaning");
    assert!(binary::<&[u8]>(type_oid::INT4, b"\0\0\0\0").is_err(), "it has a reader");
}

#[test]
fn names_of_objects_are_text_and_their_oids_binary() {
    assert_eq!(binary(type_oid::REGCLASS, &[0, 0, 0x04, 0xEB]), Ok(Oid::new(1259)));
    assert_eq!(binary(type_oid::REGPROC, &[0, 0, 0x04, 0xEB]), Ok(1259_u32));
    assert_eq!(
        binary::<Value<'_>>(type_oid::REGROLE, &[0, 0, 0, 10]),
        Ok(Value::Oid(Oid::new(10)))
    );
    assert_eq!(text(type_oid::REGCLASS, b"1259"), Ok(Oid::new(1259)));
    assert_eq!(text(type_oid::REGTYPE, b"-"), Ok(Oid::new(0)));
    assert_eq!(text(type_oid::REGOPER, b"0"), Ok(0_u32));
    assert_eq!(text(type_oid::REGCLASS, b"pg_class"), Ok("pg_class"));
    assert_eq!(text::<Value<'_>>(type_oid::REGCLASS, b"1259"), Ok(Value::Oid(Oid::new(1259))));
    assert!(matches!(text::<Value<'_>>(type_oid::REGCLASS, b"01"), Ok(Value::Text(_))));
    for (oid, name) in
        [(type_oid::REGCLASS, "pg_class"), (type_oid::REGOPER, "-"), (type_oid::REGTYPE, "")]
    {
        let error = text::<Oid>(oid, name.as_bytes()).unwrap_err();
        assert!(matches!(error.kind(), ValueErrorKind::OtherFormat { .. }), "{name}: {error}");
        assert!(error.to_string().contains("option `binary`"), "{error}");
    }
    let error = binary::<String>(type_oid::REGCLASS, &[0, 0, 0, 1]).unwrap_err();
    assert!(matches!(error.kind(), ValueErrorKind::OtherFormat { .. }));
    assert!(
        error.to_string().contains("an oid instead of a name at byte 0: read it as `Oid`"),
        "{error}"
    );
    assert!(text::<u32>(type_oid::REGCLASS, b"4294967296").is_err());

    let array = b"\0\0\0\x01\0\0\0\0\0\0\x08\x9D\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\x04\xEB";
    assert_eq!(binary(type_oid::REGCLASS_ARRAY, array), Ok(Vec::from([Oid::new(1259)])));
    assert_eq!(text(type_oid::REGCLASS_ARRAY, b"{1,-}"), Ok(Vec::from([1_u32, 0])));
    let names = br#"{pg_class,"\"A b\""}"#;
    assert_eq!(
        text(type_oid::REGCLASS_ARRAY, names),
        Ok(Vec::from(["pg_class", "\"A b\""].map(String::from)))
    );
    let error = text::<Vec<Oid>>(type_oid::REGCLASS_ARRAY, names).unwrap_err();
    assert!(matches!(error.kind(), ValueErrorKind::OtherFormat { .. }), "{error}");
}

#[test]
fn documents_are_strings_and_bytes_too() {
    let document = br#"{"a": 1}"#;
    let after_version = b"\x01{\"a\": 1}";
    assert_eq!(text(type_oid::JSON, document), Ok("{\"a\": 1}"));
    assert_eq!(binary(type_oid::JSON, document), Ok("{\"a\": 1}"));
    assert_eq!(text(type_oid::JSONB, document), Ok(String::from("{\"a\": 1}")));
    assert_eq!(binary(type_oid::JSONB, after_version), Ok(String::from("{\"a\": 1}")));
    assert_eq!(binary(type_oid::JSONB, after_version), Ok(&document[..]));
    assert_eq!(binary(type_oid::JSONB, after_version), Ok(document.to_vec()));
    assert!(binary::<&[u8]>(type_oid::JSONB, b"\x02[]").is_err());
    for empty in ["", " \n"] {
        assert!(text::<Json<'_>>(type_oid::JSON, empty.as_bytes()).is_err());
        assert!(text::<String>(type_oid::JSON, empty.as_bytes()).is_err());
        assert!(text::<Value<'_>>(type_oid::JSONB, empty.as_bytes()).is_err());
    }
    assert!(binary::<Jsonb<'_>>(type_oid::JSONB, b"\x01").is_err());
}

#[test]
fn bytes_that_are_not_utf8_can_be_read_raw() {
    assert_eq!(text(type_oid::JSON, b"[\"\xE9\"]"), Ok(&b"[\"\xE9\"]"[..]));
    assert_eq!(binary(type_oid::JSONB, b"\x01[\"\xE9\"]"), Ok(b"[\"\xE9\"]".to_vec()));
    let raw = Ok(Vec::from([b"\xFE".to_vec(), b"\"".to_vec()]));
    assert_eq!(text(type_oid::TEXT_ARRAY, b"{\xFE,\"\\\"\"}"), raw);
    let array = b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x01\xFE\0\0\0\x01\"";
    assert_eq!(binary(type_oid::TEXT_ARRAY, array), raw);
    let error = text::<Vec<&str>>(type_oid::TEXT_ARRAY, b"{a,\xFE}").unwrap_err();
    assert_eq!((error.kind(), error.offset()), (ValueErrorKind::InvalidUtf8, 3));
    // A truncated array is an error although its elements are not checked.
    assert!(binary::<Vec<Vec<u8>>>(type_oid::TEXT_ARRAY, &array[..array.len() - 1]).is_err());
    assert!(binary::<Vec<Vec<u8>>>(type_oid::TEXT_ARRAY, &[&array[..], b"x"].concat()).is_err());
}

#[test]
fn ids_are_numbers() {
    assert_eq!(text(type_oid::XID, b"4294967295"), Ok(u32::MAX));
    assert_eq!(binary(type_oid::XID, &[0xFF; 4]), Ok(u32::MAX));
    assert_eq!(text(type_oid::CID, b"7"), Ok(7_i64));
    assert_eq!(text(type_oid::XID8, b"18446744073709551615"), Ok(u64::MAX));
    assert_eq!(binary(type_oid::XID8, &[0xFF; 8]), Ok(u64::MAX));
    assert!(binary::<i64>(type_oid::XID8, &[0xFF; 8]).is_err());
    assert!(text::<u64>(type_oid::XID, b"4294967296").is_err());
}

#[test]
fn texts_are_read_as_one_character_or_borrowed_if_possible() {
    use std::borrow::Cow;
    use std::boxed::Box;

    let text = |bytes| Field::new(type_oid::TEXT, Format::Text, bytes);
    assert_eq!(text("é".as_bytes()).get::<char>(), Ok('é'));
    for other in ["", "ab"] {
        let error = text(other.as_bytes()).get::<char>().unwrap_err();
        assert_eq!(error.kind(), ValueErrorKind::OutOfRange { target: "char" });
    }
    assert_eq!(text(b"ab").get::<Box<str>>(), Ok("ab".into()));
    let array = Field::new(type_oid::TEXT_ARRAY, Format::Text, br#"{ab,"\""}"#);
    let texts = array.get::<Vec<Cow<'_, str>>>().unwrap();
    assert!(matches!(&texts[..], [Cow::Borrowed("ab"), Cow::Owned(quote)] if quote == "\""));
    assert_eq!(
        array.get::<Vec<char>>().unwrap_err().kind(),
        ValueErrorKind::OutOfRange { target: "char" }
    );
}
