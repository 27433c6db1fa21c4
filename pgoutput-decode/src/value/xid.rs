//! `xid`, `xid8` and `cid`. Text: decimal. Binary: big-endian. JSON: a number.

use core::fmt::{self, Write};

use super::input::exactly;
use super::integer::decimal;
use super::json_out::{JsonContext, WriteJson};
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};
use crate::id::Xid;

/// An `xid8`: a transaction id with its epoch in the upper half, so that it never wraps around. Any
/// `u64` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Xid8(pub u64);

/// A `cid`: the number of a command in its transaction. Any `u32` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cid(pub u32);

macro_rules! unsigned {
    ($name:ident $number:ident $oid:ident $sql_name:literal $make:expr) => {
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
                let number = $number::try_from(decimal(text, $sql_name)?);
                number.map($make).map_err(|_| ValueError::out_of_range($sql_name))
            }

            fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
                exactly(bytes).map($number::from_be_bytes).map($make)
            }
        }

        impl WriteJson for $name {
            fn write_json(&self, out: &mut dyn Write, _: JsonContext<'_>) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    };
}

unsigned!(Xid u32 XID "xid" Self::new);
unsigned!(Xid8 u64 XID8 "xid8" Self);
unsigned!(Cid u32 CID "cid" Self);

impl fmt::Display for Xid8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
