//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use pgoutput_reader::{Lsn, Origin, SchemaOutput, Streaming};

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

    /// Print the rows of the published tables first, with op R, and an object with op Z after them.
    /// initial: if the slot does not exist (--create-slot), or its copy was not completed.
    #[arg(long, value_enum)]
    pub(crate) snapshot: Option<SnapshotArg>,

    /// The number of connections that copy at the same time.
    #[arg(long, value_name = "N", requires = "snapshot", default_value = "1")]
    pub(crate) jobs: NonZeroU32,

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

    /// Receive large transactions in chunks while they are in progress. They are printed once they
    /// are committed [default: on, where the server supports it].
    #[arg(long, value_enum)]
    pub(crate) streaming: Option<StreamingArg>,

    /// Memory for transactions in progress, at least 64kB; larger ones are written to temporary
    /// files. SIZE is in bytes, or has a unit: kB, MB, GB, TB.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MB")]
    pub(crate) memory_limit: u64,

    /// Directory for these files, which have no name and disappear with the program [default: that
    /// of the system for temporary files].
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,

    /// Limit on the size of these files together. If it is reached, or the disk is full, the
    /// connection is replaced by one with --streaming off, unless --no-reconnect is given [default:
    /// none].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) spill_limit: Option<u64>,

    /// End with an error instead, if the limit is reached or the disk is full.
    #[arg(long)]
    pub(crate) no_spill_fallback: bool,

    /// Print prepared transactions when they are prepared, not when they are committed. The slot
    /// keeps this option (PostgreSQL 15 and later).
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

    /// Start at this LSN, X/Y or decimal, or at the slot's confirmed LSN if that is later. Changes
    /// skipped in this way are lost to the slot once a later one is acknowledged.
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    pub(crate) start_lsn: Option<Lsn>,

    /// End once all transactions whose commit record starts before this LSN are printed.
    #[arg(long, value_name = "LSN", value_parser = lsn)]
    pub(crate) until_lsn: Option<Lsn>,

    /// End after this many changes, not counting objects with op S. A transaction that is cut off
    /// is not acknowledged, and all of it is printed again next time; to an output file, only the
    /// rest of it.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,

    /// End each transaction with an object of its own, with op C.
    #[arg(long)]
    pub(crate) commits: bool,

    /// Print an object with op S when a table was altered, before its next change.
    #[arg(long)]
    pub(crate) schema_changes: bool,

    /// Where the table of a change is described. each: in the change, as table_schema. once: in an
    /// object with op S, before the first change of the table and again after each change of its
    /// description; changes have only the relation_id. They are printed again after each start.
    #[arg(long, value_enum, default_value = "each")]
    pub(crate) schema: SchemaArg,

    /// Add the position of each change, from which the library can resume.
    #[arg(long)]
    pub(crate) position: bool,

    /// Format of LSNs. decimal: numbers. hex: text, as PostgreSQL writes them.
    #[arg(long, value_enum, default_value = "decimal")]
    pub(crate) lsn_format: LsnFormat,

    /// Append to this file instead of standard output. With the position file, every change is in
    /// it exactly once, however often the program is killed and started again.
    #[arg(long, value_name = "FILE", requires = "position_file")]
    #[arg(conflicts_with_all = ["no_ack", "temporary"])]
    pub(crate) output: Option<PathBuf>,

    /// The file that keeps the position of the last change in the output file, and its length. At
    /// the start the output file is cut to this length, and reading resumes there, or at
    /// --start-lsn if that is later. To start over, remove both files.
    #[arg(long, value_name = "FILE", requires = "output")]
    pub(crate) position_file: Option<PathBuf>,

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
pub(crate) enum SnapshotArg {
    Initial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LsnFormat {
    Decimal,
    Hex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaArg {
    Each,
    Once,
}

impl From<SchemaArg> for SchemaOutput {
    fn from(arg: SchemaArg) -> Self {
        match arg {
            SchemaArg::Each => Self::Each,
            SchemaArg::Once => Self::Once,
        }
    }
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

/// Reads an LSN as PostgreSQL writes it, or as a decimal number.
fn lsn(text: &str) -> Result<Lsn, String> {
    match text.parse::<u64>() {
        Ok(position) => Ok(Lsn::new(position)),
        Err(_) => text.parse().map_err(|_| "expected an LSN, as in 0/158FAC8 or 22608584".into()),
    }
}

const SIZE: &str = "expected a size, as in 67108864 or 64MB (units: B, kB, MB, GB, TB)";

/// Reads a size in bytes, or with a unit as in PostgreSQL's settings.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..) {
        Some("" | "B") => 1,
        Some("kB") => 1 << 10,
        Some("MB") => 1 << 20,
        Some("GB") => 1 << 30,
        Some("TB") => 1_u64 << 40,
        _ => return Err(SIZE.into()),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| SIZE.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsns_are_read_in_both_forms() {
        assert_eq!(lsn("0/158FAC8"), Ok(Lsn::new(0x0158_FAC8)));
        assert_eq!(lsn("22608584"), Ok(Lsn::new(22_608_584)));
        for text in ["", "-1", "158FAC8", "0/", "18446744073709551616"] {
            assert!(lsn(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_the_units_of_settings() {
        for (text, bytes) in
            [("0", 0), ("7B", 7), ("2kB", 2048), ("64MB", 64 << 20), ("1TB", 1 << 40)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "64mb", "64 MB", "-1", "1.5GB", "99999999TB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
