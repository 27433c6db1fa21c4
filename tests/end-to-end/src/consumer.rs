//! Programs that read a slot up to a position.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgoutput_decode::{Lsn, Message, Tag};
use pgoutput_reader::{Acknowledge, Config, Connection, ReaderBuilder, StartReplication, Stream};

use crate::Problem;

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consumer {
    /// `pg_recvlogical -f /dev/null`, which decodes nothing: what the others are compared with.
    Recvlogical,
    /// `Stream::next_frame`, which decodes nothing either.
    Frames,
    /// `Stream::next_event`, lending.
    Lending,
    /// The same without letting reads gather.
    LendingNoDelay,
    /// `Reader`, an iterator of change events.
    Events,
    /// `pgoutput tail` writing JSON lines to /dev/null.
    Tail,
    /// Another client, in a program that [`crate::peers`] found.
    Peer {
        /// Its name.
        name: String,
        /// Where it is built in.
        program: PathBuf,
    },
}

/// What to read.
#[derive(Debug, Clone)]
pub struct Task {
    /// The server.
    pub dsn: String,
    /// The slot.
    pub slot: String,
    /// Where to stop.
    pub until: String,
    /// Values in binary.
    pub binary: bool,
}

impl Consumer {
    /// The server's own and ours; the first is what the others are compared with.
    pub const OURS: [Self; 6] = [
        Self::Recvlogical,
        Self::Frames,
        Self::Lending,
        Self::LendingNoDelay,
        Self::Events,
        Self::Tail,
    ];

    /// Its name in reports and on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Recvlogical => "pg_recvlogical",
            Self::Frames => "raw frames",
            Self::Lending => "lending",
            Self::LendingNoDelay => "lending, no delay",
            Self::Events => "change events",
            Self::Tail => "pgoutput tail",
            Self::Peer { name, .. } => name,
        }
    }

    /// Whether it prints how many rows it has read, so that they can be checked. The others are programs whose output is the rows.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Recvlogical | Self::Tail)
    }

    /// The process that reads. `programs` is the folder of the server's own programs.
    ///
    /// # Errors
    /// When this program does not know its own place.
    pub fn command(&self, task: &Task, programs: &Path) -> Result<Command, Problem> {
        let myself = env::current_exe()?;
        let binary = if task.binary { "true" } else { "false" };
        let read = [self.name(), &task.dsn, &task.slot, &task.until, binary];
        let mut command = match self {
            Self::Recvlogical => {
                let mut command = Command::new(programs.join("pg_recvlogical"));
                command.args(["--start", "--no-loop", "-f", "/dev/null", "-o", "proto_version=1"]);
                command.args(["-o", "publication_names=p", "-d", &task.dsn, "--slot", &task.slot]);
                command.args(["--endpos", &task.until]);
                if task.binary {
                    command.args(["-o", "binary=true"]);
                }
                command
            }
            Self::Tail => {
                let mut command = Command::new(myself.with_file_name("pgoutput"));
                command.args(["tail", "--no-ack", "--publication", "p", "--dsn", &task.dsn]);
                command.args(["--slot", &task.slot, "--until-lsn", &task.until]);
                if task.binary {
                    command.arg("--binary");
                }
                command
            }
            Self::Peer { program, .. } => {
                let mut command = Command::new(program);
                command.args(read);
                command
            }
            _ => {
                let mut command = Command::new(myself);
                command.arg("consume").args(read);
                command
            }
        };
        let output = if self.counts() { Stdio::piped() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(output);
        Ok(command)
    }
}

/// What the process of [`Consumer::command`] does, where it is this program; how many rows it has read.
///
/// # Errors
/// The connection's, and when nobody has this name.
pub fn consume(name: &str, task: &Task) -> Result<u64, Problem> {
    let mut config: Config = task.dsn.parse()?;
    let until: Lsn = task.until.parse()?;
    match Consumer::OURS.iter().find(|consumer| consumer.name() == name) {
        Some(Consumer::Frames) => frames(stream(&config, task)?, until),
        Some(Consumer::Lending) => lending(stream(&config, task)?, until),
        Some(Consumer::LendingNoDelay) => {
            config.max_read_delay(std::time::Duration::ZERO);
            lending(stream(&config, task)?, until)
        }
        Some(Consumer::Events) => events(config, task, until),
        _ => Err(format!("{name:?} is not one of mine").into()),
    }
}

fn stream(config: &Config, task: &Task) -> Result<Stream, Problem> {
    let mut start = StartReplication::new(&task.slot, ["p"]);
    start.binary = task.binary;
    Ok(Connection::connect(config)?.stream(&start)?)
}

fn frames(mut stream: Stream, until: Lsn) -> Result<u64, Problem> {
    let mut rows = 0;
    while let Some(frame) = stream.next_frame() {
        let frame = std::hint::black_box(frame?);
        match frame.data.first().map(|tag| Tag(*tag)) {
            Some(Tag::INSERT | Tag::UPDATE | Tag::DELETE) => rows += 1,
            // A commit stands where it ends.
            Some(Tag::COMMIT) if frame.wal_start >= until => break,
            _ => {}
        }
    }
    Ok(rows)
}

fn lending(mut stream: Stream, until: Lsn) -> Result<u64, Problem> {
    let mut rows = 0;
    while let Some(event) = stream.next_event() {
        match std::hint::black_box(event?).message {
            Message::Insert(_) | Message::Update(_) | Message::Delete(_) => rows += 1,
            Message::Commit(commit) if commit.end_lsn >= until => break,
            _ => {}
        }
    }
    Ok(rows)
}

fn events(config: Config, task: &Task, until: Lsn) -> Result<u64, Problem> {
    let reader = ReaderBuilder::from(config)
        .slot(&task.slot)
        .publication("p")
        .binary(task.binary)
        .acknowledge(Acknowledge::Never)
        .until_lsn(until)
        .connect()?;
    let mut rows = 0;
    for event in reader {
        std::hint::black_box(event?);
        rows += 1;
    }
    Ok(rows)
}
