//! `Toast` for `serde`.
//!
//! The deserialiser of a row recognises the name that `Toast` requests. `serde` reads some columns
//! into a buffer first (for `flatten`, and for untagged and internally tagged enums), and that
//! buffer does not pass names on. An unchanged value is therefore buffered as a placeholder that
//! only `Toast` accepts: a `None` inside several newtypes.

use core::fmt;
use core::marker::PhantomData;

use serde::de::value::UnitDeserializer;
use serde::de::{Deserialize, Deserializer, IntoDeserializer, Visitor};

use super::{Toast, placeholder_counts};

/// The name that `Toast` requests.
pub(crate) const TOAST: &str = "$pgoutput_decode::value::Toast";

/// The number of newtypes of the placeholder: more than a program nests around an `Option`.
pub(crate) const MARK_DEPTH: u8 = 8;

/// Reads a value, or from a row an unchanged TOAST value.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Toast<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOAST, Asked(PhantomData))
    }
}

/// Visitor of the answer to the first request.
struct Asked<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Asked<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or an unchanged TOAST value")
    }

    /// Visits an unchanged value of a row.
    fn visit_unit<E>(self) -> Result<Toast<T>, E> {
        placeholder_counts::taken();
        Ok(Toast::Unchanged)
    }

    /// Visits a present value of a row.
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Toast<T>, D::Error> {
        T::deserialize(deserializer).map(Toast::Present)
    }

    /// Visits the input of another deserialiser: the placeholder if it is a newtype, or a value.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Toast<T>, D::Error> {
        if !deserializer.is_human_readable() {
            // The format does not describe itself, so it is not a buffer.
            return T::deserialize(deserializer).map(Toast::Present);
        }
        deserializer.deserialize_option(Null(PhantomData))
    }
}

/// Visitor that distinguishes NULL, which is also a `None`, from the placeholder.
struct Null<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Null<T> {
    type Value = Toast<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or an unchanged TOAST value")
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

/// Visitor that removes newtypes. Anything else is deserialised as a value.
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
        f.write_str("a value or an unchanged TOAST value")
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
