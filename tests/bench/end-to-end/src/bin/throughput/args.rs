//! The arguments of `throughput`.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, Parser, ValueEnum, value_parser};
use pgoutput_end_to_end::transport::Transport;
use pgoutput_end_to_end::workload::{MOST_ROWS, Workload};

/// The arguments after `consume`, with which this program starts itself: it reads a slot up to an
/// LSN and prints the number of rows.
#[derive(Debug, Parser)]
pub(crate) struct Consume {
    pub(crate) name: String,
    pub(crate) dsn: String,
    pub(crate) slot: String,
    pub(crate) until: String,
    #[arg(action = ArgAction::Set)]
    pub(crate) binary: bool,
}

/// Measures CPU time, wall time and memory of each consumer of a slot, and of the server process
/// that sends to it.
///
/// The changes are written to a throwaway server before anything is measured. Then every consumer
/// reads all of it from a copy of the same slot, in turns. Ratios are to pg_recvlogical in the same
/// round.
#[derive(Debug, Parser)]
#[command(name = "throughput", verbatim_doc_comment)]
pub(crate) struct Args {
    /// The changes to write.
    #[arg(default_value = "all")]
    pub(crate) workload: Wanted,
    /// Rows of each workload, 1 to 100,000,000; narrow needs 4, wide and all need 10.
    #[arg(default_value_t = 250_000)]
    #[arg(value_parser = value_parser!(u32).range(1..=i64::from(MOST_ROWS)))]
    pub(crate) rows: u32,
    /// Reads of each consumer, 1 to 1000; the median of its figures is shown.
    #[arg(default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Transport from the server.
    #[arg(long, value_enum, default_value_t = Transport::Tcp)]
    pub(crate) over: Transport,
    /// Other clients, as tests/bench/peers builds them into one program [default: that program, if
    /// it is built].
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) peers: Option<PathBuf>,
}

impl Args {
    /// Returns the arguments, or ends this program with the reason.
    pub(crate) fn checked(self) -> Self {
        for workload in self.workload.all() {
            let (name, least) = (workload.name(), workload.least_rows());
            if self.rows < least {
                let message = format!("{name} needs at least {least} rows, not {}", self.rows);
                Self::command().error(ErrorKind::ValueValidation, message).exit();
            }
        }
        self
    }
}

/// A workload by its name, or all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    All,
    Only(Workload),
}

impl Wanted {
    /// Returns the workloads.
    pub(crate) fn all(self) -> impl Iterator<Item = Workload> {
        Workload::ALL.into_iter().filter(move |workload| match self {
            Self::All => true,
            Self::Only(wanted) => wanted == *workload,
        })
    }
}

impl ValueEnum for Wanted {
    fn value_variants<'a>() -> &'a [Self] {
        const {
            let [narrow, bulk, binary, full, wide, large] = Workload::ALL;
            &[
                Self::All,
                Self::Only(narrow),
                Self::Only(bulk),
                Self::Only(binary),
                Self::Only(full),
                Self::Only(wide),
                Self::Only(large),
            ]
        }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::All => PossibleValue::new("all").help("each of these"),
            Self::Only(workload) => PossibleValue::new(workload.name()).help(workload.rows_are()),
        })
    }
}
