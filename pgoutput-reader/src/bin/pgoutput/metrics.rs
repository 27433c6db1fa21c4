//! Metrics of a run, in a file and over HTTP.
//!
//! The loop that prints stores figures here, and never waits for anyone who reads them. Threads of
//! their own write the file, answer requests and query the slot. They end with the program.

mod exposition;
mod file;
mod http;
mod slot;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgoutput_reader::{ChangeEvent, Config, Lsn, Op, Reader};

use crate::Failure;
use crate::args::MetricsArgs;
use crate::filter::OPS;
use exposition::{Figures, Labels};

/// The longest wait of the loop between two updates.
pub(crate) const UPDATE: Duration = Duration::from_secs(1);

/// The time after which figures of the slot are left out, since they could not be queried again.
const SLOT_OUTDATED: Duration = Duration::from_secs(60);

/// The places where metrics are published, opened before the program connects.
pub(crate) struct Places {
    file: Option<PathBuf>,
    listener: Option<TcpListener>,
}

impl Places {
    /// Opens the places; `None` if there are none.
    pub(crate) fn open(args: &MetricsArgs) -> Result<Option<Self>, Failure> {
        let listener = args.metrics.as_deref().map(http::bind).transpose()?;
        if let Some(path) = &args.metrics_file {
            // A file without metrics is valid too.
            file::replace(path, "").map_err(|error| file::failure(path, &error))?;
        }
        let is_some = listener.is_some() || args.metrics_file.is_some();
        Ok(is_some.then(|| Self { file: args.metrics_file.clone(), listener }))
    }
}

/// The figures, as the loop has last stored them.
struct Shared {
    labels: Labels,
    figures: Mutex<Option<Figures>>,
    slot: Mutex<Option<(Instant, slot::SlotFigures)>>,
}

impl Shared {
    /// Returns the text that is published.
    fn text(&self) -> String {
        let slot = *lock(&self.slot);
        let slot = slot.filter(|(at, _)| at.elapsed() < SLOT_OUTDATED).map(|(_, slot)| slot);
        lock(&self.figures)
            .as_ref()
            .map(|figures| exposition::text(&self.labels, figures, slot))
            .unwrap_or_default()
    }
}

/// No code that holds these locks panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The metrics of a run.
pub(crate) struct Metrics {
    shared: Arc<Shared>,
    file: Option<PathBuf>,
    delivered: Lsn,
    events: [u64; OPS.len()],
}

impl Metrics {
    /// Starts to publish the metrics of a reader.
    pub(crate) fn start(places: Places, reader: &Reader, config: &Config) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            labels: Labels::of(reader.started()),
            figures: Mutex::new(None),
            slot: Mutex::new(None),
        });
        let mut metrics = Self {
            shared: Arc::clone(&shared),
            file: places.file,
            delivered: Lsn::ZERO,
            events: [0; OPS.len()],
        };
        metrics.update(reader);
        let failed = |error| Failure::Run(format!("starting a thread for metrics: {error}"));
        slot::watch(&shared, config.clone(), &reader.started().slot).map_err(failed)?;
        if let Some(path) = &metrics.file {
            file::write_regularly(&shared, path.clone()).map_err(failed)?;
        }
        if let Some(listener) = places.listener {
            http::serve(&shared, &listener).map_err(failed)?;
        }
        Ok(metrics)
    }

    /// Counts an event that was written or left out.
    pub(crate) fn count(&mut self, event: &ChangeEvent) {
        self.delivered = self.delivered.max(event.lsn());
        self.count_op(event.op());
    }

    fn count_op(&mut self, op: Op) {
        let index = OPS.iter().position(|known| *known == op);
        if let Some(count) = index.and_then(|index| self.events.get_mut(index)) {
            *count += 1;
        }
    }

    /// Stores the figures of this moment.
    pub(crate) fn update(&mut self, reader: &Reader) {
        *lock(&self.shared.figures) = Some(Figures {
            health: reader.health(),
            delivered: self.delivered,
            events: self.events,
        });
    }

    /// Writes the file once more at the end.
    pub(crate) fn end(mut self, reader: &Reader) {
        self.update(reader);
        if let Some(path) = &self.file
            && let Err(error) = file::replace(path, &self.shared.text())
        {
            crate::print_line(&file::message(path, &error));
        }
    }
}
