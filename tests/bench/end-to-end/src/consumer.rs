//! Programs that read a slot up to an LSN.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Problem, peers};

/// The command that builds [`Consumer::Tail`].
const BUILD: &str = "cargo build --release -p pgoutput-reader --features cli";

/// The program that reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consumer {
    /// `pg_recvlogical -f /dev/null`, which decodes nothing. The others are compared with it.
    Recvlogical,
    /// `ReplicationStream::next_frame`, which does not decode either.
    Frames,
    /// `ReplicationStream::next_event`, lending.
    Lending,
    /// The same without gathering reads.
    LendingNoDelay,
    /// `Reader`, an iterator of change events, each transaction sent after its commit.
    Events,
    /// The same with transactions sent while they are in progress, if they are large.
    Streamed,
    /// The same, read as whole transactions.
    Transactions,
    /// `pgoutput tail`, which writes JSON lines to /dev/null.
    Tail,
    /// The same with each transaction sent after its commit.
    TailUnstreamed,
    /// Another client, in a program that [`crate::peers`] found.
    Peer {
        /// Its name.
        name: String,
        /// The program that contains it.
        program: PathBuf,
    },
}

/// The task of a consumer.
#[derive(Debug, Clone)]
pub struct Task {
    /// The connection string.
    pub dsn: String,
    /// The slot.
    pub slot: String,
    /// The LSN to stop at.
    pub until: String,
    /// Whether values are binary.
    pub binary: bool,
}

impl Consumer {
    /// The server's own consumer and ours. All are compared with the first.
    pub const OURS: [Self; 9] = [
        Self::Recvlogical,
        Self::Frames,
        Self::Lending,
        Self::LendingNoDelay,
        Self::Events,
        Self::Streamed,
        Self::Transactions,
        Self::Tail,
        Self::TailUnstreamed,
    ];

    /// Returns its name in reports and on the command line.
    pub fn name(&self) -> &str {
        match self {
            Self::Recvlogical => "pg_recvlogical",
            Self::Frames => "raw frames",
            Self::Lending => "lending",
            Self::LendingNoDelay => "lending, no delay",
            Self::Events => "change events",
            Self::Streamed => "streamed events",
            Self::Transactions => "transactions",
            Self::Tail => "pgoutput tail",
            Self::TailUnstreamed => "tail, no streaming",
            Self::Peer { name, .. } => name,
        }
    }

    /// Returns whether it prints how many rows it has read, for a check. The output of the others
    /// is the rows themselves, and consuming it would cost these programs more than /dev/null does.
    /// Their exit status shows that they read to the end.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Recvlogical | Self::Tail | Self::TailUnstreamed)
    }

    /// Returns the path of the program. `programs` is the folder of the server's own programs.
    ///
    /// # Errors
    /// If the path of this program is unknown, or the program does not exist.
    pub fn program(&self, programs: &Path) -> Result<PathBuf, Problem> {
        let (program, remedy) = match self {
            Self::Recvlogical => {
                (programs.join("pg_recvlogical"), "install that server's programs")
            }
            Self::Tail | Self::TailUnstreamed => {
                (env::current_exe()?.with_file_name("pgoutput"), BUILD)
            }
            Self::Peer { program, .. } => (program.clone(), peers::BUILD),
            _ => (env::current_exe()?, "this program was started from there"),
        };
        if !program.exists() {
            return Err(
                format!("{}: there is no {}; {remedy}", self.name(), program.display()).into()
            );
        }
        Ok(program)
    }

    /// Returns the command that reads. `programs` is the folder of the server's own programs.
    ///
    /// # Errors
    /// Those of [`program`](Self::program).
    pub fn command(&self, task: &Task, programs: &Path) -> Result<Command, Problem> {
        let mut command = Command::new(self.program(programs)?);
        let binary = if task.binary { "true" } else { "false" };
        let read = [self.name(), &task.dsn, &task.slot, &task.until, binary];
        match self {
            Self::Recvlogical => {
                command.args(["--start", "--no-loop", "-f", "/dev/null", "-o", "proto_version=1"]);
                command.args(["-o", "publication_names=p", "-d", &task.dsn, "--slot", &task.slot]);
                command.args(["--endpos", &task.until]);
                if task.binary {
                    command.args(["-o", "binary=true"]);
                }
            }
            Self::Tail | Self::TailUnstreamed => {
                command.args(["tail", "--no-ack", "--publication", "p", "--dsn", &task.dsn]);
                command.args(["--slot", &task.slot, "--until-lsn", &task.until]);
                if task.binary {
                    command.arg("--binary");
                }
                if matches!(self, Self::TailUnstreamed) {
                    command.args(["--streaming", "off"]);
                }
            }
            Self::Peer { .. } => {
                command.args(read);
            }
            _ => {
                command.arg("consume").args(read);
            }
        }
        let output = if self.counts() { Stdio::piped() } else { Stdio::null() };
        command.stdin(Stdio::null()).stdout(output);
        Ok(command)
    }
}
