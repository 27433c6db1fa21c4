//! Bytes where a sequence is asked for.

use serde::de::{Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::failure::Failure;

/// A byte of a `bytea` or a text, which is a number for nothing but `u8`: a list of greater numbers
/// or of strings is not made of it.
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
