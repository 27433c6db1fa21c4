//! The Python module `pgoutput_reader._native`: a reader that returns events as JSON. The package's
//! Python files build the events that a program sees from it.

#![forbid(unsafe_code)]

mod connect;
mod event;
mod reader;

use pgoutput_reader::ErrorKind;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;

create_exception!(
    pgoutput_reader,
    Error,
    PyException,
    "Reading cannot start or continue. The message says why, and what to do."
);

create_exception!(
    pgoutput_reader,
    ConfigError,
    Error,
    "An argument is not valid, or arguments do not fit together."
);

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Error", module.py().get_type::<Error>())?;
    module.add("ConfigError", module.py().get_type::<ConfigError>())?;
    module.add_class::<reader::Reader>()?;
    module.add_class::<event::Event>()
}

/// Returns an error of the reader as an exception.
fn exception(error: pgoutput_reader::Error) -> PyErr {
    match error.kind() {
        ErrorKind::Config(_) | ErrorKind::Usage(_) => ConfigError::new_err(error.to_string()),
        _ => Error::new_err(error.to_string()),
    }
}

/// Returns the exception for a mutex whose holder panicked.
fn poisoned() -> PyErr {
    PyValueError::new_err("the reader cannot be used after a panic: create another one")
}
