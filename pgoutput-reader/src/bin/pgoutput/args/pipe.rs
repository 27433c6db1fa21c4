//! The arguments of `pgoutput pipe`.

use std::time::Duration;

use clap::ValueEnum;

use super::{Masks, MetricsArgs, Reading, Selection, Source, Values, Verbosity, seconds, size};
use crate::pipe::{KeyColumns, Target, Template};

/// The default of --memory-limit: all of the program then takes less than 64 MiB.
const MEMORY_LIMIT: &str = "16MB";

/// The text of --table, which limits an initial copy too.
const TABLE: &str = "Store only the changes of this table; may be repeated. Written as in SQL, \
    with its schema: public.orders or 'public.\"Orders\"'; * stands for any characters, as in \
    'public.events_*'. With --snapshot initial, only these tables are copied: name each of them, \
    and give the same at each start. 'public.orders WHERE id > 100' copies only some of its rows, \
    and all its changes are stored. Not together with --snapshot added";

/// The text of --exclude.
const EXCLUDE: &str = "Leave out the changes of this table; may be repeated. Written as for \
    --table, and stronger than it. An initial copy still reads the table";

/// The text of --op.
const OP: &str = "Store only changes with these ops, such as I,U,D. What --table, --exclude and \
    --op leave out counts as stored: the slot advances over it";

#[derive(Debug, clap::Args)]
#[command(mut_arg("memory_limit", |limit| limit.default_value(MEMORY_LIMIT)))]
#[command(mut_arg("tables", |table| table.help(TABLE)))]
#[command(mut_arg("excluded", |exclude| exclude.help(EXCLUDE)))]
#[command(mut_arg("ops", |op| op.help(OP)))]
pub(crate) struct Pipe {
    #[command(flatten)]
    pub(crate) source: Source,

    /// The replication slot to read.
    #[arg(help_heading = "Source", long, value_name = "NAME")]
    pub(crate) slot: String,

    /// Where to store changes: redis://, rediss://, nats://, tls:// (NATS with TLS), kafka://,
    /// file:PATH, or - for standard output.
    #[arg(help_heading = "Destination", long, value_name = "URL", value_parser = Target::parse)]
    pub(crate) to: Target,

    /// The form of a record. seed: the objects of pgoutput tail. debezium: the envelope of
    /// Debezium's connector for PostgreSQL, without schemas.
    #[arg(help_heading = "Destination", long, value_enum, default_value = "seed")]
    pub(crate) envelope: EnvelopeArg,

    /// The name of this source: {name} in --topic, and source.name in the debezium envelope
    /// [default: the database].
    #[arg(help_heading = "Destination", long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// The topic (Kafka), subject (NATS) or stream (Redis) of a record. {name}, {database},
    /// {schema} and {table} are replaced, and characters that the destination does not allow
    /// become _. Records without a table have the schema pgoutput and the table message, snapshot
    /// or transaction.
    #[arg(help_heading = "Destination", long, value_name = "TEMPLATE")]
    #[arg(default_value = "{name}.{schema}.{table}", value_parser = Template::parse)]
    pub(crate) topic: Template,

    /// The key of a record, as a JSON object. identity: the columns of the replica identity; none
    /// with FULL, which is all columns. none. Or the names of columns, as in id,tenant and as the
    /// catalogue has them, for tables whose old rows have them all: those of the identity, or any
    /// with FULL. Other tables then have their identity.
    #[arg(help_heading = "Destination", long, value_name = "identity|none|COLUMNS")]
    #[arg(default_value = "identity", value_parser = KeyColumns::parse)]
    pub(crate) key: KeyColumns,

    /// The lines of file: and -. value: the value of a record, null for a tombstone. record: an
    /// object with topic, key and value [default: value with seed, record with debezium].
    #[arg(help_heading = "Destination", long, value_enum)]
    pub(crate) lines: Option<LinesArg>,

    /// Store a batch that has this size. SIZE is in bytes, or has a unit: kB, MB, GB, TB.
    #[arg(help_heading = "Batches", long, value_name = "SIZE", value_parser = size)]
    #[arg(default_value = "1MB")]
    pub(crate) batch_size: u64,

    /// Store a batch that has this number of changes.
    #[arg(help_heading = "Batches", long, value_name = "N", default_value = "10000")]
    pub(crate) batch_count: u64,

    /// Store a batch that is this old. Without more changes it is stored at once.
    #[arg(help_heading = "Batches", long, value_name = "SECONDS", value_parser = seconds)]
    #[arg(default_value = "0.2")]
    pub(crate) batch_time: Duration,

    /// Store a transaction beyond this size in parts.
    #[arg(help_heading = "Batches", long, value_name = "SIZE", value_parser = size)]
    #[arg(default_value = "8MB")]
    pub(crate) transaction_size: u64,

    /// Start although the destination has no position and the slot was read before, or although
    /// the slot is ahead of the position. What is missing then stays missing.
    #[arg(help_heading = "Destination", long)]
    pub(crate) trust_slot: bool,

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) masks: Masks,

    #[command(flatten)]
    pub(crate) reading: Reading,

    #[command(flatten)]
    pub(crate) values: Values,

    #[command(flatten)]
    pub(crate) debezium: DebeziumArgs,

    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvelopeArg {
    Seed,
    Debezium,
}

// The form of values in the debezium envelope. A doc comment would become the text of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct DebeziumArgs {
    /// numeric and money. precise: the unscaled value as base64, with its scale if the column has
    /// none. string. double: a float, which may lose digits.
    #[arg(help_heading = "Debezium envelope", long, value_enum, requires = "envelope")]
    #[arg(default_value = "precise")]
    pub(crate) decimal: DecimalArg,

    /// date, time and timestamp. adaptive: days, and milliseconds or microseconds by the precision
    /// of the column. isostring: text, as in 2019-07-09T02:28:57.123456Z.
    #[arg(help_heading = "Debezium envelope", long, value_enum, requires = "envelope")]
    #[arg(default_value = "adaptive")]
    pub(crate) time: TimeArg,

    /// Write no record without a value after that of a deleted row.
    #[arg(help_heading = "Debezium envelope", long, requires = "envelope")]
    pub(crate) no_tombstones: bool,

    /// What stands for an unchanged TOAST value, which the server does not send.
    #[arg(help_heading = "Debezium envelope", long, value_name = "TEXT", requires = "envelope")]
    #[arg(default_value = "__debezium_unavailable_value")]
    pub(crate) unavailable_value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecimalArg {
    Precise,
    String,
    Double,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeArg {
    Adaptive,
    Isostring,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LinesArg {
    Value,
    Record,
}
