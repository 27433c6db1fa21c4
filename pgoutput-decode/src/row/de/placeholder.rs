//! The mark that stands for a value that did not come along, in a buffer of `serde`.

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::failure::Failure;
use crate::value::MARK_DEPTH;

/// A value that did not come along, for those who read anything: what the module of `Toast` tells.
pub(super) struct Mark(u8);

impl Mark {
    /// What stands inside of the first newtype.
    pub(super) const fn new() -> Self {
        Self(MARK_DEPTH - 1)
    }
}

impl<'a> Deserializer<'a> for Mark {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0.checked_sub(1) {
            Some(left) => visitor.visit_newtype_struct(Self(left)),
            None => visitor.visit_none(),
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
