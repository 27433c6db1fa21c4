//! `Toast` for `serde`.
//!
//! The deserialiser of a row knows the name that `Toast` asks under. What `serde` has read into a buffer of its own (for
//! `flatten`, for enums that are untagged or have their tag inside) is asked later, and that buffer does not pass names on:
//! there a value that did not come along is a mark that nothing but `Toast` accepts, a `None` inside of several newtypes.

use core::fmt;
use core::marker::PhantomData;

use serde::de::value::UnitDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};

use super::{Toast, placeholder_counts};

/// The name under which `Toast` asks.
pub(crate) const TOAST: &str = "$pgoutput_decode::value::Toast";

/// How many newtypes the mark is: more than stand in each other around an `Option` of anyone's.
pub(crate) const MARK_DEPTH: u8 = 8;

/// From a row a value, or none that came along; from anything else a value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Toast<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOAST, Asked(PhantomData))
    }
}

/// What the first question is answered with.
struct Asked<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Asked<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that may not have come along")
    }

    /// A row says that it did not.
    fn visit_unit<E>(self) -> Result<Toast<T>, E> {
        placeholder_counts::taken();
        Ok(Toast::Unchanged)
    }

    /// A row has it.
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error> {
        T::deserialize(deserializer).map(Toast::Present)
    }

    /// Anything else: the mark, if this was a newtype of it, or a value, which is no newtype.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Toast<T>, D::Error> {
        if !deserializer.is_human_readable() {
            // It does not describe itself, and is no buffer.
            return T::deserialize(deserializer).map(Toast::Present);
        }
        deserializer.deserialize_option(Null(PhantomData))
    }
}

/// Tells NULL, which is a `None` too, from the rest.
struct Null<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Null<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that may not have come along")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Toast<T>, E> {
        let null: UnitDeserializer<E> = ().into_deserializer();
        T::deserialize(null).map(Toast::Present)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<Toast<T>, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error> {
        Peel { left: MARK_DEPTH - 1, value: PhantomData }.deserialize(deserializer)
    }
}

/// Takes newtypes off; what is none is handed on as it is.
struct Peel<T> {
    left: u8,
    value: PhantomData<T>,
}

impl<T> Peel<T> {
    fn deserialize<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error>
    where
        T: Deserialize<'de>,
    {
        if self.left == 0 {
            deserializer.deserialize_option(self)
        } else {
            deserializer.deserialize_newtype_struct(TOAST, self)
        }
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Peel<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that may not have come along")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Toast<T>, D::Error> {
        Self { left: self.left.saturating_sub(1), value: PhantomData }.deserialize(deserializer)
    }

    fn visit_none<E>(self) -> Result<Toast<T>, E> {
        placeholder_counts::taken();
        Ok(Toast::Unchanged)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error> {
        T::deserialize(deserializer).map(Toast::Present)
    }
}
