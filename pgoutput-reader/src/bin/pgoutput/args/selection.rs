//! The arguments that choose among the objects.

use pgoutput_reader::{MaskedColumn, Op, ReaderBuilder};

use crate::filter::{TablePattern, op};

// The objects that are printed. A doc comment would become the text of the command.
#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Print only the objects of this table; may be repeated. Written as in SQL, with its schema:
    /// public.orders or 'public."Orders"'; * stands for any characters, as in 'public.events_*'.
    #[arg(help_heading = "Selection", long = "table", value_name = "TABLE")]
    pub(crate) tables: Vec<TablePattern>,

    /// Leave out the objects of this table; may be repeated. Written as for --table, and stronger
    /// than it.
    #[arg(help_heading = "Selection")]
    #[arg(long = "exclude", value_name = "TABLE", value_parser = TablePattern::without_condition)]
    pub(crate) excluded: Vec<TablePattern>,

    /// Print only objects with these ops, such as I,U,D. Descriptions of tables (S) are always
    /// printed if they were requested.
    #[arg(help_heading = "Selection")]
    #[arg(long = "op", value_name = "OPS", value_delimiter = ',', value_parser = op)]
    pub(crate) ops: Vec<Op>,
}

// The values that are replaced.
#[derive(Debug, clap::Args)]
pub(crate) struct Masks {
    /// Replace the values of this column by a constant of its type, or NULL; may be repeated.
    /// Written as in SQL: public.people.email or people."E-mail".
    #[arg(help_heading = "Selection")]
    #[arg(long = "mask", value_name = "[SCHEMA.]TABLE.COLUMN")]
    pub(crate) masks: Vec<MaskedColumn>,
}

impl Masks {
    /// Applies them.
    pub(crate) fn set(&self, builder: ReaderBuilder) -> ReaderBuilder {
        self.masks.iter().cloned().fold(builder, ReaderBuilder::mask)
    }
}
