//! Ranges. Text: two bounds in brackets or parentheses. Binary: a byte of flags and the bounds with
//! their lengths. JSON: a string.

use core::fmt::{self, Write};
use core::ops::Bound;

use super::array_elements::take_binary;
use super::input::Input;
use super::json_out::{JsonContext, WriteJson, quoted};
use super::quote::Within;
use super::unescape::{QuoteEscape, Symbols};
use super::{Field, FieldType, FromField, TypeKind, Value, ValueError, type_oid};

/// A range: empty, or all values between two bounds, each of which is included, excluded or
/// unbounded (manual, section "Range Types"). A bound of `infinity` is not the same as an unbounded
/// one.
///
/// `Display` prints PostgreSQL's text. Two ranges are equal if their bounds are equal. `[1,2]` and
/// `[1,3)` differ although they contain the same integers, but the server writes such ranges in
/// only one form.
///
/// ```
/// use std::ops::Bound;
/// use pgoutput_decode::value::{Field, Format, Range, type_oid};
///
/// let range: Range = Field::new(type_oid::INT4RANGE, Format::Text, b"[1,)").get()?;
/// assert!(matches!(range.lower(), Bound::Included(field) if field.get() == Ok(1)));
/// assert!(matches!(range.upper(), Bound::Unbounded));
/// assert!(!range.is_empty());
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Range<'a>(Option<(Bound<Field<'a>>, Bound<Field<'a>>)>);

/// The flags of the binary form.
pub(crate) mod flag {
    pub(crate) const EMPTY: u8 = 0x01;
    pub(crate) const LOWER_INCLUSIVE: u8 = 0x02;
    pub(crate) const UPPER_INCLUSIVE: u8 = 0x04;
    pub(crate) const LOWER_INFINITE: u8 = 0x08;
    pub(crate) const UPPER_INFINITE: u8 = 0x10;
}

impl<'a> FieldType<'a> {
    /// Returns the type of the bounds; `None` if this is not a range type.
    pub(super) fn range(self) -> Option<FieldType<'a>> {
        match self.kind() {
            TypeKind::Range(subtype) => Some(subtype),
            TypeKind::Base => Some(FieldType::new(match self.oid() {
                type_oid::INT4RANGE => type_oid::INT4,
                type_oid::INT8RANGE => type_oid::INT8,
                type_oid::NUMRANGE => type_oid::NUMERIC,
                type_oid::DATERANGE => type_oid::DATE,
                type_oid::TSRANGE => type_oid::TIMESTAMP,
                type_oid::TSTZRANGE => type_oid::TIMESTAMPTZ,
                _ => return None,
            })),
            _ => None,
        }
    }
}

impl<'a> Range<'a> {
    /// Returns true for the range without values, for which both bounds are [`Bound::Unbounded`].
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the lower bound.
    pub fn lower(&self) -> Bound<Field<'a>> {
        self.0.map_or(Bound::Unbounded, |(lower, _)| lower)
    }

    /// Returns the upper bound.
    pub fn upper(&self) -> Bound<Field<'a>> {
        self.0.map_or(Bound::Unbounded, |(_, upper)| upper)
    }

    /// Reads a range from the front of a text and returns its bounds with their escapes.
    pub(super) fn take_text(text: &mut Symbols<'a>) -> Result<Bounds<'a>, ValueError> {
        let start = *text;
        if text.unquoted(|byte| !byte.is_ascii_alphabetic())? == b"empty" {
            return Ok(None);
        }
        *text = start;
        let lower_inclusive = text.eat(b'[');
        if !lower_inclusive {
            text.expect(b'(', "a bracket, a parenthesis or `empty`")?;
        }
        let lower = take_bound(text)?;
        text.expect(b',', "a comma between the bounds")?;
        let upper = take_bound(text)?;
        let upper_inclusive = text.eat(b']');
        if !upper_inclusive {
            text.expect(b')', "a bracket or a parenthesis")?;
        }
        Ok(Some((bound(lower, lower_inclusive), bound(upper, upper_inclusive))))
    }

    fn take_binary(bytes: &'a [u8]) -> Result<Bounds<'a>, ValueError> {
        let mut input = Input::new(bytes);
        let [flags] = input.array()?;
        let has = |flag: u8| flags & flag != 0;
        let known = flag::EMPTY
            | flag::LOWER_INCLUSIVE
            | flag::UPPER_INCLUSIVE
            | flag::LOWER_INFINITE
            | flag::UPPER_INFINITE;
        if flags & !known != 0 {
            return Err(ValueError::malformed("the flags of a range", 0));
        }
        let mut take = |infinite, inclusive| -> Result<_, ValueError> {
            if has(flag::EMPTY) || has(infinite) {
                return Ok(Bound::Unbounded);
            }
            let start = input;
            let value = take_binary(&mut input)?.ok_or(start.malformed("a bound, not NULL"))?;
            Ok(bound(Some(value), has(inclusive)))
        };
        let lower = take(flag::LOWER_INFINITE, flag::LOWER_INCLUSIVE)?;
        let upper = take(flag::UPPER_INFINITE, flag::UPPER_INCLUSIVE)?;
        input.finish()?;
        Ok(if has(flag::EMPTY) { None } else { Some((lower, upper)) })
    }
}

/// The bytes of the two bounds; `None` for the empty range.
type Bounds<'a> = Option<(Bound<&'a [u8]>, Bound<&'a [u8]>)>;

fn bound(value: Option<&[u8]>, inclusive: bool) -> Bound<&[u8]> {
    match (value, inclusive) {
        (None, _) => Bound::Unbounded,
        (Some(value), true) => Bound::Included(value),
        (Some(value), false) => Bound::Excluded(value),
    }
}

fn take_bound<'a>(text: &mut Symbols<'a>) -> Result<Option<&'a [u8]>, ValueError> {
    if text.eat(b'"') {
        return text.quoted(QuoteEscape::Doubled).map(Some);
    }
    let value = text.unquoted(|byte| matches!(byte, b',' | b'(' | b')' | b'[' | b']'))?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}

