use crate::id::Oid;
use crate::value::{Field, Format, Value, type_oid};
use std::string::ToString;

fn read(oid: Oid, text: &str) -> Result<Value<'_>, crate::value::ValueError> {
    Field::new(oid, Format::Text, text.as_bytes()).get()
}

#[test]
fn text_round_trips() {
    for (oid, text) in [
        (type_oid::POINT, "(1,-2.5)"),
        (type_oid::POINT, "(NaN,-Infinity)"),
        (type_oid::POINT, "(-0,1e+300)"),
        (type_oid::LINE, "{1,-1,0}"),
        (type_oid::LSEG, "[(1,2),(3,4)]"),
        (type_oid::BOX, "(3,4),(1,2)"),
        (type_oid::CIRCLE, "<(1e-05,2),Infinity>"),
        (type_oid::PATH, "[(1,2)]"),
        (type_oid::PATH, "((1,2),(3,4),(5,6))"),
        (type_oid::POLYGON, "((1,2),(3,4))"),
        (type_oid::BOX_ARRAY, "{(3,4),(1,2);(7,8),(5,6);NULL}"),
        (type_oid::POINT_ARRAY, r#"{"(1,2)",NULL}"#),
        (type_oid::LINE_ARRAY, r#"{"{1,2,3}"}"#),
    ] {
        assert_eq!(read(oid, text).unwrap().to_string(), text);
    }
}

#[test]
fn rejects_what_the_server_never_writes() {
    for (oid, text) in [
        (type_oid::POINT, ""),
        (type_oid::POINT, "1,2"),
        (type_oid::POINT, "(1)"),
        (type_oid::POINT, "(1,2,3)"),
        (type_oid::POINT, "( 1,2)"),
        (type_oid::POINT, "(1,2)x"),
        (type_oid::POINT, "(inf,2)"),
        (type_oid::LSEG, "[(1,2)]"),
        (type_oid::BOX, "(1,2)"),
        (type_oid::LINE, "{1,2}"),
        (type_oid::CIRCLE, "<(1,2)>"),
        (type_oid::PATH, "((1,2)]"),
        (type_oid::PATH, "[]"),
        (type_oid::PATH, "[(1,2),]"),
        (type_oid::POLYGON, "[(1,2)]"),
        (type_oid::POLYGON, "((1,2)(3,4))"),
    ] {
        assert!(read(oid, text).is_err(), "{text}");
    }
    assert_eq!(read(type_oid::POINT, "(1,2e)").unwrap_err().offset(), 5);
}

#[test]
fn a_count_of_points_is_checked_against_the_input() {
    for (oid, bytes) in [
        (type_oid::POLYGON, &b"\x7F\xFF\xFF\xFF\0\0"[..]),
        (type_oid::POLYGON, b"\0\0\0\0"),
        (type_oid::POLYGON, b"\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        (type_oid::PATH, b"\x02\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        assert!(Field::new(oid, Format::Binary, bytes).get::<Value<'_>>().is_err());
    }
    let path = b"\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let path: Value<'_> = Field::new(type_oid::PATH, Format::Binary, path).get().unwrap();
    assert_eq!(path, read(type_oid::PATH, "((0,0))").unwrap());
    assert_ne!(path, read(type_oid::PATH, "[(0,0)]").unwrap());
}
