//! The errors of published tables.

use crate::error::{Error, SetupError};
use crate::sql::names::escaped;

/// The name of a table with its schema, for a message.
pub(super) fn shown(schema: &[u8], table: &[u8]) -> String {
    format!("{}.{}", escaped(schema), escaped(table))
}

/// Returns the text of bytes that belong to a table.
pub(super) fn utf8(bytes: &[u8], schema: &[u8], table: &[u8]) -> Result<String, Error> {
    let text = String::from_utf8(bytes.to_vec());
    text.map_err(|_| {
        let (name, table) = (escaped(bytes), shown(schema, table));
        SetupError::NameNotUtf8 { name, table }.into()
    })
}
