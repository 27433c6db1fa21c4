//! `text`, `varchar`, `bpchar`, `name`, `xml`, enums, and every type of which only the text is known.
//!
//! JSON: a string. Text that is not UTF-8 is an error: no character is put in its place.

#[cfg(feature = "alloc")]
use super::Bytea;
use super::{FieldType, FromField, ValueError, ValueErrorKind, type_oid};

/// Checks that a text is UTF-8; the error's offset is that of the first byte that is not.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, ValueError> {
    core::str::from_utf8(bytes)
        .map_err(|error| ValueError::new(ValueErrorKind::InvalidUtf8, error.valid_up_to()))
}

impl<'a> FromField<'a> for &'a str {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.is_text() || ty.is_undescribed()
    }

    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text)
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        if ty.is_undescribed() {
            return Err(ValueError::new(ValueErrorKind::Undescribed, 0));
        }
        utf8(bytes)
    }
}

/// The bytes of a text or of a `bytea`. The text form of `bytea` cannot be borrowed: see
/// [`ValueErrorKind::NotBorrowable`].
impl<'a> FromField<'a> for &'a [u8] {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::BYTEA || ty.is_text()
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        if ty.oid() == type_oid::BYTEA {
            return Err(ValueError::new(ValueErrorKind::NotBorrowable, 0));
        }
        Ok(text)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Ok(bytes)
    }
}

#[cfg(feature = "alloc")]
impl<'a> FromField<'a> for alloc::string::String {
    fn accepts(ty: FieldType<'_>) -> bool {
        <&str>::accepts(ty)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        <&str>::from_text(ty, text).map(Self::from)
    }

    fn from_binary(ty: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        <&str>::from_binary(ty, bytes).map(Self::from)
    }
}

#[cfg(feature = "alloc")]
impl<'a> FromField<'a> for alloc::vec::Vec<u8> {
    fn accepts(ty: FieldType<'_>) -> bool {
        <&[u8]>::accepts(ty)
    }

    fn from_text(ty: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        if ty.oid() == type_oid::BYTEA {
            return Bytea::from_text(ty, text).map(|bytea| bytea.bytes().collect());
        }
        Ok(Self::from(text))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Ok(Self::from(bytes))
    }
}
