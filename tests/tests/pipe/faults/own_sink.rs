//! A sink of this test program over the library's trait `Sink`: a file of lines, and a file with
//! its length and the position. Flaws on purpose show that the check notices them.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use pgoutput_reader::{
    BatchLimits, ChangeEvent, Lsn, Position, Reader, Sink, SlotCreation, Snapshot, StreamOptions,
};
use pgoutput_tests::PUBLICATION;

use super::Run;
use crate::destination::Destination;

const FOLDER: &str = "PGOUTPUT_PIPE_FOLDER";
const FLAW: &str = "PGOUTPUT_PIPE_FLAW";
const SOURCE: &str = "PGOUTPUT_PIPE_SOURCE";
const SLOT: &str = "PGOUTPUT_PIPE_SLOT";
const COPIES: &str = "PGOUTPUT_PIPE_COPIES";
const UNTIL: &str = "PGOUTPUT_PIPE_UNTIL";

/// A defect of the sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// Stores the position, and so acknowledges events, before their records.
    Early,
    /// Keeps records whose position was not stored.
    Keeps,
}

/// The destination of the sink.
pub(super) struct OwnSink {
    folder: tempfile::TempDir,
    flaw: Flaw,
}

impl OwnSink {
    pub(super) fn start(flaw: Flaw) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), flaw }
    }

    /// Returns the command that runs the test [`child`] of this program.
    pub(super) fn command(&self, run: &Run<'_>) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "faults::own_sink::child", "--nocapture"]);
        command.env(FOLDER, self.folder.path()).env(FLAW, format!("{:?}", self.flaw));
        command.env(SOURCE, run.source).env(SLOT, run.slot);
        command.envs(run.until.map(|lsn| (UNTIL, lsn)));
        command.envs(run.copies.then_some((COPIES, "")));
        command
    }
}

impl Destination for OwnSink {
    fn url(&self, _: u16) -> String {
        String::new()
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn values(&self, _: &str) -> Vec<String> {
        let lines = fs::read_to_string(self.folder.path().join("lines")).unwrap_or_default();
        lines.lines().map(str::to_owned).collect()
    }

    fn kill(&self) {}

    fn restart(&self) {}
}

struct Lines {
    folder: PathBuf,
    flaw: String,
    file: File,
    length: u64,
    batch: String,
}

impl Lines {
    fn open(folder: &Path, flaw: String) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.create(true).append(true).open(folder.join("lines"))?;
        Ok(Self { folder: folder.into(), flaw, file, length: 0, batch: String::new() })
    }

    fn store(&self, position: &Position, length: u64) -> io::Result<()> {
        let (new, stored) = (self.folder.join("new"), self.folder.join("position"));
        fs::write(&new, format!("{length} {position}"))?;
        fs::rename(new, stored)
    }
}

impl Sink for Lines {
    type Error = io::Error;

    fn position(&mut self) -> io::Result<Option<Position>> {
        let text = fs::read_to_string(self.folder.join("position")).unwrap_or_default();
        let (length, position) = text.split_once(' ').unwrap_or(("0", ""));
        self.length = length.parse().unwrap();
        let kept = self.file.metadata()?.len();
        self.length = if self.flaw == "Keeps" { kept } else { kept.min(self.length) };
        self.file.set_len(self.length)?;
        Ok((!position.is_empty()).then(|| position.parse().unwrap()))
    }

    fn write(&mut self, event: &ChangeEvent) -> io::Result<()> {
        event.write_json(&mut self.batch).map_err(io::Error::other)?;
        self.batch.push('\n');
        Ok(())
    }

    fn pending_bytes(&self) -> usize {
        self.batch.len()
    }

    fn commit(&mut self, position: &Position) -> io::Result<()> {
        let length = self.length + self.batch.len() as u64;
        let is_early = self.flaw == "Early";
        if is_early {
            self.store(position, length)?;
            thread::sleep(Duration::from_millis(30));
        }
        self.file.write_all(self.batch.as_bytes())?;
        if self.flaw == "Keeps" {
            thread::sleep(Duration::from_millis(30));
        }
        if !is_early {
            self.store(position, length)?;
        }
        self.length = length;
        self.batch.clear();
        Ok(())
    }
}

/// Does nothing, unless [`OwnSink::command`] runs it.
#[test]
fn child() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let variable = |name| env::var(name).unwrap();
    let lines = Lines::open(Path::new(&folder), variable(FLAW)).unwrap();
    let mut builder = Reader::builder(&variable(SOURCE))
        .slot(variable(SLOT))
        .publication(PUBLICATION)
        .options(StreamOptions::new().messages(true));
    if let Ok(lsn) = env::var(UNTIL) {
        builder = builder.until_lsn(lsn.parse::<Lsn>().unwrap());
    }
    if env::var_os(COPIES).is_some() {
        builder = builder.snapshot(Snapshot::initial()).slot_creation(SlotCreation::IfMissing);
    }
    let limits = BatchLimits::new().max_bytes(20_000).max_transaction_bytes(60_000);
    let piped = builder.pipe(lines).and_then(|pipe| pipe.limits(limits).run());
    if let Err(error) = piped {
        eprintln!("{error}");
        // As the program does.
        #[expect(clippy::disallowed_methods, reason = "it is a process of its own")]
        std::process::exit(1);
    }
}
