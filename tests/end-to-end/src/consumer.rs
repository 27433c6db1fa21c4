//! Programs that read a slot up to a position.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use pgoutput_decode::{Lsn, Message};
use pgoutput_reader::{Acknowledge, Config, Connection, ReaderBuilder, StartReplication};

use crate::Problem;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumer {
    /// `pg_recvlogical -f /dev/null`, which decodes nothing: what the others are compared with.
    Recvlogical,
    /// `Stream::next_event`, lending.
    Lending,
    /// The same without letting reads gather.
    LendingNoDelay,
    /// `Reader`, an iterator of change events.
    Events,
    /// `pgoutput tail` writing JSON lines to /dev/null.
    Tail,
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
    /// All of them; the first is what the others are compared with.
    pub const ALL: [Self; 5] =
        [Self::Recvlogical, Self::Lending, Self::LendingNoDelay, Self::Events, Self::Tail];

    /// Its name in reports and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recvlogical => "pg_recvlogical",
            Self::Lending => "lending",
            Self::LendingNoDelay => "lending, no delay",
            Self::Events => "change events",
            Self::Tail => "pgoutput tail",
        }
    }

    /// The process that reads. `programs` is the folder of the server's own programs.
    ///
    /// # Errors
    /// When this program does not know its own place.
    pub fn command(self, task: &Task, programs: &Path) -> Result<Command, Problem> {
        let myself = env::current_exe()?;
        let binary = if task.binary { "true" } else { "false" };
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
            _ => {
                let mut command = Command::new(myself);
                command.args(["consume", self.name(), &task.dsn, &task.slot, &task.until, binary]);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }
}

/// What the process of [`Consumer::command`] does, where it is this program.
///
/// # Errors
/// The connection's.
pub fn consume(name: &str, task: &Task) -> Result<(), Problem> {
    let mut config: Config = task.dsn.parse()?;
    let until: Lsn = task.until.parse()?;
    if name == Consumer::LendingNoDelay.name() {
        config.max_read_delay(std::time::Duration::ZERO);
    }
    if name == Consumer::Events.name() {
        let reader = ReaderBuilder::from(config)
            .slot(&task.slot)
            .publication("p")
            .binary(task.binary)
            .acknowledge(Acknowledge::Never)
            .until_lsn(until)
            .connect()?;
        for event in reader {
            std::hint::black_box(event?);
        }
        return Ok(());
    }
    let mut start = StartReplication::new(&task.slot, ["p"]);
    start.binary = task.binary;
    let mut stream = Connection::connect(&config)?.stream(&start)?;
    while let Some(event) = stream.next_event() {
        if let Message::Commit(commit) = std::hint::black_box(event?).message
            && commit.end_lsn >= until
        {
            break;
        }
    }
    Ok(())
}
