//! Multiranges. Text: ranges in braces. Binary: their number, then the ranges with their lengths.
//! JSON: a string.

use core::fmt::{self, Write};

use super::array_elements::take_binary;
use super::input::Input;
use super::json_out::{JsonContext, WriteJson, quoted};
use super::range::InJson;
use super::unescape::Symbols;
use super::{Field, FieldType, FromField, Range, TypeKind, ValueError, type_oid};

/// A multirange: ordered ranges that are not empty and have gaps between them (manual, section
/// "Range Types").
///
/// `Display` prints PostgreSQL's text.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, Multirange, type_oid};
///
/// let field = Field::new(type_oid::INT4MULTIRANGE, Format::Text, b"{[1,3),[5,)}");
/// let multirange: Multirange = field.get()?;
/// assert_eq!(multirange.ranges().count(), 2);
/// assert_eq!(multirange.ranges().last().unwrap().to_string(), "[5,)");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Multirange<'a>(RangeCursor<'a>);

/// Iterator over the ranges of a [`Multirange`].
#[derive(Debug, Clone)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Ranges<'a>(RangeCursor<'a>);

/// Cursor over the ranges.
#[derive(Debug, Clone, Copy)]
struct RangeCursor<'a> {
    /// The multirange, which determines the depth and format of its ranges.
    multirange: Field<'a>,
    ty: FieldType<'a>,
    source: RangeInput<'a>,
}

#[derive(Debug, Clone, Copy)]
enum RangeInput<'a> {
    /// The text after the opening brace, or after the last range read.
    Text {
        text: Symbols<'a>,
        is_first: bool,
    },
    Binary {
        input: Input<'a>,
        left: u32,
    },
}

impl<'a> FieldType<'a> {
    /// Returns the type of the ranges; `None` if this is not a multirange type.
    pub(super) fn multirange(self) -> Option<FieldType<'a>> {
        match self.kind() {
            TypeKind::Multirange(range) => Some(range),
            TypeKind::Base => Some(FieldType::new(match self.oid() {
                type_oid::INT4MULTIRANGE => type_oid::INT4RANGE,
                type_oid::INT8MULTIRANGE => type_oid::INT8RANGE,
                type_oid::NUMMULTIRANGE => type_oid::NUMRANGE,
                type_oid::DATEMULTIRANGE => type_oid::DATERANGE,
                type_oid::TSMULTIRANGE => type_oid::TSRANGE,
                type_oid::TSTZMULTIRANGE => type_oid::TSTZRANGE,
                _ => return None,
            })),
            _ => None,
        }
    }
}

impl<'a> Multirange<'a> {
    /// Returns the ranges, in order.
    pub const fn ranges(&self) -> Ranges<'a> {
        Ranges(self.0)
    }

    /// Returns true if there are no ranges.
    pub fn is_empty(&self) -> bool {
        self.ranges().next().is_none()
    }
}

impl<'a> RangeCursor<'a> {
    fn check(mut self) -> Result<(), ValueError> {
        while let Some(range) = self.advance()? {
            range.check_inside(&self.multirange)?;
        }
        match self.source {
            RangeInput::Binary { input, .. } => input.finish(),
            RangeInput::Text { mut text, .. } => {
                text.expect(b'}', "a closing brace")?;
                text.end("the end after the closing brace")
            }
        }
    }

    fn advance(&mut self) -> Result<Option<Field<'a>>, ValueError> {
        let bytes = match &mut self.source {
            RangeInput::Binary { left: 0, .. } => return Ok(None),
            RangeInput::Binary { input, left } => {
                *left -= 1;
                let start = *input;
                take_binary(input)?.ok_or(start.malformed("a range, not NULL"))?
            }
            RangeInput::Text { text, is_first } => {
                if text.peek() == Some(b'}') {
                    return Ok(None);
                }
                if !*is_first {
                    text.expect(b',', "a comma between ranges")?;
                }
                *is_first = false;
                let start = *text;
                Range::take_text(text)?;
                text.since(&start)
            }
        };
        // PostgreSQL adds no escapes to a range in a multirange, so its depth is the same.
        Ok(Some(Field { ty: self.ty, bytes, ..self.multirange }))
    }
}

impl<'a> Iterator for Ranges<'a> {
    type Item = Range<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // All ranges were read without an error when the multirange was read.
        self.0.advance().ok()??.checked().get().ok()
    }
}

impl core::iter::FusedIterator for Ranges<'_> {}

impl<'a> FromField<'a> for Multirange<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.multirange().is_some()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let ty = field.ty().multirange().filter(|range| range.range().is_some());
        let ty = ty.ok_or(ValueError::wrong_type("Multirange"))?;
        let source = if field.is_binary() {
            let mut input = Input::new(field.bytes());
            let left = u32::from_be_bytes(input.array()?);
            RangeInput::Binary { input, left }
        } else {
            let mut text = field.symbols();
            text.expect(b'{', "an opening brace")?;
            RangeInput::Text { text, is_first: true }
        };
        let ranges = RangeCursor { multirange: *field, ty, source };
        if !field.is_checked() {
            ranges.check()?;
        }
        Ok(Self(ranges))
    }
}

impl PartialEq for Multirange<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.ranges().eq(other.ranges())
    }
}

impl Eq for Multirange<'_> {}

impl fmt::Display for Multirange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Multirange<'_> {
    /// Writes the multirange; see [`Range::write`].
    fn write(&self, f: &mut fmt::Formatter<'_>, in_json: bool) -> fmt::Result {
        f.write_char('{')?;
        for (at, range) in self.ranges().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            range.write(f, in_json)?;
        }
        f.write_char('}')
    }
}

impl fmt::Debug for Multirange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Multirange<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &InJson(|f: &mut fmt::Formatter<'_>| self.write(f, true)))
    }
}
