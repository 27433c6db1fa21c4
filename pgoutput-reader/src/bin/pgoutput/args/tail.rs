//! The arguments of `pgoutput tail`.

use std::path::PathBuf;
use std::time::Duration;

use pgoutput_reader::Lsn;

use super::{Masks, MetricsArgs, Objects, Reading, Selection, Source, Verbosity, lsn, seconds};

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

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) masks: Masks,

    #[command(flatten)]
    pub(crate) reading: Reading,

    /// Create the slot for this run only; the server drops it at the end.
    #[arg(help_heading = "Slot", long, conflicts_with = "failover")]
    pub(crate) temporary: bool,

    /// Start at this LSN, X/Y or decimal, or at the slot's confirmed LSN if that is later. Changes
    /// skipped in this way are lost to the slot once a later one is acknowledged.
    #[arg(help_heading = "Selection", long, value_name = "LSN", value_parser = lsn)]
    pub(crate) start_lsn: Option<Lsn>,

    /// End after this many objects are printed, not counting those with op S. A transaction that is
    /// cut off is not acknowledged, and all of it is printed again next time; to an output file,
    /// only the rest of it. During an initial copy, each row counts, and so does each object with
    /// op T or Z; a table that is cut off is copied again from its beginning.
    #[arg(help_heading = "Selection", long, value_name = "N")]
    pub(crate) limit: Option<u64>,

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

    #[command(flatten)]
    pub(crate) objects: Objects,

    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}
