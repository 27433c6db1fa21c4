//! `pg_lsn`. Text: two hexadecimal halves. Binary: big-endian. JSON: a string.

use super::input::exactly;
use super::json_out::WriteJson;
use super::text::utf8;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::lsn::Lsn;

impl<'a> FromField<'a> for Lsn {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::PG_LSN
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Lsn {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        utf8(text)?.parse().map_err(|_| ValueError::malformed("an LSN such as 16/B374D848", 0))
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        exactly(bytes).map(u64::from_be_bytes).map(Self::new)
    }
}

impl WriteJson for Lsn {}
