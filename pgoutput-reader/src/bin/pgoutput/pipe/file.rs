//! Files of lines, with their position in a file beside them: exactly once.

mod numbers;
mod settings;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use pgoutput_reader::Position;

use super::batch::Batch;
use super::lines::Lines;
use super::log::{Log, LogError, Stored};
use crate::args::{Pipe, SnapshotArg};
use crate::position_file::{self, Numbered, PositionFile};
pub(crate) use settings::Settings;

/// The size of writes.
const BUFFER: usize = 64 * 1024;

/// The log in files.
struct FileLog {
    settings: Settings,
    lines: Lines,
    /// Whether an initial copy comes first.
    copies: bool,
    open: Option<Output>,
}

/// The file that is written to.
struct Output {
    file: File,
    path: PathBuf,
    position_file: PositionFile,
    numbered: Option<Numbered>,
    position: Option<Position>,
    length: u64,
    /// The length before the rows of a table whose copy is not complete. They are cut off at the
    /// start, since that copy starts again.
    settled: u64,
    /// Whether it ends with a whole transaction.
    is_whole: bool,
}

impl Settings {
    /// Returns the log, which is not open yet.
    pub(crate) fn log(&self, pipe: &Pipe) -> Box<dyn Log> {
        Box::new(FileLog {
            settings: self.clone(),
            lines: Lines::of(pipe),
            copies: pipe.reading.snapshot.contains(&SnapshotArg::Initial),
            open: None,
        })
    }
}

impl Log for FileLog {
    fn open(&mut self) -> Result<Stored, LogError> {
        self.open = None;
        let output = Output::open(&self.settings, self.copies).map_err(LogError::lasting)?;
        let position = output.position.clone();
        self.open = Some(output);
        Ok(Stored { position, records: 0 })
    }

    fn store(&mut self, batch: &Batch) -> Result<(), LogError> {
        // After an error it is not known what the file has.
        let open = self.open.take();
        let mut output = open.ok_or_else(|| LogError::lasting("the output file is not open"))?;
        output.rotate_if_due(&self.settings).map_err(LogError::lasting)?;
        output.store(batch, self.lines).map_err(LogError::lasting)?;
        output.rotate_if_due(&self.settings).map_err(LogError::lasting)?;
        self.open = Some(output);
        Ok(())
    }

    fn name(&self) -> String {
        self.settings.path.display().to_string()
    }
}

impl Output {
    fn open(settings: &Settings, copies: bool) -> Result<Self, String> {
        let base = &settings.path;
        let folder = base.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(format!("{} is not a folder: create it first", folder.display()));
        }
        let position_path = numbers::position_path(base);
        let numbered = match fs::read_to_string(&position_path) {
            // Its errors are those of the next step.
            Ok(text) => position_file::Stored::read(&text).and_then(|stored| stored.numbered),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                numbers::check_unused(base, &position_path)?;
                settings.rotates().then_some(Numbered { number: 1, since: 0 })
            }
            Err(error) => return Err(format!("{}: {error}", position_path.display())),
        };
        let path = numbers::output_path(base, numbered);
        let (position_file, file, stored) =
            PositionFile::open_numbered(&path, &position_path, copies, numbered)?;
        Ok(Self {
            file,
            path,
            position_file,
            numbered: stored.numbered,
            position: stored.position,
            length: stored.length,
            settled: stored.length,
            // The position does not tell.
            is_whole: false,
        })
    }

    /// Writes the records of a batch, and then the position.
    fn store(&mut self, batch: &Batch, lines: Lines) -> Result<(), String> {
        let position = batch.position().ok_or("a batch without a position")?;
        let start = self.length;
        self.write(batch, lines)
            .and_then(|()| if self.length > start { self.file.sync_data() } else { Ok(()) })
            .map_err(|error| {
                let path = self.path.display();
                format!("writing to {path}: {error}; what was not stored is sent again")
            })?;
        if let Some(numbered) = self.numbered.as_mut().filter(|file| file.since == 0)
            && self.length > start
        {
            numbered.since = now();
        }
        self.position = Some(position.clone());
        self.is_whole = batch.is_whole();
        self.store_position(self.settled, position)
    }

    fn write(&mut self, batch: &Batch, lines: Lines) -> io::Result<()> {
        let settled = batch.settled();
        let mut out =
            Counted { out: BufWriter::with_capacity(BUFFER, &self.file), length: self.length };
        if settled == Some(0) {
            self.settled = out.length;
        }
        for (index, record) in batch.records().enumerate() {
            lines.write(&mut out, &record)?;
            if settled == Some(index + 1) {
                self.settled = out.length;
            }
        }
        out.flush()?;
        self.length = out.length;
        Ok(())
    }

    fn store_position(&mut self, length: u64, position: &Position) -> Result<(), String> {
        let stored = position_file::Stored::at(length, position.clone()).in_file(self.numbered);
        self.position_file.store(&stored).map_err(|error| {
            let path = self.position_file.path().display();
            format!("writing to {path}: {error}; what was not stored is sent again")
        })
    }

    /// Continues in the next file if this one is large or old enough, and complete. Then it never
    /// changes again.
    fn rotate_if_due(&mut self, settings: &Settings) -> Result<(), String> {
        let is_complete = self.is_whole && self.length > 0 && self.settled == self.length;
        let since = self.numbered.map_or(0, |file| file.since);
        let Some(position) = self.position.clone().filter(|_| is_complete) else { return Ok(()) };
        if !settings.is_due(self.length, since, now()) {
            return Ok(());
        }
        let number = self.numbered.map_or(0, |file| file.number).checked_add(1);
        let number = number.ok_or("the number of the next file is too large")?;
        let numbered = Some(Numbered { number, since: 0 });
        let path = numbers::output_path(&settings.path, numbered);
        let file = position_file::open_output(&path)?;
        let length = file.metadata().map_err(|error| format!("{}: {error}", path.display()))?.len();
        if length > 0 {
            let path = path.display();
            return Err(format!(
                "{path} is not empty: it is the next output file, so move it away"
            ));
        }
        // From here on the next file is the current one.
        (self.file, self.path, self.numbered) = (file, path, numbered);
        (self.length, self.settled) = (0, 0);
        self.store_position(0, &position)
    }
}

/// A writer that counts.
struct Counted<'f> {
    out: BufWriter<&'f File>,
    length: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The time in seconds of Unix time.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests;
