//! Programs that copy the tables of a database.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, process};

use pgoutput_end_to_end::Problem;
use pgoutput_harness::Install;
use pgoutput_reader::{Acknowledge, Op, Reader, SlotCreation, Snapshot};

/// A program that copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copier {
    /// `psql -c 'COPY … TO STDOUT'`, one table after another.
    Psql,
    /// `Reader`, an iterator of change events.
    Events,
    /// `pgoutput tail`, which writes JSON lines to /dev/null.
    Tail,
    /// `pg_dump -Fd -j4 -Z0`, which writes files.
    Dump,
    /// `Reader` with four jobs.
    EventsOfJobs,
    /// `pgoutput tail` with four jobs.
    TailOfJobs,
}

/// The task of a copier.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// The connection string.
    pub(crate) dsn: String,
}

impl Copier {
    pub(crate) const ALL: [Self; 6] =
        [Self::Psql, Self::Events, Self::Tail, Self::Dump, Self::EventsOfJobs, Self::TailOfJobs];

    /// Returns its name in reports and on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Psql => "psql, COPY TO STDOUT",
            Self::Events => "change events",
            Self::Tail => "pgoutput tail",
            Self::Dump => "pg_dump -Fd -j4 -Z0",
            Self::EventsOfJobs => "change events, 4 jobs",
            Self::TailOfJobs => "pgoutput tail, 4 jobs",
        }
    }

    /// Returns the program that it is compared with.
    pub(crate) const fn base(self) -> Self {
        match self {
            Self::Psql | Self::Events | Self::Tail => Self::Psql,
            Self::Dump | Self::EventsOfJobs | Self::TailOfJobs => Self::Dump,
        }
    }

    /// Returns the number of connections that copy.
    const fn jobs(self) -> NonZeroU32 {
        match self {
            Self::Psql | Self::Events | Self::Tail => NonZeroU32::MIN,
            Self::Dump | Self::EventsOfJobs | Self::TailOfJobs => NonZeroU32::new(4).unwrap(),
        }
    }

    /// Returns the path of the program. `programs` is the folder of the server's own programs.
    pub(crate) fn program(self, programs: &Path) -> Result<PathBuf, Problem> {
        let program = match self {
            Self::Psql => programs.join("psql"),
            Self::Dump => programs.join("pg_dump"),
            Self::Tail | Self::TailOfJobs => env::current_exe()?.with_file_name("pgoutput"),
            Self::Events | Self::EventsOfJobs => env::current_exe()?,
        };
        if !program.exists() {
            return Err(format!("{}: there is no {}", self.name(), program.display()).into());
        }
        Ok(program)
    }

    /// Returns the folder that it writes to, if it needs one.
    pub(crate) fn folder(self) -> Option<PathBuf> {
        let name = format!("pgoutput-copy-{}", process::id());
        (self == Self::Dump).then(|| env::temp_dir().join(name))
    }

    /// Returns the command that copies. `folder` is that of [`folder`](Self::folder).
    pub(crate) fn command(
        self,
        task: &Task,
        install: &Install,
        folder: Option<&Path>,
    ) -> Result<Command, Problem> {
        let program = self.program(install.bin())?;
        let mut command = match self {
            Self::Psql | Self::Dump => install.command(program),
            _ => Command::new(program),
        };
        let jobs = self.jobs().to_string();
        match self {
            Self::Psql => {
                command.args(["-XqAt", "-d", &task.dsn]);
                for table in ["t1", "t2", "t3", "t4"] {
                    command.args(["-c", &format!("COPY {table} TO STDOUT")]);
                }
            }
            Self::Dump => {
                command.args(["-Fd", "-Z0", "-a", "-j", &jobs, "-d", &task.dsn, "-f"]);
                command.arg(folder.unwrap_or(Path::new(".")));
            }
            Self::Tail | Self::TailOfJobs => {
                command.args(["tail", "--no-ack", "--publication", "p", "--dsn", &task.dsn]);
                command.args(["--slot", "copy", "--temporary", "--snapshot", "initial"]);
                command.args(["--jobs", &jobs, "--until-lsn", "0/1"]);
            }
            Self::Events | Self::EventsOfJobs => {
                command.args(["consume", self.name(), &task.dsn]);
            }
        }
        let counts = matches!(self, Self::Events | Self::EventsOfJobs);
        command.stdin(Stdio::null()).stdout(if counts { Stdio::piped() } else { Stdio::null() });
        Ok(command)
    }
}

/// Runs the process of [`Copier::command`], if it is this program, and returns how many rows it
/// has read.
pub(crate) fn copied_rows(name: &str, dsn: &str) -> Result<u64, Problem> {
    let copier = Copier::ALL.into_iter().find(|copier| copier.name() == name);
    let copier = copier.ok_or_else(|| format!("{name:?} is not one of mine"))?;
    let reader = Reader::builder(dsn)
        .slot("copy")
        .publication("p")
        .slot_creation(SlotCreation::Temporary)
        .acknowledge(Acknowledge::Never)
        .snapshot(Snapshot::initial().jobs(copier.jobs()))
        .connect()?;
    let mut rows = 0;
    for event in reader {
        let event = std::hint::black_box(event?);
        match event.op() {
            Op::SnapshotRow => rows += 1,
            Op::SnapshotEnd => break,
            other => return Err(format!("{other:?} during the copy").into()),
        }
    }
    Ok(rows)
}
