//! `Toast` for `serde`.
//!
//! The deserialiser of a row knows the name that `Toast` passes to `deserialize_newtype_struct`. It
//! returns a unit for an unchanged value and `Some` for any other.

use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Visitor};

use super::Toast;

/// The name that `Toast` passes to the deserialiser.
pub(crate) const TOAST: &str = "$pgoutput_decode::value::Toast";

/// From a row, reads a value or an unchanged one; from any other format, a value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Toast<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOAST, ToastVisitor(PhantomData))
    }
}

struct ToastVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ToastVisitor<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or an unchanged TOAST value")
    }

    fn visit_unit<E>(self) -> Result<Toast<T>, E> {
        Ok(Toast::Unchanged)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error> {
        T::deserialize(deserializer).map(Toast::Present)
    }

    /// From any other format than a row.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Toast<T>, D::Error> {
        T::deserialize(deserializer).map(Toast::Present)
    }
}
