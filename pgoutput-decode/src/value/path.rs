//! `path` and `polygon`: text points between brackets or parentheses, binary their count and floats, JSON a string.

use core::fmt::{self, Write as _};

use super::geometric::{binary_point, text_point};
use super::input::Input;
use super::json_out::WriteJson;
use super::{FieldType, FromField, Point, ValueError, type_oid};

/// A `path`: the way from point to point, and if it is closed back to the first.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Path, type_oid};
///
/// let path: Path = Field::new(type_oid::PATH, Format::Text, b"[(0,0),(1,1)]").get()?;
/// assert!(!path.is_closed());
/// assert_eq!(path.points().last().unwrap().to_string(), "(1,1)");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Path<'a> {
    is_closed: bool,
    points: Points<'a>,
}

/// A `polygon`, told by its corners.
#[derive(Clone, Copy)]
pub struct Polygon<'a>(Points<'a>);

/// The points of a [`Path`] or [`Polygon`]; there is at least one.
#[derive(Debug, Clone, Copy)]
#[must_use = "iterators do nothing unless they are asked for their items"]
pub struct Points<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// Before a point, or at the closing bracket.
    Text(Input<'a>),
    Binary(Input<'a>),
}

impl Path<'_> {
    /// Whether the last point is joined to the first.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }
}

impl<'a> Path<'a> {
    /// The points, in order.
    pub const fn points(&self) -> Points<'a> {
        self.points
    }
}

impl<'a> Polygon<'a> {
    /// The corners, in order.
    pub const fn points(&self) -> Points<'a> {
        self.0
    }
}

impl<'a> Points<'a> {
    fn read_text(mut input: Input<'a>, close: u8) -> Result<Self, ValueError> {
        let points = Self(Source::Text(input));
        text_point(&mut input)?;
        while input.eat(b',') {
            text_point(&mut input)?;
        }
        input.expect(close, "a comma, or what closes the list of points")?;
        input.end("the end")?;
        Ok(points)
    }

    fn read_binary(mut input: Input<'a>) -> Result<Self, ValueError> {
        let start = input;
        let mut left = u32::from_be_bytes(input.array()?);
        if left == 0 {
            return Err(start.malformed("at least one point"));
        }
        let points = Self(Source::Binary(input));
        while left > 0 {
            binary_point(&mut input)?;
            left -= 1;
        }
        input.finish()?;
        Ok(points)
    }

    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, point) in self.enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            write!(f, "{point}")?;
        }
        Ok(())
    }
}

impl Iterator for Points<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        // They were read once without an error; what fails is the end.
        match &mut self.0 {
            Source::Binary(input) => binary_point(input).ok(),
            Source::Text(input) => {
                input.eat(b',');
                text_point(input).ok()
            }
        }
    }
}

impl core::iter::FusedIterator for Points<'_> {}

impl<'a> FromField<'a> for Path<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::PATH
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        let is_closed = !input.eat(b'[');
        if is_closed {
            input.expect(b'(', "a bracket or a parenthesis")?;
        }
        let points = Points::read_text(input, if is_closed { b')' } else { b']' })?;
        Ok(Self { is_closed, points })
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let is_closed = match input.array()? {
            [0] => false,
            [1] => true,
            [_] => return Err(ValueError::malformed("0 for an open path, 1 for a closed one", 0)),
        };
        Ok(Self { is_closed, points: Points::read_binary(input)? })
    }
}

impl<'a> FromField<'a> for Polygon<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::POLYGON
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        let mut input = Input::new(text);
        input.expect(b'(', "an opening parenthesis")?;
        Points::read_text(input, b')').map(Self)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Points::read_binary(Input::new(bytes)).map(Self)
    }
}

impl PartialEq for Path<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_closed == other.is_closed && self.points.eq(other.points)
    }
}

impl Eq for Path<'_> {}

impl PartialEq for Polygon<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq(other.0)
    }
}

impl Eq for Polygon<'_> {}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(if self.is_closed { '(' } else { '[' })?;
        self.points.write(f)?;
        f.write_char(if self.is_closed { ')' } else { ']' })
    }
}

impl fmt::Display for Polygon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        self.0.write(f)?;
        f.write_char(')')
    }
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Polygon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Path<'_> {}
impl WriteJson for Polygon<'_> {}
