//! The arguments of `pgoutput tail`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use pgoutput_reader::{Lsn, Origin, Streaming};

use super::{MetricsArgs, Objects, Selection, Source, Verbosity, lsn, seconds, size};

/// The text of --table, which limits an initial copy too.
const TABLE: &str = "Print only the objects of this table; may be repeated. Written as in SQL, \
    with its schema: public.orders or 'public.\"Orders\"'; * stands for any characters, as in \
    'public.events_*'. With --snapshot initial, only these tables are copied: name each of them, \
    and give the same when a copy is continued. 'public.orders WHERE id > 100' copies only some of \
    its rows, and all its changes are printed. Not together with --snapshot added";

/// The text of --exclude.
const EXCLUDE: &str = "Leave out the objects of this table; may be repeated. Written as for \
    --table, and stronger than it. An initial copy still reads the table";

/// The text of --op.
const OP: &str = "Print only objects with these ops, such as I,U,D. Descriptions of tables (S) are \
    always printed if they were requested. What --table, --exclude and --op leave out counts as \
    processed: the slot advances over it";

#[derive(Debug, clap::Args)]
#[command(mut_arg("tables", |table| table.help(TABLE)))]
#[command(mut_arg("excluded", |exclude| exclude.help(EXCLUDE)))]
#[command(mut_arg("ops", |op| op.help(OP)))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Tail {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The replication slot to read.
    #[arg(help_heading = "Source", long, value_name = "NAME")]
    pub(crate) slot: String,

    /// Read over plain SQL instead of a replication connection, for poolers such as PgBouncer, and
    /// again after this time when there is nothing new. Large transactions are received after their
    /// commit, unless --streaming is given.
    #[arg(
        help_heading = "Source",
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "1",
        value_parser = seconds,
        conflicts_with_all = ["snapshot", "temporary"]
    )]
    pub(crate) poll: Option<Duration>,

    /// Create the slot if it does not exist.
    #[arg(help_heading = "Slot", long)]
    pub(crate) create_slot: bool,

    /// Print the rows of the published tables first, with op R, and an object with op Z after them.
    /// initial: if the slot does not exist (--create-slot), or its copy was not completed. added:
    /// of tables that join the publications later, after an object with op T. initial,added: both.
    #[arg(help_heading = "Initial copy", long, value_enum, value_delimiter = ',')]
    pub(crate) snapshot: Vec<SnapshotArg>,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// The number of connections that copy at the same time.
    #[arg(
        help_heading = "Initial copy",
        long,
        value_name = "N",
        requires = "snapshot",
        default_value = "1"
    )]
    pub(crate) jobs: NonZeroU32,

    /// Create the slot for this run only; the server drops it at the end.
    #[arg(help_heading = "Slot", long)]
    pub(crate) temporary: bool,

    /// The maximum time that creating the slot, here or by another process, waits for open
    /// transactions; 0 is no limit [default: 300].
    #[arg(help_heading = "Slot", long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Version of the pgoutput protocol [default: the newest that the server supports].
    #[arg(help_heading = "Protocol and large transactions")]
    #[arg(long, value_name = "1..4", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) proto_version: Option<u32>,

    /// Receive large transactions in chunks while they are in progress. They are printed once they
    /// are committed [default: on, where the server supports it].
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

    /// Print prepared transactions when they are prepared, not when they are committed. The slot
    /// keeps this option (PostgreSQL 15 and later).
    #[arg(help_heading = "Slot", long)]
    pub(crate) two_phase: bool,

    /// Create the slot, if it does not exist, as one that is synchronized to standbys (PostgreSQL
    /// 17 and later).
    #[arg(help_heading = "Slot", long, requires = "create_slot", conflicts_with = "temporary")]
    pub(crate) failover: bool,

    /// Include messages written by pg_logical_emit_message (PostgreSQL 14 and later).
    #[arg(help_heading = "Selection", long)]
    pub(crate) messages: bool,

    /// Include only changes of this origin (PostgreSQL 16 and later).
    #[arg(help_heading = "Selection", long, value_enum)]
    pub(crate) origin: Option<OriginArg>,

    /// Start at this LSN, X/Y or decimal, or at the slot's confirmed LSN if that is later. Changes
    /// skipped in this way are lost to the slot once a later one is acknowledged.
    #[arg(help_heading = "Selection", long, value_name = "LSN", value_parser = lsn)]
    pub(crate) start_lsn: Option<Lsn>,

    /// End once all transactions whose commit record starts before this LSN are printed.
    #[arg(help_heading = "Selection", long, value_name = "LSN", value_parser = lsn)]
    pub(crate) until_lsn: Option<Lsn>,

    /// End after this many objects are printed, not counting those with op S. A transaction that is
    /// cut off is not acknowledged, and all of it is printed again next time; to an output file,
    /// only the rest of it. During an initial copy, each row counts, and so does each object with
    /// op T or Z; a table that is cut off is copied again from its beginning.
    #[arg(help_heading = "Selection", long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// End each transaction with an object of its own, with op C.
    #[arg(help_heading = "Output", long)]
    pub(crate) commits: bool,

    /// Print an object with op S when a table was altered, before its next change.
    #[arg(help_heading = "Output", long)]
    pub(crate) schema_changes: bool,

    /// Add the position of each change, from which the library can resume.
    #[arg(help_heading = "Output", long)]
    pub(crate) position: bool,

    /// Append to this file instead of standard output. With the position file, every change is in
    /// it exactly once, however often the program is killed and started again.
    #[arg(help_heading = "Output", long, value_name = "FILE", requires = "position_file")]
    #[arg(conflicts_with_all = ["no_ack", "temporary"])]
    pub(crate) output: Option<PathBuf>,

    /// The file that keeps the position of the last change in the output file, and its length. At
    /// the start the output file is cut to this length, and reading resumes there, or at
    /// --start-lsn if that is later. To start over, remove both files.
    #[arg(help_heading = "Output", long, value_name = "FILE", requires = "output")]
    pub(crate) position_file: Option<PathBuf>,

    /// Acknowledge nothing: the same changes are printed again next time.
    #[arg(help_heading = "Output", long)]
    pub(crate) no_ack: bool,

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

    #[command(flatten)]
    pub(crate) objects: Objects,

    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
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
