//! Reading values as Rust types.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::any::type_name;

#[cfg(feature = "alloc")]
use super::{Dimension, Inside, vec};
use super::{Field, FieldType, Format, ValueError, ValueErrorKind};

/// A Rust type that PostgreSQL values can be read as.
///
/// [`from_field`](Self::from_field) is the only method to write. It often reads the field as another
/// type first, which reads both formats:
///
/// ```
/// use pgoutput_decode::value::{
///     Field, FieldType, Format, FromField, ValueError, ValueErrorKind, type_oid,
/// };
///
/// #[derive(Debug, PartialEq)]
/// struct Percent(u8);
///
/// impl<'a> FromField<'a> for Percent {
///     fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
///         match field.get::<u8>()? {
///             percent @ 0..=100 => Ok(Self(percent)),
///             _ => Err(ValueError::new(ValueErrorKind::OutOfRange { target: "Percent" }, 0)),
///         }
///     }
///
///     fn accepts(ty: FieldType<'_>) -> bool {
///         u8::accepts(ty)
///     }
/// }
///
/// assert_eq!(Field::new(type_oid::INT4, Format::Text, b"42").get(), Ok(Percent(42)));
/// assert_eq!(Field::new(type_oid::INT2, Format::Binary, b"\0\x2A").get(), Ok(Percent(42)));
/// assert!(Field::new(type_oid::INT4, Format::Text, b"101").get::<Percent>().is_err());
/// ```
pub trait FromField<'a>: Sized {
    /// Reads a value of a type that is [accepted](Self::accepts), in either format. Both formats of
    /// one value must give the same.
    ///
    /// # Errors
    ///
    /// The value does not fit into `Self`, or is not in the form that PostgreSQL writes.
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError>;

    /// Returns whether values of this PostgreSQL type can be read. A domain counts as its base
    /// type.
    ///
    /// By default every type is accepted and [`from_field`](Self::from_field) decides. Override
    /// this to refuse a wrong type also where the value is NULL and `from_field` is not called.
    fn accepts(ty: FieldType<'_>) -> bool {
        let _ = ty;
        true
    }

    /// Reads NULL: an error, unless the type can represent it, as `Option` does.
    ///
    /// # Errors
    ///
    /// [`ValueErrorKind::Null`].
    fn from_null() -> Result<Self, ValueError> {
        Err(ValueError::new(ValueErrorKind::Null { target: type_name::<Self>() }, 0))
    }

    /// Reads an unchanged TOAST value: an error for every type except [`Toast`](super::Toast).
    ///
    /// # Errors
    ///
    /// [`ValueErrorKind::Unchanged`].
    fn from_unchanged() -> Result<Self, ValueError> {
        Err(ValueError::new(ValueErrorKind::Unchanged { target: type_name::<Self>() }, 0))
    }

    /// Returns whether arrays of this type can be read as lists of `Self`. A `bytea` is a list of
    /// bytes.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn accepts_list(ty: FieldType<'_>) -> bool {
        vec::accepts::<Self>(ty)
    }

    /// Reads a list.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn read_list(field: &Field<'a>) -> Result<Vec<Self>, ValueError> {
        vec::read(field)
    }

    /// Reads the content of these dimensions.
    #[cfg(feature = "alloc")]
    #[doc(hidden)]
    fn take_inside(
        elements: &mut Inside<'a>,
        dimensions: &[Dimension],
    ) -> Result<Self, ValueError> {
        elements.take_one(dimensions)
    }
}

/// A type with a reader for each format, whose text never has quotes and backslashes to decode.
pub(super) trait FromFormats<'a>: Sized {
    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError>;

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError>;
}

/// Reads a value with the reader for its format.
#[inline]
pub(super) fn from_formats<'a, T: FromFormats<'a>>(field: &Field<'a>) -> Result<T, ValueError> {
    match (field.format(), field.plain()) {
        (Format::Binary, _) => T::from_binary(field.ty(), field.bytes()),
        (Format::Text, Some(text)) => T::from_text(field.ty(), text),
        (Format::Text, None) => Err(ValueError::malformed("no quotes and backslashes", 0)),
    }
}
