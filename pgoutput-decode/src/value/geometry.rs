//! Geometric types. Text: coordinates in parentheses. Binary: coordinates. JSON: PostgreSQL's text
//! in a string.

use core::fmt::{self, Write};

use super::input::Input;
use super::json_out::WriteJson;
use super::{
    Field, FieldType, Float8, Format, FromField, FromFormats, ValueError, from_formats, type_oid,
};

/// A `point`: `(x,y)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// The first coordinate.
    pub x: Float8,
    /// The second coordinate.
    pub y: Float8,
}

/// A `line`: all points for which Ax + By + C is zero, `{A,B,C}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// The factor of x.
    pub a: Float8,
    /// The factor of y.
    pub b: Float8,
    /// The constant.
    pub c: Float8,
}

/// An `lseg`: the line segment between two points, `[(x1,y1),(x2,y2)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineSegment {
    /// One end.
    pub start: Point,
    /// The other end.
    pub end: Point,
}

/// A `box`, given by two opposite corners: `(x1,y1),(x2,y2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rectangle {
    /// The upper right corner.
    pub upper_right: Point,
    /// The lower left corner.
    pub lower_left: Point,
}

/// A `circle`: `<(x,y),r>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circle {
    /// The centre.
    pub center: Point,
    /// The radius.
    pub radius: Float8,
}

/// A `path`: a sequence of points, `[(x1,y1),…]` if open or `((x1,y1),…)` if closed.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Path, type_oid};
///
/// let path: Path = Field::new(type_oid::PATH, Format::Text, b"[(0,0),(1,0.5)]").get()?;
/// assert!(!path.is_closed());
/// assert_eq!(path.points().last().unwrap().y.0, 0.5);
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    is_closed: bool,
    points: Points<'a>,
}

/// A `polygon`: the sequence of its corners, `((x1,y1),…)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polygon<'a> {
    points: Points<'a>,
}

impl<'a> Path<'a> {
    /// Returns true if the last point is connected to the first.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Returns the points in order.
    pub fn points(&self) -> impl Iterator<Item = Point> + Clone + use<'a> {
        self.points.iter()
    }
}

impl<'a> Polygon<'a> {
    /// Returns the corners in order.
    pub fn points(&self) -> impl Iterator<Item = Point> + Clone + use<'a> {
        self.points.iter()
    }
}

/// Points in the format received, checked.
#[derive(Clone, Copy)]
struct Points<'a> {
    format: Format,
    body: &'a [u8],
}

impl<'a> Points<'a> {
    /// Reads `(x,y),(x,y)…`, at least one point.
    fn text(input: &mut Input<'a>) -> Result<Self, ValueError> {
        let body = input.rest();
        loop {
            Point::text(input)?;
            let before_comma = *input;
            if !(input.eat(b',') && input.rest().first() == Some(&b'(')) {
                *input = before_comma;
                let len = body.len() - input.rest().len();
                return Ok(Self {
                    format: Format::Text,
                    body: body.get(..len).unwrap_or_default(),
                });
            }
        }
    }

    /// Reads a count and as many points, at least one.
    fn binary(input: &mut Input<'a>) -> Result<Self, ValueError> {
        let count_input = *input;
        let count = u32::from_be_bytes(input.array()?);
        if count == 0 {
            return Err(count_input.malformed("at least one point"));
        }
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(16));
        let body = input.take(bytes.ok_or(count_input.malformed("fewer points"))?)?;
        Ok(Self { format: Format::Binary, body })
    }

    fn iter(&self) -> impl Iterator<Item = Point> + Clone + use<'a> {
        let mut input = Input::new(self.body);
        let format = self.format;
        core::iter::from_fn(move || match format {
            Format::Text => {
                input.eat(b',');
                Point::text(&mut input).ok()
            }
            Format::Binary => Point::binary(&mut input).ok(),
        })
    }
}

impl PartialEq for Points<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Points<'_> {}

