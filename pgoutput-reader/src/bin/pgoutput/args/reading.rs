//! The arguments of commands that read a slot continuously.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::ValueEnum;
use pgoutput_reader::{Lsn, Origin, Streaming};

use super::{lsn, size};

// How the slot is created and read. A doc comment would become the text of the command.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Reading {
    /// Create the slot if it does not exist.
    #[arg(help_heading = "Slot", long)]
    pub(crate) create_slot: bool,

    /// Deliver the rows of the published tables first, with op R, and an object with op Z after
    /// them. initial: if the slot does not exist (--create-slot), or its copy was not completed.
    /// added: of tables that join the publications later, after an object with op T. initial,added:
    /// both.
    #[arg(help_heading = "Initial copy", long, value_enum, value_delimiter = ',')]
    pub(crate) snapshot: Vec<SnapshotArg>,

    /// The number of connections that copy at the same time.
    #[arg(
        help_heading = "Initial copy",
        long,
        value_name = "N",
        requires = "snapshot",
        default_value = "1"
    )]
    pub(crate) jobs: NonZeroU32,

    /// The maximum time that creating the slot, here or by another process, waits for open
    /// transactions; 0 is no limit [default: 300].
    #[arg(help_heading = "Slot", long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Version of the pgoutput protocol [default: the newest that the server supports].
    #[arg(help_heading = "Protocol and large transactions")]
    #[arg(long, value_name = "1..4", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) proto_version: Option<u32>,

    /// Receive large transactions in chunks while they are in progress. They are delivered once
    /// they are committed [default: on, where the server supports it].
    #[arg(help_heading = "Protocol and large transactions", long, value_enum)]
    pub(crate) streaming: Option<StreamingArg>,

    /// Memory for transactions in progress, at least 64kB; larger ones are written to temporary
    /// files. SIZE is in bytes, or has a unit: kB, MB, GB, TB.
    #[arg(help_heading = "Protocol and large transactions")]
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MB")]
    pub(crate) memory_limit: u64,

    /// Directory for these files, which have no name and disappear with the program [default: that
    /// of the system for temporary files].
    #[arg(help_heading = "Protocol and large transactions", long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,

    /// Limit on the size of these files together. If it is reached, or the disk is full, the
    /// connection is replaced by one with --streaming off, unless --no-reconnect is given [default:
    /// none].
    #[arg(help_heading = "Protocol and large transactions")]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) spill_limit: Option<u64>,

    /// End with an error instead, if the limit is reached or the disk is full.
    #[arg(help_heading = "Protocol and large transactions", long)]
    pub(crate) no_spill_fallback: bool,

    /// Deliver prepared transactions when they are prepared, not when they are committed. The slot
    /// keeps this option (PostgreSQL 15 and later).
    #[arg(help_heading = "Slot", long)]
    pub(crate) two_phase: bool,

    /// Create the slot, if it does not exist, as one that is synchronized to standbys (PostgreSQL
    /// 17 and later).
    #[arg(help_heading = "Slot", long, requires = "create_slot")]
    pub(crate) failover: bool,

    /// Include messages written by pg_logical_emit_message (PostgreSQL 14 and later).
    #[arg(help_heading = "Selection", long)]
    pub(crate) messages: bool,

    /// Include only changes of this origin (PostgreSQL 16 and later).
    #[arg(help_heading = "Selection", long, value_enum)]
    pub(crate) origin: Option<OriginArg>,

    /// End once all transactions whose commit record starts before this LSN are delivered.
    #[arg(help_heading = "Selection", long, value_name = "LSN", value_parser = lsn)]
    pub(crate) until_lsn: Option<Lsn>,

    /// End each transaction with an object of its own, with op C.
    #[arg(help_heading = "Output", long)]
    pub(crate) commits: bool,

    /// End with the first error, even a temporary one. By default a lost connection is replaced by
    /// a new one and the changes continue; each attempt is reported on standard error.
    #[arg(help_heading = "Lost connections", long)]
    pub(crate) no_reconnect: bool,

    /// Continue where a publication did not exist at a point of the WAL (dropped, renamed, or
    /// created after the slot). The changes that only it would publish are lost to the slot; the
    /// LSN is reported on standard error (PostgreSQL 18 and later).
    #[arg(help_heading = "Selection", long)]
    pub(crate) skip_missing_publication: bool,

    /// The time after which reconnecting is given up [default: 300].
    #[arg(
        help_heading = "Lost connections",
        long,
        value_name = "SECONDS",
        conflicts_with = "no_reconnect"
    )]
    pub(crate) reconnect_for: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SnapshotArg {
    Initial,
    Added,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamingArg {
    Off,
    On,
    Parallel,
}

impl From<StreamingArg> for Streaming {
    fn from(arg: StreamingArg) -> Self {
        match arg {
            StreamingArg::Off => Self::Off,
            StreamingArg::On => Self::On,
            StreamingArg::Parallel => Self::Parallel,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OriginArg {
    Any,
    None,
}

impl From<OriginArg> for Origin {
    fn from(arg: OriginArg) -> Self {
        match arg {
            OriginArg::Any => Self::Any,
            OriginArg::None => Self::None,
        }
    }
}
