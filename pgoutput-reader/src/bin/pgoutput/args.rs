//! The command line.

mod capture;
mod command_line;
mod decode;
mod doctor;
mod metrics;
mod pipe;
mod publication;
mod reading;
mod replay;
mod selection;
mod slot;
mod snapshot;
mod tail;
mod texts;

use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use pgoutput_reader::decode::value::JsonOptions;
use pgoutput_reader::{Config, Lsn, ReaderBuilder, SchemaOutput};

pub(crate) use capture::Capture;
pub(crate) use command_line::{command, parse};
pub(crate) use decode::Decode;
pub(crate) use doctor::Doctor;
pub(crate) use metrics::MetricsArgs;
pub(crate) use pipe::{DebeziumArgs, DecimalArg, EnvelopeArg, LinesArg, Pipe, TimeArg};
pub(crate) use publication::{
    Create as PublicationCreate, Drop as PublicationDrop, List as PublicationList, Operation,
    Publication,
};
pub(crate) use reading::{Reading, SnapshotArg};
pub(crate) use replay::{Point, Replay};
pub(crate) use selection::{Masks, Selection};
pub(crate) use slot::{
    Advance as SlotAdvance, Create as SlotCreate, Drop as SlotDrop, List as SlotList, Slot,
};
pub(crate) use snapshot::Snapshot;
pub(crate) use tail::Tail;
pub(crate) use texts::{Completions, Man};

