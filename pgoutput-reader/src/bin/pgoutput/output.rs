//! Standard output: whole objects, and which of them have left this program.

use std::io::{self, BufWriter, StdoutLock, Write};

use pgoutput_reader::{Acknowledger, ChangeEvent, Position};

use crate::args::Format;

/// Writes changes, and acknowledges none before it was written out.
pub(crate) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    format: Format,
    /// `None`: nothing is acknowledged.
    acknowledger: Option<Acknowledger>,
    /// The last change in the buffer.
    pending: Option<Position>,
}

impl Output {
    pub(crate) fn new(format: Format, acknowledger: Option<Acknowledger>) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
        Self { out, format, acknowledger, pending: None }
    }

    /// Adds a change to what waits to be written out.
    pub(crate) fn write(&mut self, event: &ChangeEvent) -> io::Result<()> {
        match self.format {
            Format::Jsonl => serde_json::to_writer(&mut self.out, event)?,
            Format::Json => serde_json::to_writer_pretty(&mut self.out, event)?,
        }
        self.out.write_all(b"\n")?;
        self.pending = Some(event.position());
        Ok(())
    }

    /// Writes everything out; only then it is acknowledged.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        if let (Some(position), Some(acknowledger)) = (self.pending.take(), &self.acknowledger) {
            acknowledger.acknowledge_through(position);
        }
        Ok(())
    }
}
