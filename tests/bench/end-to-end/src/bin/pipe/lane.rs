//! The lanes: a command and its destination.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;
use pgoutput_end_to_end::Problem;

use crate::log::{FileLog, KafkaLog, Log, NatsLog, RedisLog};

/// The command that builds what is measured.
pub(crate) const BUILD: &str =
    "cargo build --release -p pgoutput-reader --features cli,redis,nats,kafka --bin pgoutput";

/// The topic of all records.
pub(crate) const TOPIC: &str = "t.all";

/// A command with a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lane {
    /// `pgoutput tail > FILE`.
    Tail,
    /// `pgoutput pipe --to - > FILE`.
    Stdout,
    /// `pgoutput pipe --to file:FILE`.
    File,
    /// `pgoutput pipe --to redis://…`, with `appendfsync always`.
    Redis,
    /// `pgoutput pipe --to nats://…`, with atomic batches and `sync_interval: always`.
    Nats,
    /// `pgoutput pipe --to kafka://…`, in transactions, with Tansu in memory.
    Kafka,
}

/// The task of a lane.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) program: PathBuf,
    pub(crate) dsn: String,
    /// The LSN to read to.
    pub(crate) until: String,
    /// Further options of `pgoutput pipe`.
    pub(crate) options: Vec<String>,
}

impl Lane {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tail, Self::Stdout, Self::File, Self::Redis, Self::Nats, Self::Kafka];

    /// Returns its name in reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tail => "tail > FILE",
            Self::Stdout => "pipe --to - > FILE",
            Self::File => "pipe --to file:",
            Self::Redis => "pipe --to redis:",
            Self::Nats => "pipe --to nats:",
            Self::Kafka => "pipe --to kafka:",
        }
    }

    /// Returns a new destination.
    pub(crate) fn log(self) -> Result<Box<dyn Log>, Problem> {
        Ok(match self {
            Self::Tail | Self::Stdout | Self::File => Box::new(FileLog::new()?),
            Self::Redis => Box::new(RedisLog::start()?),
            Self::Nats => Box::new(NatsLog::start()?),
            Self::Kafka => Box::new(KafkaLog::start()?),
        })
    }

    /// Returns the command that stores everything in the destination.
    pub(crate) fn command(self, task: &Task, log: &dyn Log) -> Result<Command, Problem> {
        let mut command = Command::new(&task.program);
        command.arg(if self == Self::Tail { "tail" } else { "pipe" });
        command.args(["--dsn", &task.dsn, "--slot", "run", "--publication", "p", "--quiet"]);
        command.args(["--until-lsn", &task.until]);
        match self {
            Self::Tail => {}
            Self::Stdout => drop(command.args(["--to", "-"])),
            _ => drop(command.args(["--topic", TOPIC, "--to", &log.url()])),
        }
        if self != Self::Tail {
            command.args(&task.options);
        }
        let output = match self {
            Self::Tail | Self::Stdout => log.output()?,
            _ => Stdio::null(),
        };
        command.stdin(Stdio::null()).stdout(output);
        Ok(command)
    }
}
