//! Standard output: at least once, since it keeps no position.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use super::batch::Batch;
use super::log::{Log, LogError, Stored};
use crate::Failure;
use crate::stdout;

/// Records as lines.
pub(crate) struct Stdout(BufWriter<File>);

impl Stdout {
    pub(crate) fn open() -> Result<Self, Failure> {
        stdout::open().map(BufWriter::new).map(Self).map_err(Failure::Run)
    }
}

impl Log for Stdout {
    fn open(&mut self) -> Result<Stored, LogError> {
        Ok(Stored::default())
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        let written = batch.records().try_for_each(|record| {
            self.0.write_all(record.value.unwrap_or("null").as_bytes())?;
            self.0.write_all(b"\n")
        });
        written.and_then(|()| self.0.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => LogError::closed(),
            _ => LogError::lasting(format!("writing to standard output: {error}")),
        })
    }

    fn name(&self) -> String {
        "standard output".into()
    }
}
