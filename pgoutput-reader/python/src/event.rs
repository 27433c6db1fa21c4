//! An event, as JSON.

use pgoutput_reader::ChangeEvent;
use pyo3::prelude::*;
use serde::Serialize as _;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value};

use crate::Error;

/// An event.
#[pyclass(frozen, module = "pgoutput_reader._native")]
pub(crate) struct Event(pub(crate) ChangeEvent);

#[pymethods]
impl Event {
    /// The operation, a letter.
    #[getter]
    fn op(&self) -> char {
        self.0.op().code()
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

    /// Returns the event as JSON, on one line or indented by so many spaces.
    #[pyo3(signature = (indent=None))]
    fn json(&self, py: Python<'_>, indent: Option<usize>) -> PyResult<String> {
        py.detach(|| {
            let json = serde_json::to_string(&self.0)?;
            match indent {
                None => Ok(json),
                Some(indent) => indented(&json, indent).or(Ok(json)),
            }
        })
        .map_err(|error: serde_json::Error| Error::new_err(error.to_string()))
    }
}

/// Indents a JSON text.
///
/// # Errors
/// It has more levels than are read, about 127.
fn indented(json: &str, spaces: usize) -> Result<String, serde_json::Error> {
    let value: Value = serde_json::from_str(json)?;
    let (mut text, indent) = (Vec::new(), " ".repeat(spaces));
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut text, formatter))?;
    // The text that was read is UTF-8, and so is this.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
