//! Which column an error is about that `serde` raised after it had all columns in a buffer of its own.

use alloc::boxed::Box;
use core::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// What a type of the user refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// Its bits: NaN is itself.
    Float(u64),
    Str(Box<str>),
    Bytes(Box<[u8]>),
    Unit,
    Newtype,
    Seq,
    Map,
}

impl Seen {
    pub(super) fn of(unexpected: Unexpected<'_>) -> Option<Self> {
        Some(match unexpected {
            Unexpected::Bool(value) => Self::Bool(value),
            Unexpected::Unsigned(value) => Self::Unsigned(value),
            Unexpected::Signed(value) => Self::Signed(value),
            Unexpected::Float(value) => Self::Float(value.to_bits()),
            Unexpected::Str(value) => Self::Str(value.into()),
            Unexpected::Bytes(value) => Self::Bytes(value.into()),
            Unexpected::Unit => Self::Unit,
            Unexpected::NewtypeStruct => Self::Newtype,
            Unexpected::Seq => Self::Seq,
            Unexpected::Map => Self::Map,
            _ => return None,
        })
    }
}

/// Looks for it in what a column is in such a buffer.
#[derive(Clone, Copy)]
pub(super) struct Finder<'s>(pub(super) &'s Seen);

impl Finder<'_> {
    fn is(self, found: Unexpected<'_>) -> bool {
        Seen::of(found).as_ref() == Some(self.0)
    }
}

macro_rules! scalars {
    ($($method:ident $ty:ty, $value:ident => $unexpected:expr;)*) => {$(
        fn $method<E>(self, $value: $ty) -> Result<bool, E> {
            Ok(self.is($unexpected))
        }
    )*};
}

impl<'de> Visitor<'de> for Finder<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    scalars! {
        visit_bool bool, value => Unexpected::Bool(value);
        visit_u64 u64, value => Unexpected::Unsigned(value);
        visit_i64 i64, value => Unexpected::Signed(value);
        visit_f64 f64, value => Unexpected::Float(value);
        visit_str &str, value => Unexpected::Str(value);
        visit_bytes &[u8], value => Unexpected::Bytes(value);
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(*self.0 == Seen::Unit)
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, _: D) -> Result<bool, D::Error> {
        Ok(*self.0 == Seen::Newtype)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<bool, A::Error> {
        let mut found = *self.0 == Seen::Seq;
        while let Some(inside) = access.next_element_seed(self)? {
            found |= inside;
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<bool, A::Error> {
        let mut found = *self.0 == Seen::Map;
        while let Some((key, value)) = access.next_entry_seed(self, self)? {
            found |= key | value;
        }
        Ok(found)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<bool, A::Error> {
        access.variant_seed(self).map(|(found, _)| found)
    }
}

impl<'de> DeserializeSeed<'de> for Finder<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}
