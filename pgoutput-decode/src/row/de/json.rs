//! JSON documents, as `serde_json` reads them.

use alloc::borrow::Cow;

use serde::de::{Deserializer, Error as _, Visitor};

use super::failure::Failure;
use crate::value::{Text, in_one_piece, json_error_offset};

/// The name under which `serde_json` requests an unparsed document.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// Reads a whole document. A document with escapes, from an array or a composite, cannot be
/// borrowed.
macro_rules! read {
    ($text:ident, $reader:ident => $read:expr) => {
        match in_one_piece($text) {
            Cow::Borrowed(text) => {
                read!(text, serde_json::Deserializer::from_str(text), $reader => $read)
            }
            Cow::Owned(text) => {
                let reader = serde_json::Deserializer::from_reader(text.as_bytes());
                read!(&text, reader, $reader => $read)
            }
        }
    };
    ($text:expr, $make:expr, $reader:ident => $read:expr) => {{
        let mut reader = $make;
        let $reader = &mut reader;
        let failure = |error: serde_json::Error| {
            Failure::custom(&error).rebased(json_error_offset($text, &error))
        };
        let value = $read.map_err(failure)?;
        reader.end().map_err(failure)?;
        Ok(value)
    }};
}

pub(super) fn any<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_any(visitor))
}

pub(super) fn raw<'a, V: Visitor<'a>>(text: &Text<'a>, visitor: V) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_newtype_struct(RAW, visitor))
}

pub(super) fn variant<'a, V: Visitor<'a>>(
    text: &Text<'a>,
    name: &'static str,
    variants: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Failure> {
    read!(text, reader => reader.deserialize_enum(name, variants, visitor))
}
