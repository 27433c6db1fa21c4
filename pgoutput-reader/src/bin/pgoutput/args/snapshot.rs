//! The arguments of `pgoutput snapshot`.

use std::num::NonZeroU32;
use std::path::PathBuf;

use pgoutput_reader::SnapshotTable;

use super::{Masks, Objects, Source, Verbosity};

#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Copy only this table; may be repeated. Written as in SQL, with its schema: public.orders or
    /// 'public."Orders" WHERE id > 100', which copies only some of its rows.
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<SnapshotTable>,

    #[command(flatten)]
    pub(crate) masks: Masks,

    /// The number of connections that copy at the same time.
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroU32,

    /// The maximum time that the snapshot waits for open transactions, and then for the lock of
    /// each table; 0 is no limit [default: 300].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Write to this file instead of standard output. It must not exist.
    #[arg(help_heading = "Output", long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) objects: Objects,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}
