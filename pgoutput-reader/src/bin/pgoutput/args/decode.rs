//! The arguments of `pgoutput decode`.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::decode::Form;

#[derive(Debug, clap::Args)]
pub(crate) struct Decode {
    /// The input; - is standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) file: PathBuf,

    /// Print a JSON object for each message, with all of its fields.
    #[arg(long)]
    pub(crate) json: bool,

    /// Print long values in full. By default a line has their first 64 characters and their length
    /// in bytes.
    #[arg(long, conflicts_with = "json")]
    pub(crate) full: bool,

    /// The form of the input. auto: decided by its first line. recvlogical: messages as bytes, each
    /// followed by a line feed. psql: rows as text.
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) input: InputArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputArg {
    Auto,
    Recvlogical,
    Psql,
}

impl InputArg {
    /// Returns the form, unless it has to be found out.
    pub(crate) const fn form(self) -> Option<Form> {
        match self {
            Self::Auto => None,
            Self::Recvlogical => Some(Form::Recvlogical),
            Self::Psql => Some(Form::Psql),
        }
    }
}
