//! The arguments of `pgoutput pipe`.

use std::time::Duration;

use clap::ValueEnum;

use super::{Masks, MetricsArgs, Reading, Selection, Source, Values, Verbosity, seconds, size};
use crate::pipe::{KeyColumns, Target, Template};

#[derive(Debug, clap::Args)]
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
    /// {schema} and {table} are replaced.
    #[arg(help_heading = "Destination", long, value_name = "TEMPLATE")]
    #[arg(default_value = "{name}.{schema}.{table}", value_parser = Template::parse)]
    pub(crate) topic: Template,

    /// The key of a record. identity: the columns of the replica identity, as a JSON object. none.
    /// Or the names of columns, as in id,tenant, for tables that have them all.
    #[arg(help_heading = "Destination", long, value_name = "identity|none|COLUMNS")]
    #[arg(default_value = "identity", value_parser = KeyColumns::parse)]
    pub(crate) key: KeyColumns,

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
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnvelopeArg {
    Seed,
    Debezium,
}
