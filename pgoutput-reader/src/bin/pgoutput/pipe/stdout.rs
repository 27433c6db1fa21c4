//! Standard output: at least once, since it keeps no position.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use super::batch::Batch;
use super::lines::Lines;
use super::log::{Log, LogError, Stored};
use crate::Failure;
use crate::stdout;

/// Records as lines.
pub(crate) struct Stdout {
    out: BufWriter<File>,
    lines: Lines,
}

impl Stdout {
    pub(crate) fn open(lines: Lines) -> Result<Self, Failure> {
        let out = stdout::open().map(BufWriter::new).map_err(Failure::Run)?;
        Ok(Self { out, lines })
    }
}

impl Log for Stdout {
    fn open(&mut self) -> Result<Stored, LogError> {
        Ok(Stored::default())
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        let written =
            batch.records().try_for_each(|record| self.lines.write(&mut self.out, &record));
        written.and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => LogError::closed(),
            _ => LogError::lasting(format!(
                "writing to standard output: {error}; what was not written completely is sent again"
            )),
        })
    }

    fn name(&self) -> String {
        "standard output".into()
    }
}
