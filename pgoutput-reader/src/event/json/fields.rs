//! Serialises the fields of an object whose JSON is already written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::text::is_plain;

/// Serialises an object as a map of its fields, each as a piece of JSON.
///
/// The fields are found in one pass. To parse their content would take several times as long as to
/// write them.
pub(super) fn serialize<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let Fields(fields) = serde_json::from_str(json).map_err(S::Error::custom)?;
    let names: Option<Vec<_>> = fields.iter().map(|(name, _)| plain(name.get())).collect();
    let Some(names) = names else {
        // A key of a map cannot have escapes of our own, so the object is passed on in one piece.
        let json: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
        return json.serialize(serializer);
    };
    let mut map = serializer.serialize_map(Some(fields.len()))?;
    for (name, (_, json)) in names.iter().zip(&fields) {
        map.serialize_entry(name, json)?;
    }
    map.end()
}

/// Returns the text of a JSON string, if `serde_json` writes it with the same escapes.
fn plain(json: &str) -> Option<Cow<'_, str>> {
    if !json.contains('\\') {
        return json.strip_prefix('"')?.strip_suffix('"').map(Cow::Borrowed);
    }
    serde_json::from_str::<String>(json).ok().filter(|string| is_plain(string)).map(Cow::Owned)
}

/// Names and values in their order, as written.
struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
