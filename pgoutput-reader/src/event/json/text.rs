//! Names and other texts of a server as JSON strings.

use pgoutput_decode::is_printable;
use pgoutput_decode::value::write_json_string;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A text that is serialised with the escapes of values. `serde_json` alone would not escape
/// characters that are not printable.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonText<'a>(pub(super) &'a str);

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if is_plain(self.0) {
            return serializer.serialize_str(self.0);
        }
        RawValue::from_string(quoted(self.0)).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Returns whether `serde_json` writes this text as values are written.
pub(super) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || text.chars().all(is_printable)
}

/// Returns the text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    // Writing to a String cannot fail.
    let _ = write_json_string(&mut json, text);
    json
}

/// Serialises a list of names.
pub(super) fn texts<S: Serializer>(names: &[&str], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(|name| JsonText(name)))
}
