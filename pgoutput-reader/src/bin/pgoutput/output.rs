//! The output: whole objects, acknowledged after they are written.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use pgoutput_reader::{Acknowledger, ChangeEvent, Lsn, Op, Position};

use crate::args::Format;
use crate::position_file::{PositionFile, Stored};

/// The longest object whose memory is kept for the next one.
const OBJECT_KEPT: usize = 1024 * 1024;

/// Writes changes, and acknowledges them only after they are written.
pub(crate) struct Output {
    out: BufWriter<File>,
    /// The file that keeps the position, and the length of the output file.
    position_file: Option<(PositionFile, u64)>,
    format: Format,
    /// Whether each object has its position.
    position: bool,
    acknowledger: Acknowledger,
    /// The last change in the buffer, and the length of the output file with it.
    pending: Option<(Position, u64)>,
    /// Whether everything in the output file is on disk.
    is_synced: bool,
    /// The number of changes written.
    written: u64,
    /// The number of changes that were not printed.
    skipped: u64,
    /// The number of changes in the buffer.
    waiting: u64,
    /// The current object, complete before any of it is printed.
    object: String,
}

/// An error because of which a change was not written.
pub(crate) enum WriteError {
    /// A value that cannot be read, and the transaction's commit LSN.
    Value(String, Option<Lsn>),
    Output(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Output {
    /// Writes to `file`, whose length is known if there is a position file.
    pub(crate) fn new(
        file: File,
        position_file: Option<(PositionFile, u64)>,
        format: Format,
        position: bool,
        acknowledger: Acknowledger,
    ) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, file);
        Self {
            out,
            position_file,
            format,
            position,
            acknowledger,
            pending: None,
            is_synced: false,
            written: 0,
            skipped: 0,
            waiting: 0,
            object: String::new(),
        }
    }

    /// Appends a change to the buffer.
    pub(crate) fn write(&mut self, event: &ChangeEvent) -> Result<(), WriteError> {
        self.object.clear();
        match self.format {
            Format::Jsonl => event.write_json(&mut self.object).map_err(|error| error.to_string()),
            Format::Json => serde_json::to_string_pretty(event)
                .map(|json| self.object = json)
                .map_err(|error| error.to_string()),
        }
        .map_err(|error| {
            let commit_lsn = event.transaction().map(|transaction| transaction.commit_lsn());
            WriteError::Value(error, commit_lsn)
        })?;
        if self.position {
            self.add_position(event);
        }
        self.object.push('\n');
        // An object longer than the buffer is written without another copy.
        self.out.write_all(self.object.as_bytes())?;
        if let Some((_, length)) = &mut self.position_file {
            *length += self.object.len() as u64;
        }
        self.is_synced = false;
        if self.object.capacity() > OBJECT_KEPT {
            self.object = String::new();
        }
        self.set_pending(event);
        self.waiting += u64::from(event.op() != Op::Schema);
        Ok(())
    }

    /// Counts a change as processed that is not printed.
    pub(crate) fn skip(&mut self, event: &ChangeEvent) {
        self.set_pending(event);
        self.skipped += 1;
    }

    /// Sets the change up to which the next flush acknowledges.
    fn set_pending(&mut self, event: &ChangeEvent) {
        let length = self.position_file.as_ref().map(|(_, length)| *length);
        // A table that is copied in part is copied again from its beginning. Its rows must then be
        // cut off.
        let is_copied = event.transaction().is_none() && event.table().is_some();
        if length.is_none() || !is_copied || event.is_last() {
            self.pending = Some((event.position(), length.unwrap_or_default()));
        }
    }

    /// Adds the position as the last field of the object.
    fn add_position(&mut self, event: &ChangeEvent) {
        let position = event.position();
        let (indented, field) = match self.format {
            Format::Jsonl => ("", format!(",\"position\":\"{position}\"")),
            Format::Json => ("\n", format!(",\n  \"position\": \"{position}\"\n")),
        };
        // An object ends with its brace, after the line of the last field if it is indented.
        let end = format!("{indented}}}");
        if self.object.ends_with(&end) {
            self.object.truncate(self.object.len() - end.len());
        }
        self.object.push_str(&field);
        self.object.push('}');
    }

    /// Writes everything, and only then acknowledges it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.written += std::mem::take(&mut self.waiting);
        if let Some((position, length)) = self.pending.take() {
            if let Some((file, _)) = &mut self.position_file {
                if !self.is_synced {
                    self.out.get_ref().sync_data()?;
                    self.is_synced = true;
                }
                file.store(&Stored::at(length, position.clone())).map_err(|error| {
                    io::Error::other(format!("{}: {error}", file.path().display()))
                })?;
            }
            // The position is one of this reader's.
            self.acknowledger.acknowledge_through(position).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The number of changes written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The number of changes that were not printed.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }
}