impl fmt::Debug for Points<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Points<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, point) in self.iter().enumerate() {
            write!(f, "{}{point}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// Reads a coordinate in text, up to the next separator.
fn coordinate(input: &mut Input<'_>) -> Result<Float8, ValueError> {
    let start = input.offset();
    let text = input.take_while(|byte| !b",()[]{}<>".contains(&byte));
    Float8::from_text(FieldType::new(type_oid::FLOAT8), text).map_err(|error| error.rebased(start))
}

fn binary_coordinate(input: &mut Input<'_>) -> Result<Float8, ValueError> {
    input.array().map(f64::from_be_bytes).map(Float8)
}

impl Point {
    fn text(input: &mut Input<'_>) -> Result<Self, ValueError> {
        input.expect(b'(', "an opening parenthesis")?;
        let x = coordinate(input)?;
        input.expect(b',', "a comma")?;
        let y = coordinate(input)?;
        input.expect(b')', "a closing parenthesis")?;
        Ok(Self { x, y })
    }

    fn binary(input: &mut Input<'_>) -> Result<Self, ValueError> {
        Ok(Self { x: binary_coordinate(input)?, y: binary_coordinate(input)? })
    }
}

/// Implements reading for a geometric type. The readers stop after the value, and the macro rejects
/// any bytes after it.
macro_rules! geometry {
    ($name:ty, $oid:ident, $text:expr, $binary:expr) => {
        impl<'a> FromField<'a> for $name {
            fn accepts(ty: FieldType<'_>) -> bool {
                ty.oid() == type_oid::$oid
            }

            #[inline]
            fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
                from_formats(field)
            }
        }

        impl<'a> FromFormats<'a> for $name {
            fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
                let mut input = Input::new(text);
                let read: fn(&mut Input<'a>) -> Result<Self, ValueError> = $text;
                let value = read(&mut input)?;
                input.end("the end of the value")?;
                Ok(value)
            }

            fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                let mut input = Input::new(bytes);
                let read: fn(&mut Input<'a>) -> Result<Self, ValueError> = $binary;
                let value = read(&mut input)?;
                input.finish()?;
                Ok(value)
            }
        }
    };
}

geometry!(Point, POINT, Self::text, Self::binary);
geometry!(
    Line,
    LINE,
    |input| {
        input.expect(b'{', "an opening brace")?;
        let a = coordinate(input)?;
        input.expect(b',', "a comma")?;
        let b = coordinate(input)?;
        input.expect(b',', "a comma")?;
        let c = coordinate(input)?;
        input.expect(b'}', "a closing brace")?;
        Ok(Self { a, b, c })
    },
    |input| {
        let [a, b, c] = [(); 3].map(|()| binary_coordinate(input));
        Ok(Self { a: a?, b: b?, c: c? })
    }
);
geometry!(
    LineSegment,
    LSEG,
    |input| {
        input.expect(b'[', "an opening bracket")?;
        let start = Point::text(input)?;
        input.expect(b',', "a comma")?;
        let end = Point::text(input)?;
        input.expect(b']', "a closing bracket")?;
        Ok(Self { start, end })
    },
    |input| Ok(Self { start: Point::binary(input)?, end: Point::binary(input)? })
);
geometry!(
    Rectangle,
    BOX,
    |input| {
        let upper_right = Point::text(input)?;
        input.expect(b',', "a comma")?;
        Ok(Self { upper_right, lower_left: Point::text(input)? })
    },
    |input| Ok(Self { upper_right: Point::binary(input)?, lower_left: Point::binary(input)? })
);
geometry!(
    Circle,
    CIRCLE,
    |input| {
        input.expect(b'<', "an opening angle bracket")?;
        let center = Point::text(input)?;
        input.expect(b',', "a comma")?;
        let radius = coordinate(input)?;
        input.expect(b'>', "a closing angle bracket")?;
        Ok(Self { center, radius })
    },
    |input| Ok(Self { center: Point::binary(input)?, radius: binary_coordinate(input)? })
);
geometry!(
    Path<'a>,
    PATH,
    |input| {
        let is_closed = input.eat(b'(');
        if !is_closed {
            input.expect(b'[', "an opening bracket or parenthesis")?;
        }
        let points = Points::text(input)?;
        input.expect(if is_closed { b')' } else { b']' }, "the closing bracket")?;
        Ok(Self { is_closed, points })
    },
    |input| {
        let flag = *input;
        let is_closed = match input.array()? {
            [0] => false,
            [1] => true,
            [_] => return Err(flag.malformed("1 for closed, 0 for open")),
        };
        Ok(Self { is_closed, points: Points::binary(input)? })
    }
);
geometry!(
    Polygon<'a>,
    POLYGON,
    |input| {
        input.expect(b'(', "an opening parenthesis")?;
        let points = Points::text(input)?;
        input.expect(b')', "a closing parenthesis")?;
        Ok(Self { points })
    },
    |input| Ok(Self { points: Points::binary(input)? })
);

impl WriteJson for Point {}
impl WriteJson for Line {}
impl WriteJson for LineSegment {}
impl WriteJson for Rectangle {}
impl WriteJson for Circle {}
impl WriteJson for Path<'_> {}
impl WriteJson for Polygon<'_> {}

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

impl fmt::Display for LineSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{}]", self.start, self.end)
    }
}

impl fmt::Display for Rectangle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.upper_right, self.lower_left)
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{},{}>", self.center, self.radius)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [open, close] = if self.is_closed { ['(', ')'] } else { ['[', ']'] };
        f.write_char(open)?;
        fmt::Display::fmt(&self.points, f)?;
        f.write_char(close)
    }
}

impl fmt::Display for Polygon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", self.points)
    }
}

#[cfg(test)]
mod tests;
