//! The content of arrays, composites and `hstore`.

use alloc::borrow::Cow;

use serde::de::value::{BorrowedStrDeserializer, CowStrDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::failure::Failure;
use super::value::ColumnValue;
use crate::value::{self, Array, Composite, Elements, Field, Hstore, in_one_piece};

/// Passes a sequence to a visitor, which must read all of it.
pub(super) fn read_all<'a, A, V>(mut access: A, visitor: V) -> Result<V::Value, Failure>
where
    A: SeqAccess<'a, Error = Failure>,
    V: Visitor<'a>,
{
    let value = visitor.visit_seq(&mut access)?;
    let mut left = 0_usize;
    while access.next_element::<IgnoredAny>()?.is_some() {
        left += 1;
    }
    match left {
        0 => Ok(value),
        1 => Err(Failure::custom("1 element more than requested")),
        _ => Err(Failure::custom(format_args!("{left} elements more than requested"))),
    }
}

/// One dimension of an array.
pub(super) struct ArrayAccess<'a> {
    field: Field<'a>,
    array: Array<'a>,
    /// The elements, from the first of this dimension.
    elements: Elements<'a>,
    /// The number of dimensions around this one.
    level: usize,
    left: u32,
}

impl<'a> ArrayAccess<'a> {
    pub(super) fn new(field: Field<'a>, array: &Array<'a>) -> Self {
        Self::at(field, *array, array.elements(), 0)
    }

    fn at(field: Field<'a>, array: Array<'a>, elements: Elements<'a>, level: usize) -> Self {
        let left = array.dimensions().get(level).map_or(0, |dimension| dimension.len);
        Self { field, array, elements, level, left }
    }
}

impl<'a> SeqAccess<'a> for ArrayAccess<'a> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let inner = self.array.dimensions().get(self.level + 1..).unwrap_or_default();
        if inner.is_empty() {
            let value = ColumnValue::from(self.elements.next().flatten());
            return seed
                .deserialize(value)
                .map(Some)
                .map_err(|failure| value.inside(failure, &self.field));
        }
        let list = Self::at(self.field, self.array, self.elements.clone(), self.level + 1);
        // Their product was checked against the number of elements.
        let size = inner.iter().map(|dimension| dimension.len).product();
        for _ in 0..size {
            self.elements.next();
        }
        seed.deserialize(list).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok()
    }
}

impl<'a> Deserializer<'a> for ArrayAccess<'a> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        read_all(self, visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The attributes of a composite, with their names or in their order.
pub(super) struct CompositeAccess<'a> {
    field: Field<'a>,
    left: value::Attributes<'a>,
    /// The value whose name was returned.
    current: Option<ColumnValue<'a>>,
}

impl<'a> CompositeAccess<'a> {
    pub(super) fn new(field: Field<'a>, composite: &Composite<'a>) -> Self {
        Self { field, left: composite.attributes(), current: None }
    }

    fn read<S: DeserializeSeed<'a>>(
        &self,
        value: ColumnValue<'a>,
        seed: S,
    ) -> Result<S::Value, Failure> {
        seed.deserialize(value).map_err(|failure| value.inside(failure, &self.field))
    }
}

impl<'a> MapAccess<'a> for CompositeAccess<'a> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some((attribute, value)) = self.left.next() else { return Ok(None) };
        self.current = Some(value.into());
        seed.deserialize(BorrowedStrDeserializer::new(attribute.name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        match self.current.take() {
            Some(value) => self.read(value, seed),
            None => Err(Failure::value_before_key()),
        }
    }
}

impl<'a> SeqAccess<'a> for CompositeAccess<'a> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        self.left.next().map(|(_, value)| self.read(value.into(), seed)).transpose()
    }
}

/// The pairs of an `hstore`.
pub(super) struct HstoreAccess<'a> {
    pairs: value::Pairs<'a>,
    /// The value whose key was returned.
    current: Option<ColumnValue<'a>>,
}

impl<'a> HstoreAccess<'a> {
    pub(super) fn new(hstore: &Hstore<'a>) -> Self {
        Self { pairs: hstore.pairs(), current: None }
    }
}

impl<'a> MapAccess<'a> for HstoreAccess<'a> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.current = Some(value.map_or(ColumnValue::Null, ColumnValue::Text));
        match in_one_piece(&key) {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            key @ Cow::Owned(_) => seed.deserialize(CowStrDeserializer::new(key)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        match self.current.take() {
            Some(value) => seed.deserialize(value),
            None => Err(Failure::value_before_key()),
        }
    }
}
