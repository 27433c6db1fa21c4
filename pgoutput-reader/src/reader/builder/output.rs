//! Settings of the events themselves: which there are in addition, and how they are written.

use super::ReaderBuilder;
use crate::event::SchemaOutput;

impl ReaderBuilder {
    /// Sets whether each transaction with events ends with an event of its own,
    /// [`Op::Commit`](crate::Op::Commit). Without it, [`ChangeEvent::is_last`] shows the same.
    ///
    /// Such an event has the [end](crate::TransactionInfo::end_lsn) of the transaction, no table
    /// and no rows. Its position is after the whole transaction. You may change this setting
    /// between two runs that resume from each other's positions.
    ///
    /// [`ChangeEvent::is_last`]: crate::ChangeEvent::is_last
    #[must_use]
    pub fn commits(mut self, commits: bool) -> Self {
        self.output.commits = commits;
        self
    }

    /// Sets whether the JSON of events has LSNs as text, as in `"lsn":"0/158FAC8"`. By default they
    /// are numbers.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn lsns_as_text(mut self, as_text: bool) -> Self {
        self.output.lsns_as_text = as_text;
        self
    }

    /// Sets whether an event reports each change of a table, [`Op::Schema`](crate::Op::Schema), with
    /// the table before and after and the [difference](crate::SchemaDifference).
    ///
    /// A stream describes a table before its first row, and again before the first row after the
    /// table was altered. So the event belongs to the transaction of that row and is directly
    /// before it. A change without a later row of the table is not reported. Neither is one that
    /// the stream does not describe: of `NOT NULL`, of defaults, or of a type by `ALTER TYPE`.
    ///
    /// The first description of a table is not a change. A reader compares with what it has
    /// delivered, also across reconnections. After [`resume`](Self::resume) it also compares with
    /// the events of the position's transaction, which the server sends again. So a change is not
    /// reported if the last event of the table before it is in an earlier transaction.
    ///
    /// The event has a position of its own, to acknowledge and to resume after like any other. It
    /// is not counted in the index of other events. So you may change this setting between two runs
    /// that resume from each other's positions.
    ///
    /// ```no_run
    /// # let builder = pgoutput_reader::Reader::builder("");
    /// for event in builder.schema_changes(true).connect()? {
    ///     if let Some(change) = event?.schema_change() {
    ///         eprintln!("{} was altered: {:?}", change.after().name(), change.difference());
    ///     }
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    #[must_use]
    pub fn schema_changes(mut self, schema_changes: bool) -> Self {
        self.output.schema_changes = schema_changes;
        self
    }

    /// Sets where the JSON of events has the description of their table;
    /// [`SchemaOutput::Each`] by default, which is in each event.
    ///
    /// With [`SchemaOutput::Once`], an event of its own has it ([`Op::Schema`](crate::Op::Schema)),
    /// directly before the first event of the table and before the first after a change. The others
    /// have `relation_id` instead. After a reconnection it is not repeated. A new reader starts
    /// again, also after [`resume`](Self::resume): the descriptions come before the first event of
    /// each table, even if one was the last event that was stored. You may change this setting
    /// between two runs that resume from each other's positions.
    ///
    /// ```no_run
    /// use pgoutput_reader::{Reader, SchemaOutput};
    ///
    /// let reader = Reader::builder("host=localhost dbname=app")
    ///     .slot("my_slot")
    ///     .publication("my_publication")
    ///     .schema_output(SchemaOutput::Once)
    ///     .connect()?;
    /// for event in reader {
    ///     println!("{}", serde_json::to_string(&event?)?);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn schema_output(mut self, output: SchemaOutput) -> Self {
        self.output.schema_output = output;
        self
    }
}
