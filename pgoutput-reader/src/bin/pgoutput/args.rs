//! The command line.

use clap::{Parser, Subcommand, ValueEnum};
use pgoutput_reader::{Lsn, Origin, Streaming};

/// Changes of a PostgreSQL database as JSON.
#[derive(Debug, Parser)]
#[command(name = "pgoutput", version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the changes of a slot as they arrive, one JSON object per line.
    #[command(after_help = "Standard output contains only changes; everything else is printed on \
        standard error.\n\
        A second SIGINT or SIGTERM ends the program at once, with status 1.\n\
        Exit status: 0 if the end was reached or requested (SIGINT, SIGTERM, a closed pipe); \
        1 after an error, if the end was requested before the program was connected, or if it \
        could not end in an orderly way within 8 seconds; 2 for invalid usage.")]
    Tail(Tail),
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Tail {
    /// The server: a connection URI or key=value words, as in libpq. The default is DATABASE_URL;
    /// PG* variables supply parameters that it does not contain.
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

    /// The maximum time that creating the slot, here or by another process, waits for open
    /// transactions; 0 is no limit [default: 300].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) slot_wait: Option<u64>,

    /// Version of the pgoutput protocol [default: the newest that the server supports].
    #[arg(long, value_name = "1..4", value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) proto_version: Option<u32>,

    /// Receive large transactions in chunks before they commit (only off is supported so far).
    #[arg(long, value_enum, default_value = "off")]
    pub(crate) streaming: StreamingArg,

    /// Receive prepared transactions when they are prepared (not supported yet).
    #[arg(long)]
    pub(crate) two_phase: bool,

    /// Create the slot, if it does not exist, as one that is synchronized to standbys (PostgreSQL
    /// 17 and later).
    #[arg(long, requires = "create_slot", conflicts_with = "temporary")]
    pub(crate) failover: bool,

    /// Include messages written by pg_logical_emit_message (PostgreSQL 14 and later).
    #[arg(long)]
    pub(crate) messages: bool,

    /// Include only changes of this origin (PostgreSQL 16 and later).
    #[arg(long, value_enum)]
    pub(crate) origin: Option<OriginArg>,

    /// Receive values in binary format (PostgreSQL 14 and later). The output is the same, with
    /// exceptions. regclass and similar types are numbers instead of names. Types that pgoutput
    /// does not know, such as ltree, and values that cannot be read are hexadecimal digits of their
    /// bytes instead of their text. Arrays and composites of types without a binary format, such as
    /// aclitem, are an error.
    #[arg(long)]
    pub(crate) binary: bool,

    /// Start at this LSN, or at the slot's confirmed LSN if that is later. Changes skipped in this
    /// way are lost to the slot once a later one is acknowledged.
    #[arg(long, value_name = "X/Y")]
    pub(crate) start_lsn: Option<Lsn>,

    /// End once all transactions whose commit record starts before this LSN are printed.
    #[arg(long, value_name = "X/Y")]
    pub(crate) until_lsn: Option<Lsn>,

    /// End after this many changes. A transaction that is cut off is not acknowledged, and all of
    /// it is printed again next time.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// Output format. jsonl: one object per line. json: indented.
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: Format,

    /// Write numeric values as JSON strings, for programs that read numbers as floats. By default
    /// they are numbers with all their digits.
    #[arg(long)]
    pub(crate) numeric_strings: bool,

    /// Write bigint and xid8 values beyond 2^53 - 1 as JSON strings, for programs that read numbers
    /// as floats, such as those in JavaScript.
    #[arg(long)]
    pub(crate) bigint_strings: bool,

    /// Acknowledge nothing: the same changes are printed again next time.
    #[arg(long)]
    pub(crate) no_ack: bool,

    /// End with the first error, even a temporary one. By default a lost connection is replaced by
    /// a new one and the changes continue; each attempt is reported on standard error.
    #[arg(long)]
    pub(crate) no_reconnect: bool,

    /// Continue where a publication did not exist at a point of the WAL (dropped, renamed, or
    /// created after the slot). The changes that only it would publish are lost to the slot; the
    /// LSN is reported on standard error (PostgreSQL 18 and later).
    #[arg(long)]
    pub(crate) skip_missing_publication: bool,

    /// The time after which reconnecting is given up [default: 300].
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_reconnect")]
    pub(crate) reconnect_for: Option<u64>,

    /// Print nothing on standard error except the error that ends the program.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print more on standard error: cluster, TLS and publications at the start, and the
    /// acknowledged LSN at the end.
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
