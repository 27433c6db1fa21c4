use alloc::string::ToString;
use alloc::vec::Vec;

use super::*;
use crate::encode::TupleBuf;
use crate::value::{FieldType, Format, TypeInfo, TypeKind, type_oid};

fn binary(oid: Oid, text: &str) -> Result<Vec<u8>, EncodeError> {
    Field::new(oid, Format::Text, text.as_bytes()).to_binary()
}

#[test]
fn a_tsquery_is_read_as_the_server_reads_it() {
    let query = |text| binary(type_oid::TSQUERY, text);
    assert_eq!(query("").unwrap(), b"\0\0\0\0");
    assert_eq!(
        query("'a' & 'b' & 'c'").unwrap(),
        b"\0\0\0\x05\x02\x02\x01\0\0c\0\x02\x02\x01\0\0b\0\x01\0\0a\0"
    );
    assert_eq!(
        query("!'a' <-> 'b' | !( 'c' & 'd':*AD )").unwrap(),
        b"\0\0\0\x09\x02\x03\x02\x01\x02\x02\x01\x09\x01d\0\x01\0\0c\0\x02\x04\0\x01\
          \x01\0\0b\0\x02\x01\x01\0\0a\0"
    );
    assert_eq!(query(r"'it''s\\'").unwrap(), b"\0\0\0\x01\x01\0\0it's\\\0");
    let deep = "( ".repeat(100_000) + "'a'" + &" )".repeat(100_000);
    assert_eq!(query(&deep).unwrap(), b"\0\0\0\x01\x01\0\0a\0");
    for bad in [
        "a",
        "'a",
        "'a' &",
        "& 'a'",
        "( 'a'",
        "'a' )",
        "'a' 'b'",
        "'a' <65536> 'b'",
        "'a' <> 'b'",
        r"'a\b'",
        "()",
        "!",
        " ",
    ] {
        let error = query(bad).unwrap_err();
        assert!(matches!(error, EncodeError::Value(_)), "{bad}: {error}");
        assert!(error.to_string().contains("text value of type tsquery"), "{error}");
    }
}

#[test]
fn a_tsvector_is_read_as_the_server_writes_it() {
    let vector = |text| binary(type_oid::TSVECTOR, text);
    assert_eq!(vector("").unwrap(), b"\0\0\0\0");
    assert_eq!(
        vector(r"'a\\b' 'cat':1,2C,3B,16383A").unwrap(),
        b"\0\0\0\x02a\\b\0\0\0cat\0\0\x04\0\x01\x40\x02\x80\x03\xFF\xFF"
    );
    for bad in ["a", "'a' ", "'a'  'b'", "'a'b", "'a':", "'a':1,", "'a':16384", "'a':1D", "'a\0'"] {
        assert!(matches!(vector(bad), Err(EncodeError::Value(_))), "{bad}");
    }
}

#[test]
fn numerics_have_the_form_that_servers_send() {
    for (text, parts) in [
        ("0", &[0, 0, 0, 0][..]),
        ("0.000", &[0, 0, 0, 3]),
        ("10000", &[1, 1, 0, 0, 1]),
        ("0.0001", &[1, 0xFFFF, 0, 4, 1]),
        ("-0.00001", &[1, 0xFFFE, 0x4000, 5, 1000]),
        ("100000000.5", &[4, 2, 0, 1, 1, 0, 0, 5000]),
        ("NaN", &[0, 0, 0xC000, 0]),
        ("Infinity", &[0, 0, 0xD000, 32]),
        ("-Infinity", &[0, 0, 0xF000, 32]),
    ] {
        let bytes: Vec<u8> = parts.iter().flat_map(|part: &u16| part.to_be_bytes()).collect();
        assert_eq!(Numeric::parse(text).unwrap().to_binary().unwrap(), bytes, "{text}");
    }
}

#[test]
fn a_numeric_is_limited_by_its_fields() {
    let longest = "9".repeat(131_072);
    assert_eq!(binary(type_oid::NUMERIC, &longest).unwrap().len(), 8 + 2 * 32_768);
    let error = binary(type_oid::NUMERIC, &(longest + "9")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "numeric integer digits of 131073 exceeds the limit of 131072 in the wire format"
    );
    let scale = |digits| binary(type_oid::NUMERIC, &("0.".to_string() + &"9".repeat(digits)));
    assert_eq!(scale(16_383).unwrap().len(), 8 + 2 * 4096);
    assert!(matches!(scale(16_384), Err(EncodeError::TooLong { limit: 16_383, .. })));
}

#[test]
fn an_error_leaves_the_output_unchanged() {
    // The second element has no binary form, so the first one must be removed too.
    let element = TypeInfo::new(type_oid::ACLITEM, "aclitem", TypeKind::Base);
    let kind = TypeKind::Array { element: FieldType::described(&element), delimiter: b',' };
    let list = TypeInfo::new(type_oid::ACLITEM_ARRAY, "aclitem[]", kind);
    let field = Field::with_type(&list, Format::Text, b"{NULL,a=r/a}");
    let mut out = b"kept".to_vec();
    let error = field.encode_binary(&mut out).unwrap_err();
    assert_eq!(error, EncodeError::NoBinaryForm(type_oid::ACLITEM));
    assert_eq!(
        error.to_string(),
        "the text of aclitem cannot be converted to its binary form: send it as text"
    );
    assert_eq!(out, b"kept");
    let mut row = TupleBuf::new();
    assert!(row.value(&field).is_err());
    assert!(row.as_tuple().is_empty());
    // An unreadable value, and an unknown type.
    assert!(matches!(binary(type_oid::BOOL, "x"), Err(EncodeError::Value(_))));
    let unknown = Oid::new(16_400);
    assert_eq!(binary(unknown, "x"), Err(EncodeError::NoBinaryForm(unknown)));
}
