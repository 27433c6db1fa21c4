//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use pgoutput_decode::Lsn;
use pgoutput_reader::{Origin, Streaming};

/// PostgreSQL's changes as JSON.
#[derive(Debug, Parser)]
#[command(name = "pgoutput", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the changes of a slot as they come, one JSON object a line.
    #[command(
        after_help = "Standard output carries the changes alone; what else there is to say goes to standard error.\n\
        A second SIGINT or SIGTERM ends it at once, with status 1.\n\
        Exit status: 0 when the end was reached or asked for (SIGINT, SIGTERM, a closed pipe), 1 on an error, when the end was asked for before it was \
        connected, or when no orderly end was possible within 8 seconds, 2 on wrong usage."
    )]
    Tail(Tail),
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Tail {
    /// The server: a connection URI or key=value words, as libpq reads them.
    /// Unless given: DATABASE_URL; what it leaves open: the PG* variables.
    #[arg(long, value_name = "CONNINFO|URI")]
    pub(crate) dsn: Option<String>,

    /// The replication slot to read.
    #[arg(long, value_name = "NAME")]
    pub(crate) slot: String,

    /// A publication to read; may be repeated.
    #[arg(long = "publication", value_name = "NAME", required = true)]
    pub(crate) publications: Vec<String>,

    /// Create the slot if it does not exist.
    #[arg(long)]
    pub(crate) create_slot: bool,

    /// Create the slot for this run only; the server drops it at the end.
    #[arg(long)]
    pub(crate) temporary: bool,

    /// How long the creation of the slot, here or by another process, may wait for open transactions; 300
    /// unless given, 0 is without limit.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Version of the pgoutput protocol; the newest that the server speaks unless given.
    #[arg(long, value_name = "1..4", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) proto_version: Option<u32>,

    /// Large transactions in pieces before they commit (not supported yet but for off).
    #[arg(long, value_enum, default_value = "off")]
    pub(crate) streaming: StreamingArg,

    /// Prepared transactions when they are prepared (not supported yet).
    #[arg(long)]
    pub(crate) two_phase: bool,

    /// Create the slot, if it does not exist, as one that is kept on standbys too (PostgreSQL 17 and later).
    #[arg(long, requires = "create_slot", conflicts_with = "temporary")]
    pub(crate) failover: bool,

    /// Also messages written by pg_logical_emit_message (PostgreSQL 14 and later).
    #[arg(long)]
    pub(crate) messages: bool,

    /// Only changes from there (PostgreSQL 16 and later).
    #[arg(long, value_enum)]
    pub(crate) origin: Option<OriginArg>,

    /// Take values in binary from the server (PostgreSQL 14 and later). The output is the same, but for regclass and its like (numbers
    /// instead of names), types that pgoutput does not know, such as ltree, and values that cannot be read (their bytes in hexadecimal
    /// digits instead of their text). Arrays and composites of types without a binary form, such as aclitem, are an error.
    #[arg(long)]
    pub(crate) binary: bool,

    /// Start there; where the slot has been confirmed further, the server starts at that position instead.
    /// What is skipped so is lost to this slot once anything later is acknowledged.
    #[arg(long, value_name = "X/Y")]
    pub(crate) start_lsn: Option<Lsn>,

    /// End once every transaction whose commit record starts before this position is printed.
    #[arg(long, value_name = "X/Y")]
    pub(crate) until_lsn: Option<Lsn>,

    /// End after this many changes. A transaction that is cut short is not acknowledged: it comes whole next time.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// jsonl: one object a line. json: indented.
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: Format,

    /// Write numeric values as JSON strings, for programs that read numbers as floats; otherwise as numbers with all their digits.
    #[arg(long)]
    pub(crate) numeric_strings: bool,

    /// Write bigint and xid8 values beyond 2^53 - 1 as JSON strings, for programs that read numbers as floats, such as those in JavaScript.
    #[arg(long)]
    pub(crate) bigint_strings: bool,

    /// Leave the slot where it is: the same changes come again next time.
    #[arg(long)]
    pub(crate) no_ack: bool,

    /// End with the first error, also with one that may pass. Otherwise a connection that is lost is made again, and the changes
    /// go on where they were; each attempt is told on standard error.
    #[arg(long)]
    pub(crate) no_reconnect: bool,

    /// Go on where a publication did not exist at a point of the log (dropped, renamed, or created after the slot): the changes
    /// that only it would publish are lost to the slot. Standard error says from where on (PostgreSQL 18 and later).
    #[arg(long)]
    pub(crate) skip_missing_publication: bool,

    /// How long to try to get a lost connection back; 300 unless given.
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_reconnect")]
    pub(crate) reconnect_for: Option<u64>,

    /// Say nothing on standard error but the error that ends it.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say more on standard error: cluster, TLS and publications at the start, and at the end how far it has come.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Jsonl,
    Json,
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
