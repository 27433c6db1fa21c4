//! The arguments of `pgoutput slot`.

use clap::Subcommand;
use pgoutput_reader::Lsn;

use super::{Server, Verbosity, lsn};

#[derive(Debug, Subcommand)]
pub(crate) enum Slot {
    /// List the replication slots of the server, with their lag and the WAL that they retain.
    #[command(after_help = "\
        LAG is the WAL that was written and not confirmed, RETAINED the WAL that the server keeps \
        for the slot. A slot whose RETAINED only grows fills the disk of the server.\n\
        The facts are those that the version of the server has: WAL STATUS from PostgreSQL 13 on, \
        two_phase from 14, failover, synced and INACTIVE SINCE from 17. Columns without any value \
        are left out. With --json a field that the server does not have is null.")]
    List(List),
    /// Create a slot for pgoutput. Changes that are committed later can be read from it.
    #[command(after_help = "\
        From then on the server keeps all WAL until the slot is read or dropped.\n\
        The creation waits for the transactions that are open, and reports them. If it is ended \
        before, no slot remains.")]
    Create(Create),
    /// Drop a slot. What was not read from it is lost.
    #[command(after_help = "\
        A slot that is being read is not dropped; the error names its reader.")]
    Drop(Drop),
    /// Move a slot forward without reading. The changes in between are lost to it (PostgreSQL 11
    /// and later).
    #[command(after_help = "\
        The server reads the WAL in between, which takes time. A position that was stored before \
        (--position-file) does not fit the slot any more; its reader then ends with an error.")]
    Advance(Advance),
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// The name of the slot: lower-case letters, digits and underscores.
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    /// Send prepared transactions when they are prepared, not when they are committed (PostgreSQL
    /// 15 and later).
    #[arg(long)]
    pub(crate) two_phase: bool,

    /// Synchronize the slot to standbys (PostgreSQL 17 and later).
    #[arg(long)]
    pub(crate) failover: bool,

    /// The maximum time that the creation waits for open transactions; 0 is no limit [default:
    /// 300].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Drop {
    /// The name of the slot.
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Advance {
    /// The name of the slot.
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) target: Target,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

// Where a slot is moved to.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// Move the slot to this LSN, X/Y or decimal.
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    pub(crate) to: Option<Lsn>,

    /// Move the slot to the current end of the server's WAL.
    #[arg(long)]
    pub(crate) to_current: bool,
}

// The form of the result.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct ResultFormat {
    /// Print the result as one JSON object, for programs.
    #[arg(long)]
    pub(crate) json: bool,
}
