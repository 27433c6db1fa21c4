//! The arguments of `pgoutput capture`.

use std::path::PathBuf;
use std::time::Duration;

use pgoutput_reader::{Lsn, MaskedColumn};

use super::reading::{OriginArg, StreamingArg};
use super::{Source, Verbosity, age, lsn, size};

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Capture {
    /// The file to write. A capture that exists is continued after its last change.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) source: Source,

    /// The replication slot to read.
    #[arg(long, value_name = "NAME")]
    pub(crate) slot: String,

    /// Create the slot if it does not exist.
    #[arg(long)]
    pub(crate) create_slot: bool,

    /// Replace the values of this column by a constant of its type, or NULL, before they are
    /// written; may be repeated. Written as in SQL: public.people.email or people."E-mail".
    #[arg(long = "mask", value_name = "[SCHEMA.]TABLE.COLUMN")]
    pub(crate) masks: Vec<MaskedColumn>,

    /// Start another file when one has this size, as soon as no transaction is open: FILE.000001,
    /// FILE.000002 and so on. SIZE is in bytes, or has a unit: kB, MB, GB, TB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) rotate_size: Option<u64>,

    /// Start another file when one is this old and something more arrives. In seconds, or with a
    /// unit: s, min, h, d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) rotate_time: Option<Duration>,

    /// The maximum time that creating the slot, here or by another process, waits for open
    /// transactions; 0 is no limit [default: 300].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Version of the pgoutput protocol [default: the newest that the server supports].
    #[arg(long, value_name = "1..4", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) proto_version: Option<u32>,

    /// Receive large transactions in chunks while they are in progress [default: on, where the
    /// server supports it].
    #[arg(long, value_enum)]
    pub(crate) streaming: Option<StreamingArg>,

    /// Receive values in binary format (PostgreSQL 14 and later).
    #[arg(long)]
    pub(crate) binary: bool,

    /// Receive prepared transactions when they are prepared, not when they are committed. The slot
    /// keeps this option (PostgreSQL 15 and later).
    #[arg(long)]
    pub(crate) two_phase: bool,

    /// Include messages written by pg_logical_emit_message (PostgreSQL 14 and later).
    #[arg(long)]
    pub(crate) messages: bool,

    /// Include only changes of this origin (PostgreSQL 16 and later).
    #[arg(long, value_enum)]
    pub(crate) origin: Option<OriginArg>,

    /// Start at this LSN, X/Y or decimal, or at the slot's confirmed LSN if that is later. A
    /// capture that is continued starts after its last change instead.
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    pub(crate) start_lsn: Option<Lsn>,

    /// End once all transactions whose commit record starts before this LSN are captured.
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    pub(crate) until_lsn: Option<Lsn>,

    /// End after the transaction with which this many changes are captured.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Acknowledge nothing: the slot keeps the changes.
    #[arg(long)]
    pub(crate) no_ack: bool,

    /// End with the first error, even a temporary one. By default a lost connection is replaced by
    /// a new one.
    #[arg(long)]
    pub(crate) no_reconnect: bool,

    /// The time after which reconnecting is given up [default: 300].
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_reconnect")]
    pub(crate) reconnect_for: Option<u64>,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}
