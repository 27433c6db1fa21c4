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
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pgoutput_reader::{ChangeEvent, Config, Lsn, Reader};

use crate::Failure;
use crate::args::MetricsArgs;
use crate::filter::OPS;
use crate::pipe;
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
    /// The figures of the destination of a pipe.
    pipe: OnceLock<Arc<pipe::Figures>>,
}

impl Shared {
    /// Returns the text that is published.
    fn text(&self) -> String {
        let slot = *lock(&self.slot);
        let slot = slot.filter(|(at, _)| at.elapsed() < SLOT_OUTDATED).map(|(_, slot)| slot);
        let pipe = self.pipe.get().map(|pipe| pipe.counts());
        lock(&self.figures)
            .as_ref()
            .map(|figures| exposition::text(&self.labels, figures, slot, pipe))
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
    held: Held,
    /// Those of the batch that is being stored.
    storing: Option<Held>,
}

/// Events that are counted once they are stored.
#[derive(Debug, Default)]
struct Held {
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
            pipe: OnceLock::new(),
        });
        let mut metrics = Self {
            shared: Arc::clone(&shared),
            file: places.file,
            delivered: Lsn::ZERO,
            events: [0; OPS.len()],
            held: Held::default(),
            storing: None,
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
        self.hold(event);
        self.release();
    }

    /// Keeps an event that counts once it is stored.
    pub(crate) fn hold(&mut self, event: &ChangeEvent) {
        self.held.delivered = self.held.delivered.max(event.lsn());
        let index = OPS.iter().position(|known| *known == event.op());
        if let Some(count) = index.and_then(|index| self.held.events.get_mut(index)) {
            *count += 1;
        }
    }

    /// Ends a batch: it is stored while the next events are kept.
    pub(crate) fn hold_batch(&mut self) {
        self.storing = Some(std::mem::take(&mut self.held));
    }

    /// Counts the events of the batch that was stored.
    pub(crate) fn release(&mut self) {
        let storing = self.storing.take();
        let held = storing.unwrap_or_else(|| std::mem::take(&mut self.held));
        self.delivered = self.delivered.max(held.delivered);
        for (count, held) in self.events.iter_mut().zip(held.events) {
            *count += held;
        }
    }

    /// Adds the figures of a destination.
    pub(crate) fn add_pipe(&self, figures: &Arc<pipe::Figures>) {
        let _ = self.shared.pipe.set(Arc::clone(figures));
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
