//! The Python module `pgoutput_reader._native`: a reader that returns events as JSON. The package's
//! Python files build the events that a program sees from it.

#![forbid(unsafe_code)]

mod connect;
mod error;
mod event;
mod reader;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(event::indent, module)?)?;
    module.add_class::<reader::Reader>()?;
    module.add_class::<event::Event>()
}
