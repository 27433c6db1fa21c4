//! An event, as JSON.

use std::sync::Arc;

use pgoutput_reader::ChangeEvent;
use pyo3::prelude::*;
use serde::Serialize as _;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value};

use crate::error::own;

/// An event.
#[pyclass(frozen, module = "pgoutput_reader._native")]
pub(crate) struct Event(pub(crate) Arc<ChangeEvent>);

#[pymethods]
impl Event {
    /// The operation, a letter.
    #[getter]
    fn op(&self) -> char {
        self.0.op().code()
    }

    /// The LSN of the change.
    #[getter]
    fn lsn(&self) -> u64 {
        self.0.lsn().as_u64()
    }

    /// The UUID of the change, as text.
    #[getter]
    fn message_id(&self) -> String {
        self.0.message_id().to_string()
    }

    /// The names of the schema and the table, for people.
    #[getter]
    fn table(&self) -> Option<String> {
        self.0.table().map(|table| format!("{}.{}", table.schema_name(), table.name()))
    }

    /// The position after this event, as text.
    #[getter]
    fn position(&self) -> String {
        self.0.position().to_string()
    }

    /// Whether this is the last event of its transaction.
    #[getter]
    fn is_last(&self) -> bool {
        self.0.is_last()
    }

    /// Returns the event as JSON, on one line.
    fn json(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| {
            let mut json = String::new();
            self.0.write_json(&mut json).map(|()| json)
        })
        .map_err(|error| own("value", error.to_string()))
    }
}

/// Indents a JSON text by so many spaces. A text with more levels than are read, about 127, stays
/// as it is.
#[pyfunction]
pub(crate) fn indent(py: Python<'_>, json: String, spaces: u8) -> String {
    py.detach(|| indented(&json, spaces).unwrap_or(json))
}

fn indented(json: &str, spaces: u8) -> Result<String, serde_json::Error> {
    let value: Value = serde_json::from_str(json)?;
    let (mut text, indent) = (Vec::new(), " ".repeat(spaces.into()));
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    // The text that was read is UTF-8, and so is this.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