use crate::Failure;

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
    Tail(Box<Tail>),
    /// Print the rows of the published tables once, one JSON object per line.
    #[command(after_help = "All rows are of one moment: the objects have op R and the LSN of its \
        snapshot. An object with op Z follows the last row. There is no slot, and no changes \
        follow. To read them, the slot must be created before the copy:\n\
        \x20 1. create a slot: SELECT pg_create_logical_replication_slot('my_slot', 'pgoutput')\n\
        \x20 2. pgoutput snapshot --publication my_publication\n\
        \x20 3. pgoutput tail --slot my_slot --publication my_publication --start-lsn LSN,\n\
        \x20    with the LSN of the object with op Z, which standard error reports too\n\
        A slot that is created later starts later, and the changes in between are missing. To do \
        all of this in one step, use pgoutput tail --snapshot initial --create-slot.\n\
        Standard output contains only rows; everything else is printed on standard error.\n\
        A second SIGINT or SIGTERM ends the program at once, with status 1.\n\
        Exit status: 0 if the copy is complete; 1 after an error, or if the end was requested \
        before that (SIGINT, SIGTERM, a closed pipe); 2 for invalid usage.")]
    Snapshot(Snapshot),
    /// Check everything that reading needs, and print the SQL that fixes what is wrong.
    #[command(
        after_help = "No setting, table or publication is changed, and nothing is confirmed in the \
        slot. If the catalogue leaves open whether a publication is older than the slot, the \
        server decodes the slot's next changes: the slot is in use for up to two seconds for each \
        such publication, and its inactive_since starts again. With idle_replication_slot_timeout \
        that is not done.\n\
        Read a statement before you run it; those that end a session or drop a slot say what is \
        lost.\n\
        Severities: error, reading fails or statements of other programs on the server do; \
        warning, reading works and something should be changed or known; ok.\n\
        Exit status: 0 if all is ok; 1 if there is a warning or an error, also if the server \
        cannot be reached; 2 for invalid usage."
    )]
    Doctor(Doctor),
    /// List, create, drop and move replication slots.
    #[command(subcommand)]
    Slot(Slot),
    /// List, create and drop publications.
    #[command(subcommand)]
    Publication(Publication),
    /// Write what a slot sends to a file, for pgoutput replay.
    #[command(after_help = "The file has everything that is published, in clear text, except for \
        the columns given with --mask.\n\
        A change is acknowledged only when it is in the file for good. However the program is \
        ended, the same command continues the capture: it removes an incomplete record at the end \
        of the file, and a replay has each change once.\n\
        Exit status: 0 if the end was reached or requested (SIGINT, SIGTERM); 1 after an error; 2 \
        for invalid usage.")]
    Capture(Box<Capture>),
    /// Print the changes of a capture as pgoutput tail printed them, without a server.
    #[command(after_help = "Give the files of a capture that was rotated in their order: \
        pgoutput replay changes.pgocap.*\n\
        Exit status: 0 if all was printed; 1 after an error, also if the capture was not written \
        to its end; 2 for invalid usage.")]
    Replay(Replay),
    /// Store the changes of a slot in a log, each exactly once: Redis Streams, NATS JetStream,
    /// Kafka or a file.
    #[command(after_help = "The destination keeps the position together with the changes. At the \
        start it is read from there, and reading resumes after it, so there is nothing else to \
        keep. Only one program may write to a destination. Standard output keeps no position: \
        there, changes come again after a crash.\n\
        A second SIGINT or SIGTERM ends the program at once, with status 1.\n\
        Exit status: 0 if the end was reached or requested (SIGINT, SIGTERM, a closed pipe); 1 \
        after an error; 2 for invalid usage.")]
    Pipe(Box<Pipe>),
    /// Print recorded messages, one per line, with the names of tables and columns.
    #[command(after_help = "Reads, also while it is being written:\n\
        \x20 - what pg_recvlogical prints:\n\
        \x20   pg_recvlogical --start --slot my_slot -d app -f - --no-loop \\\n\
        \x20     -o proto_version=1 -o publication_names=my_publication | pgoutput decode\n\
        \x20   It confirms what it received: the slot does not send it again.\n\
        \x20 - rows of pg_logical_slot_peek_binary_changes as psql prints them: aligned, \
        unaligned,\n\
        \x20   expanded or as CSV, with or without headers; or as COPY prints them\n\
        \x20 - \\x with hexadecimal digits, a message on each line\n\
        \x20 - what pgoutput capture has written\n\
        Names come from Relation messages, which a server sends once in each stream. Without one, \
        a table is a number.\n\
        Exit status: 0 at the end of the input, or if the output is closed; 1 if the input is not \
        as expected, or incomplete, with the place; 2 for invalid usage.")]
    Decode(Decode),
    /// Print the completions of a shell.
    #[command(after_help = "For example, for bash:\n\
        \x20 pgoutput completions bash > ~/.local/share/bash-completion/completions/pgoutput")]
    Completions(Completions),
    /// Print the manual page of the program or of a command.
    #[command(after_help = "For example:\n\
        \x20 pgoutput man slot create | man -l -\n\
        \x20 pgoutput man --out /usr/local/share/man/man1")]
    Man(Man),
}

// Where to connect. A doc comment would become the text of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    /// The server: a connection URI or key=value words, as in libpq. The default is DATABASE_URL;
    /// PG* variables supply parameters that it does not contain.
    #[arg(help_heading = "Connection", long, value_name = "CONNINFO|URI")]
    pub(crate) dsn: Option<String>,
}

impl Server {
    /// Reads the settings of the connection.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Config::from_dsn_or_env(self.dsn.as_deref())
            .map_err(|error| Failure::Usage(error.to_string()))
    }
}

// What is read.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    #[command(flatten)]
    pub(crate) server: Server,

    /// A publication to read; may be repeated.
    #[arg(help_heading = "Source", long = "publication", value_name = "NAME", required = true)]
    pub(crate) publications: Vec<String>,
}

// The form of the objects.
#[derive(Debug, clap::Args)]
pub(crate) struct Objects {
    /// Where the table of a change is described. each: in the change, as table_schema. once: in an
    /// object with op S, before the first change of the table and again after each change of its
    /// description; changes have only the relation_id. They are printed again after each start.
    #[arg(help_heading = "Form of the objects", long, value_enum, default_value = "each")]
    pub(crate) schema: SchemaArg,

    /// Output format. jsonl: one object per line. json: indented.
    #[arg(help_heading = "Form of the objects", long, value_enum, default_value = "jsonl")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) values: Values,
}