impl<'a> FromField<'a> for Range<'a> {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.range().is_some()
    }

    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        let subtype = field.ty().range().ok_or(ValueError::wrong_type("Range"))?;
        let bounds = if field.is_binary() {
            Self::take_binary(field.bytes())?
        } else {
            let mut text = field.symbols();
            let bounds = Self::take_text(&mut text)?;
            text.end("the end after the range")?;
            bounds
        };
        let read = |bound: Bound<&'a [u8]>| -> Result<_, ValueError> {
            let read = |bytes| -> Result<_, ValueError> {
                let value = field.child(subtype, bytes)?;
                if !field.is_checked() {
                    value.check_inside(field)?;
                }
                Ok(value.checked())
            };
            Ok(match bound {
                Bound::Included(bytes) => Bound::Included(read(bytes)?),
                Bound::Excluded(bytes) => Bound::Excluded(read(bytes)?),
                Bound::Unbounded => Bound::Unbounded,
            })
        };
        bounds.map(|(lower, upper)| Ok((read(lower)?, read(upper)?))).transpose().map(Self)
    }
}

fn same(left: Bound<Field<'_>>, right: Bound<Field<'_>>) -> bool {
    match (left, right) {
        (Bound::Included(left), Bound::Included(right))
        | (Bound::Excluded(left), Bound::Excluded(right)) => Field::same(Some(left), Some(right)),
        (Bound::Unbounded, Bound::Unbounded) => true,
        _ => false,
    }
}

impl PartialEq for Range<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_empty() == other.is_empty()
            && same(self.lower(), other.lower())
            && same(self.upper(), other.upper())
    }
}

impl Eq for Range<'_> {}

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

impl Range<'_> {
    /// Writes PostgreSQL's text. With `in_json`, amounts of `money` have their JSON form.
    pub(super) fn write(&self, f: &mut fmt::Formatter<'_>, in_json: bool) -> fmt::Result {
        let Some((lower, upper)) = self.0 else { return f.write_str("empty") };
        f.write_char(if matches!(lower, Bound::Included(_)) { '[' } else { '(' })?;
        write_bound(f, lower, in_json)?;
        f.write_char(',')?;
        write_bound(f, upper, in_json)?;
        f.write_char(if matches!(upper, Bound::Included(_)) { ']' } else { ')' })
    }
}

fn write_bound(f: &mut fmt::Formatter<'_>, bound: Bound<Field<'_>>, in_json: bool) -> fmt::Result {
    match bound {
        Bound::Unbounded => Ok(()),
        Bound::Included(value) | Bound::Excluded(value) => match Value::inside(value)? {
            Value::Money(amount) if in_json => Within::Range.write(f, &amount.to_decimal()),
            value => Within::Range.write(f, &value),
        },
    }
}

impl fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl WriteJson for Range<'_> {
    fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
        quoted(out, &InJson(|f: &mut fmt::Formatter<'_>| self.write(f, true)))
    }
}

/// Displays what its function writes.
pub(super) struct InJson<F>(pub(super) F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for InJson<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

#[cfg(test)]
mod tests;
