//! The arguments of `pgoutput publication`.

use clap::{Subcommand, ValueEnum};

use super::slot::ResultFormat;
use super::{Server, Verbosity};
use crate::publication::{PublishedTable, publication_name};

#[derive(Debug, Subcommand)]
pub(crate) enum Publication {
    /// List the publications of the database.
    #[command(after_help = "\
        TABLES is the number of tables that are published now. Via root (PostgreSQL 13 and later) \
        means that the changes of partitions are published as those of the partitioned table.")]
    List(List),
    /// Create a publication, unless UPDATE or DELETE of one of its tables would then fail.
    #[command(after_help = "\
        A server refuses UPDATE and DELETE of a published table that has no replica identity: \
        no primary key, and no other identity. It also does so if the column list lacks a column \
        of the identity, or if the row filter uses columns outside of it. Such tables are found \
        before the publication exists, and the error has the SQL that cures it.\n\
        Reading starts with a slot: create it after the publication (pgoutput slot create).")]
    Create(Create),
    /// Drop a publication. Its readers end with an error.
    Drop(Drop),
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
    /// The name of the publication, exactly as it will be.
    #[arg(value_parser = publication_name)]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) content: Content,

    /// The operations to publish [default: all of them].
    #[arg(long, value_enum, value_delimiter = ',', value_name = "OPERATIONS")]
    pub(crate) publish: Vec<Operation>,

    /// Publish the changes of partitions as those of the partitioned table (PostgreSQL 13 and
    /// later).
    #[arg(long)]
    pub(crate) via_root: bool,

    /// Create it although UPDATE and DELETE of some tables will fail; they are reported.
    #[arg(long)]
    pub(crate) allow_failing_updates: bool,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

// What is published.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Content {
    /// A table to publish; may be repeated. Written as in SQL, with its schema, and optionally with
    /// a column list and a condition (PostgreSQL 15 and later): public.orders or
    /// 'public."Orders" (id, total) WHERE total > 100'.
    #[arg(long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<PublishedTable>,

    /// Publish all tables of this schema, also future ones; may be repeated (PostgreSQL 15 and
    /// later).
    #[arg(long = "schema", value_name = "SCHEMA")]
    pub(crate) schemas: Vec<String>,

    /// Publish all tables of the database, also future ones.
    #[arg(long, conflicts_with_all = ["tables", "schemas"])]
    pub(crate) all_tables: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    /// Returns the word of the option `publish`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Drop {
    /// The name of the publication.
    #[arg(value_parser = publication_name)]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) server: Server,

    #[command(flatten)]
    pub(crate) result: ResultFormat,

    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}