// The form of LSNs and values.
#[derive(Debug, clap::Args)]
pub(crate) struct Values {
    /// Format of LSNs. decimal: numbers. hex: text, as PostgreSQL writes them.
    #[arg(help_heading = "Form of the objects", long, value_enum, default_value = "decimal")]
    pub(crate) lsn_format: LsnFormat,

    /// Receive values in binary format (PostgreSQL 14 and later). The output is the same, with
    /// exceptions. regclass and similar types are numbers instead of names. Types that pgoutput
    /// does not know, such as ltree, and values that cannot be read are hexadecimal digits of their
    /// bytes instead of their text. Arrays and composites of types without a binary format, such as
    /// aclitem, are an error.
    #[arg(help_heading = "Form of the objects", long)]
    pub(crate) binary: bool,

    /// Write numeric values as JSON strings, for programs that read numbers as floats. By default
    /// they are numbers with all their digits.
    #[arg(help_heading = "Form of the objects", long)]
    pub(crate) numeric_strings: bool,

    /// Write bigint and xid8 values beyond 2^53 - 1 as JSON strings, for programs that read numbers
    /// as floats, such as those in JavaScript.
    #[arg(help_heading = "Form of the objects", long)]
    pub(crate) bigint_strings: bool,
}

impl Values {
    /// Applies the settings that are not options of the stream.
    pub(crate) fn set(&self, builder: ReaderBuilder) -> ReaderBuilder {
        builder.lsns_as_text(self.lsn_format == LsnFormat::Hex).json_options(self.json_options())
    }

    /// Returns the form of values in JSON.
    pub(crate) fn json_options(&self) -> JsonOptions {
        JsonOptions::default()
            .numeric_as_string(self.numeric_strings)
            .bigint_as_string(self.bigint_strings)
    }
}

impl Objects {
    /// Applies the settings that are not options of the stream.
    pub(crate) fn set(&self, builder: ReaderBuilder) -> ReaderBuilder {
        self.values.set(builder.schema_output(self.schema.into()))
    }
}

// The amount of messages.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Verbosity {
    /// Print nothing on standard error except the error that ends the program.
    #[arg(help_heading = "Messages", short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print more on standard error: facts about the server at the start and, if changes are read,
    /// the acknowledged LSN at the end.
    #[arg(help_heading = "Messages", short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Jsonl,
    Json,
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

/// Reads an LSN as PostgreSQL writes it, or as a decimal number.
fn lsn(text: &str) -> Result<Lsn, String> {
    match text.parse::<u64>() {
        Ok(position) => Ok(Lsn::new(position)),
        Err(_) => text.parse().map_err(|_| "expected an LSN, as in 0/158FAC8 or 22608584".into()),
    }
}

/// Reads a time in seconds, with a fraction if necessary.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .filter(|seconds| !seconds.is_zero())
        .ok_or_else(|| "expected a time in seconds, above 0, as in 5 or 0.2".into())
}

/// Reads a time in seconds, or with a unit as in PostgreSQL's settings.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match text.get(digits.len()..) {
        Some("" | "s") => 1,
        Some("min") => 60,
        Some("h") => 3600,
        Some("d") => 86_400,
        _ => 0,
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(seconds))
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a time, as in 3600 or 1h (units: s, min, h, d)".into())
}

const SIZE: &str = "expected a size, as in 67108864 or 64MB (units: B, kB, MB, GB, TB)";

/// Reads a size in bytes, or with a unit as in PostgreSQL's settings.
pub(crate) fn size(text: &str) -> Result<u64, String> {
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
    fn times_are_in_seconds() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds("0.2"), Ok(Duration::from_millis(200)));
        for text in ["", "0", "-1", "1s", "inf", "nan", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
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

    #[test]
    fn ages_have_units() {
        for (text, seconds) in [("7", 7), ("7s", 7), ("2min", 120), ("1h", 3600), ("1d", 86_400)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "0", "1.5h", "-1", "1w", "99999999999999999999"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
