//! Strings of the commonest values: what [`Cell::visit`](super::value::Cell) gives for them, without a buffer on the heap.

use crate::TimestampTz;
use crate::timestamp::Moment;
use crate::value::{Field, Format, Numeric, Timestamp, TypeKind, type_oid};

/// The string that a value is.
pub(super) enum Short<'a> {
    /// The characters of the column.
    Borrowed(&'a str),
    /// Characters that the column has in the text format alone: nobody is to borrow them, who could not from the other.
    Copied(&'a str),
    /// A time as RFC 3339 has it, with the offset of UTC or without any.
    Time(Moment, bool),
}

impl<'a> Short<'a> {
    /// `None` leaves it to who knows every value.
    #[inline]
    pub(super) fn of(field: &Field<'a>) -> Option<Self> {
        let field = field.without_domains();
        match field.plain_text() {
            Some(text) => Some(Self::Borrowed(text)),
            None => Self::of_other(&field),
        }
    }

    fn of_other(field: &Field<'a>) -> Option<Self> {
        let ty = field.ty();
        if ty.kind() != TypeKind::Base {
            return None;
        }
        match (ty.oid(), field.format()) {
            (type_oid::NUMERIC, Format::Text) => {
                Numeric::displayed_text(field.bytes()).map(Self::Copied)
            }
            (type_oid::TIMESTAMPTZ, Format::Text) => match Moment::parse(field.bytes())? {
                (moment, b"+00") => Some(Self::Time(moment, true)),
                _ => None,
            },
            (type_oid::TIMESTAMP, Format::Text) => match Moment::parse(field.bytes())? {
                (moment, b"") => Some(Self::Time(moment, false)),
                _ => None,
            },
            (type_oid::TIMESTAMPTZ, Format::Binary) => {
                let micros = field.get::<TimestampTz>().ok()?.as_micros();
                Some(Self::Time(Moment::of(micros)?, true))
            }
            (type_oid::TIMESTAMP, Format::Binary) => {
                let micros = field.get::<Timestamp>().ok()?.as_micros();
                Some(Self::Time(Moment::of(micros)?, false))
            }
            _ => None,
        }
    }
}
