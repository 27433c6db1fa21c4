//! Bytes for a type that requests a sequence.

use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::failure::Failure;

/// A byte of a `bytea` or a text. Only `u8` reads it as a number, so these values are not lists of
/// greater numbers or of strings.
pub(super) struct Byte(pub(super) u8);

impl IntoDeserializer<'_, Failure> for Byte {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'a> Deserializer<'a> for Byte {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        Err(Failure::invalid_type(Unexpected::Other("a byte"), &visitor))
    }

    fn deserialize_u8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier
    }
}
