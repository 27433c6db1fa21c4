//! A reader that leaves Python's other threads running while it waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use pgoutput_reader::{Acknowledger, ChangeEvent, Next, StopHandle};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::connect::{Settings, connect};
use crate::error::{exception, own};
use crate::event::Event;

/// The longest time between two looks at Python's signals. Events do not wait for it.
pub(crate) const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// The base class of the package's reader. `for` calls its `__next__` without a frame of Python
/// code, in which the exception of a signal handler could drop an event.
#[pyclass(frozen, subclass, module = "pgoutput_reader._native")]
pub(crate) struct Reader(OnceLock<Connected>);

/// A reader that has connected.
struct Connected {
    /// The process that connected.
    process: u32,
    manual: bool,
    /// The class of the events, called with an [`Event`].
    event_class: Py<PyAny>,
    started: String,
    acknowledger: Acknowledger,
    stop: StopHandle,
    stopped: AtomicBool,
    state: Mutex<State>,
}

struct State {
    /// The reader; nothing after it was stopped.
    reader: Option<pgoutput_reader::Reader>,
    /// An event that an exception kept from being handed over, and that comes next.
    pending: Option<Arc<ChangeEvent>>,
    /// Whether an error has ended the reader.
    failed: bool,
}

enum Step {
    Event(Arc<ChangeEvent>),
    TimedOut,
    Finished,
}

impl Connected {
    /// Locks the state. Only without Python's own lock: another thread may wait for that.
    fn lock(&self) -> PyResult<MutexGuard<'_, State>> {
        self.state.lock().map_err(|_| {
            own("other", "the reader cannot be used after a panic: create another one")
        })
    }

    /// Waits for the next event, which acknowledges the one before.
    fn step(&self) -> PyResult<Step> {
        let State { reader, pending, failed } = &mut *self.lock()?;
        let Some(reader) = reader else { return Ok(Step::Finished) };
        if let Some(event) = pending.take() {
            return Ok(Step::Event(event));
        }
        match reader.next_timeout(SIGNAL_INTERVAL) {
            Ok(Next::Event(event)) => Ok(Step::Event(Arc::new(event))),
            Ok(Next::TimedOut) => Ok(Step::TimedOut),
            // Finished.
            Ok(_) => Ok(Step::Finished),
            Err(error) => {
                *failed = true;
                Err(exception(&error))
            }
        }
    }

    /// Creates the event that the program sees. After an exception, the next call of `step` returns
    /// the event again.
    fn hand_over(&self, py: Python<'_>, event: Arc<ChangeEvent>) -> PyResult<Py<PyAny>> {
        let created = self
            .event_class
            .call1(py, (Event(Arc::clone(&event)),))
            // `for` looks at no signal before it has assigned the event.
            .and_then(|created| py.check_signals().map(|()| created));
        if created.is_err() {
            py.detach(|| self.lock().map(|mut state| state.pending = Some(event)))?;
        }
        created
    }

    fn finish(&self) -> PyResult<()> {
        let mut state = self.lock()?;
        state.pending = None;
        let Some(reader) = state.reader.take() else { return Ok(()) };
        match reader.stop() {
            // The error that ended the reader was raised.
            Err(error) if !state.failed => Err(exception(&error)),
            _ => Ok(()),
        }
    }
}

impl Reader {
    /// Returns the reader, in the process that has connected.
    fn connected(&self) -> PyResult<&Connected> {
        let connected =
            self.0.get().ok_or_else(|| own("other", "__init__ of the reader was not called"))?;
        if connected.process == std::process::id() {
            return Ok(connected);
        }
        Err(own(
            "other",
            "the reader was created in another process, before a fork: create one in the process \
             that reads",
        ))
    }
}

#[pymethods]
impl Reader {
    /// Ignores the arguments, which are those of the subclass.
    #[new]
    #[pyo3(signature = (*_arguments, **_keywords))]
    fn new(_arguments: &Bound<'_, PyTuple>, _keywords: Option<&Bound<'_, PyDict>>) -> Self {
        Self(OnceLock::new())
    }

    /// Connects, once.
    fn _connect(&self, py: Python<'_>, settings: Settings, event_class: Py<PyAny>) -> PyResult<()> {
        let manual = settings.manual;
        let reader = connect(py, settings)?;
        let connected = Connected {
            process: std::process::id(),
            manual,
            event_class,
            started: reader.started().to_string(),
            acknowledger: reader.acknowledger(),
            stop: reader.stop_handle(),
            stopped: AtomicBool::new(false),
            state: Mutex::new(State { reader: Some(reader), pending: None, failed: false }),
        };
        self.0.set(connected).map_err(|_| own("other", "the reader has connected before"))
    }

    /// The server, database, slot and LSN, for people.
    #[getter]
    fn _started(&self) -> Option<&str> {
        self.0.get().map(|connected| connected.started.as_str())
    }

    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let connected = self.connected()?;
        loop {
            match py.detach(|| connected.step())? {
                Step::Event(event) => return connected.hand_over(py, event).map(Some),
                Step::TimedOut => py.check_signals()?,
                Step::Finished => return Ok(None),
            }
        }
    }

    /// Acknowledges an event of this reader.
    fn _acknowledge(&self, event: &Event) -> PyResult<()> {
        let connected = self.connected()?;
        if !connected.manual {
            return Err(own("config", "acknowledge needs a reader with manual=True"));
        }
        if connected.stopped.load(Ordering::Relaxed) {
            return Err(own(
                "other",
                "the reader was stopped, and the event cannot be acknowledged: it comes again",
            ));
        }
        let acknowledged = connected.acknowledger.acknowledge(event.0.position());
        acknowledged.map_err(|error| exception(&error))
    }

    /// Ends the reader: reports what was acknowledged and closes the connections.
    fn _stop(&self, py: Python<'_>) -> PyResult<()> {
        if self.0.get().is_none() {
            return Ok(());
        }
        let connected = self.connected()?;
        connected.stopped.store(true, Ordering::Relaxed);
        // Another thread may wait for an event with the state locked.
        connected.stop.stop();
        py.detach(|| connected.finish())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // After a fork, the threads exist only in the parent, and the connections are the parent's.
        if let Some(connected) = self.0.take()
            && connected.process != std::process::id()
        {
            std::mem::forget(connected);
        }
    }
}
