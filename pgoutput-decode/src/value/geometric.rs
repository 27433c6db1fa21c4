//! `point`, `line`, `lseg`, `box` and `circle`: text numbers between parentheses, binary their floats, JSON a
//! string.

use core::fmt;

use super::input::Input;
use super::json_out::WriteJson;
use super::{FieldType, Float8, FromField, ValueError, type_oid};

/// A `point`; either number may be NaN or infinite.
///
/// ```
/// use pgoutput_decode::value::{Float8, Point};
///
/// assert_eq!(Point { x: Float8(0.5), y: Float8(-2.0) }.to_string(), "(0.5,-2)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// The first number.
    pub x: Float8,
    /// The second number.
    pub y: Float8,
}

/// A `line`: all points for which `a`·x + `b`·y + `c` is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// The factor of x.
    pub a: Float8,
    /// The factor of y.
    pub b: Float8,
    /// What is added.
    pub c: Float8,
}

/// An `lseg`: the way from one point to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lseg {
    /// Where it begins.
    pub start: Point,
    /// Where it ends.
    pub end: Point,
}

/// A `box`, told by two opposite corners. Not named `Box`, which is something else in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PgBox {
    /// The corner with the greater numbers, the first in PostgreSQL's text.
    pub upper_right: Point,
    /// The corner with the lesser numbers.
    pub lower_left: Point,
}

/// A `circle`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circle {
    /// Its centre.
    pub center: Point,
    /// Its radius, not negative.
    pub radius: Float8,
}

/// The characters up to the next `,`, `)` or whatever else ends a number here.
pub(super) fn text_float(input: &mut Input<'_>) -> Result<Float8, ValueError> {
    let start = input.offset();
    let number =
        input.run(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    Float8::from_text(FieldType::new(type_oid::FLOAT8), number)
        .map_err(|error| error.rebased(start))
}

pub(super) fn text_point(input: &mut Input<'_>) -> Result<Point, ValueError> {
    input.expect(b'(', "an opening parenthesis")?;
    let x = text_float(input)?;
    input.expect(b',', "a comma")?;
    let y = text_float(input)?;
    input.expect(b')', "a closing parenthesis")?;
    Ok(Point { x, y })
}

fn binary_float(input: &mut Input<'_>) -> Result<Float8, ValueError> {
    input.array().map(f64::from_be_bytes).map(Float8)
}

pub(super) fn binary_point(input: &mut Input<'_>) -> Result<Point, ValueError> {
    Ok(Point { x: binary_float(input)?, y: binary_float(input)? })
}

macro_rules! geometric {
    ($name:ident $oid:ident, |$text:ident| $read_text:block, |$binary:ident| $read_binary:block) => {
        impl<'a> FromField<'a> for $name {
            fn accepts(ty: FieldType<'_>) -> bool {
                ty.oid() == type_oid::$oid
            }

            fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
                let mut input = Input::new(text);
                let $text = &mut input;
                let value = $read_text;
                input.end("the end")?;
                Ok(value)
            }

            fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                let mut input = Input::new(bytes);
                let $binary = &mut input;
                let value = $read_binary;
                input.finish()?;
                Ok(value)
            }
        }

        impl WriteJson for $name {}
    };
}

geometric!(Point POINT, |text| { text_point(text)? }, |binary| { binary_point(binary)? });

geometric!(Line LINE,
|text| {
    text.expect(b'{', "an opening brace")?;
    let a = text_float(text)?;
    text.expect(b',', "a comma")?;
    let b = text_float(text)?;
    text.expect(b',', "a comma")?;
    let c = text_float(text)?;
    text.expect(b'}', "a closing brace")?;
    Self { a, b, c }
},
|binary| {
    Self { a: binary_float(binary)?, b: binary_float(binary)?, c: binary_float(binary)? }
});

geometric!(Lseg LSEG,
    |text| {
        text.expect(b'[', "an opening bracket")?;
        let start = text_point(text)?;
        text.expect(b',', "a comma")?;
        let end = text_point(text)?;
        text.expect(b']', "a closing bracket")?;
        Self { start, end }
    },
    |binary| { Self { start: binary_point(binary)?, end: binary_point(binary)? } });

geometric!(PgBox BOX,
    |text| {
        let upper_right = text_point(text)?;
        text.expect(b',', "a comma")?;
        Self { upper_right, lower_left: text_point(text)? }
    },
    |binary| { Self { upper_right: binary_point(binary)?, lower_left: binary_point(binary)? } });

geometric!(Circle CIRCLE,
    |text| {
        text.expect(b'<', "<")?;
        let center = text_point(text)?;
        text.expect(b',', "a comma")?;
        let radius = text_float(text)?;
        text.expect(b'>', ">")?;
        Self { center, radius }
    },
    |binary| { Self { center: binary_point(binary)?, radius: binary_float(binary)? } });

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.x, self.y)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{},{},{}}}", self.a, self.b, self.c)
    }
}

impl fmt::Display for Lseg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{}]", self.start, self.end)
    }
}

impl fmt::Display for PgBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.upper_right, self.lower_left)
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{},{}>", self.center, self.radius)
    }
}

#[cfg(test)]
mod tests {
    use crate::Oid;
    use crate::value::{Field, Format, Value, type_oid};
    use std::string::ToString;

    fn read(oid: Oid, text: &str) -> Result<Value<'_>, crate::value::ValueError> {
        Field::new(oid, Format::Text, text.as_bytes()).get()
    }

    #[test]
    fn text_is_written_back_as_it_was() {
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
    fn refuses_what_the_server_never_writes() {
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
    fn a_count_of_points_is_held_against_the_length() {
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
}
