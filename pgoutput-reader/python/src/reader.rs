//! A reader that leaves Python's other threads running while it waits.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use pgoutput_reader::{Acknowledger, Next, StopHandle};
use pyo3::prelude::*;

use crate::connect::{Settings, connect};
use crate::event::Event;
use crate::{exception, poisoned};

/// The longest time between two looks at Python's signals. Events do not wait for it.
pub(crate) const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// A reader; nothing after it was stopped.
#[pyclass(frozen, module = "pgoutput_reader._native")]
pub(crate) struct Reader {
    inner: Mutex<Option<pgoutput_reader::Reader>>,
    acknowledger: Acknowledger,
    stop: StopHandle,
    started: String,
}

type Guard<'a> = MutexGuard<'a, Option<pgoutput_reader::Reader>>;

impl Reader {
    /// Locks the reader. Only without Python's own lock: another thread may wait for that.
    fn lock(&self) -> PyResult<Guard<'_>> {
        self.inner.lock().map_err(|_| poisoned())
    }
}

#[pymethods]
impl Reader {
    #[new]
    fn new(py: Python<'_>, settings: Settings) -> PyResult<Self> {
        let reader = connect(py, settings)?;
        Ok(Self {
            acknowledger: reader.acknowledger(),
            stop: reader.stop_handle(),
            started: reader.started().to_string(),
            inner: Mutex::new(Some(reader)),
        })
    }

    /// The server, database, slot and LSN, for people.
    #[getter]
    fn started(&self) -> &str {
        &self.started
    }

    /// Returns the next event, or nothing at the end.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Event>> {
        loop {
            let next = py.detach(|| match self.lock()?.as_mut() {
                Some(reader) => reader.next_timeout(SIGNAL_INTERVAL).map_err(exception),
                None => Ok(Next::Finished),
            })?;
            match next {
                Next::Event(event) => return Ok(Some(Event(event))),
                Next::TimedOut => py.check_signals()?,
                // Finished.
                _ => return Ok(None),
            }
        }
    }

    /// Acknowledges an event of this reader.
    fn acknowledge(&self, event: &Event) -> PyResult<()> {
        self.acknowledger.acknowledge(event.0.position()).map_err(exception)
    }

    /// Ends the reader: reports what was acknowledged and closes the connections.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        // Another thread may wait for an event with the reader locked.
        self.stop.stop();
        py.detach(|| match self.lock()?.take() {
            Some(reader) => reader.stop().map_err(exception),
            None => Ok(()),
        })
    }
}
