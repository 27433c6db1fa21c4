//! Connecting on a thread, so that Ctrl-C ends the wait.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use pgoutput_reader::{Acknowledge, Reader, ReaderBuilder, SlotCreation, Snapshot, StreamOptions};
use pyo3::prelude::*;

use crate::error::{config_exception, exception, own};
use crate::reader::SIGNAL_INTERVAL;

/// The settings of a reader: a dictionary with these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument in Python")]
pub(crate) struct Settings {
    dsn: String,
    publications: Vec<String>,
    slot: String,
    create_slot: bool,
    snapshot: bool,
    messages: bool,
    binary: bool,
    pub(crate) manual: bool,
    resume: Option<String>,
}

impl Settings {
    fn builder(self) -> PyResult<ReaderBuilder> {
        let mut builder = Reader::builder(&self.dsn)
            .slot(self.slot)
            .options(StreamOptions::new().messages(self.messages).binary(self.binary));
        for publication in self.publications {
            builder = builder.publication(publication);
        }
        if self.create_slot {
            builder = builder.slot_creation(SlotCreation::IfMissing);
        }
        if self.snapshot {
            builder = builder.snapshot(Snapshot::initial());
        }
        if self.manual {
            builder = builder.acknowledge(Acknowledge::Manual);
        }
        if let Some(position) = self.resume {
            let position = position.parse().map_err(pgoutput_reader::Error::from);
            builder = builder.resume(position.map_err(|error| config_exception(&error))?);
        }
        Ok(builder)
    }
}

/// Connects. An exception of a signal handler, such as `KeyboardInterrupt`, ends the wait. The
/// connection is then closed as soon as it exists, and a slot that was requested may remain.
pub(crate) fn connect(py: Python<'_>, settings: Settings) -> PyResult<Reader> {
    let mut builder = settings.builder()?;
    let stop = builder.stop_handle().map_err(|error| exception(&error))?;
    let (sender, mut receiver) = mpsc::channel();
    let connect = move || {
        // The receiver is gone after a signal.
        let _ = sender.send(builder.connect());
    };
    thread::Builder::new()
        .name("pgoutput-connect".into())
        .spawn(connect)
        .map_err(|error| own("io", format!("no thread can be started: {error}")))?;
    loop {
        let receiver = &mut receiver;
        match py.detach(move || receiver.recv_timeout(SIGNAL_INTERVAL)) {
            Ok(connected) => return connected.map_err(|error| exception(&error)),
            Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| stop.stop())?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(own("other", "the thread that connects has panicked"));
            }
        }
    }
}
