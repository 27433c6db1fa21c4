//! A change of the description of a table.

use std::fmt;
use std::sync::Arc;

use super::{Shared, TableSchema};
use crate::schema::SchemaDifference;

/// A change of a table: its description before and after, and the difference. From
/// [`ChangeEvent::schema_change`](crate::ChangeEvent::schema_change).
///
/// ```no_run
/// use pgoutput_reader::{Op, Reader};
///
/// let reader = Reader::builder("host=localhost dbname=app")
///     .slot("my_slot")
///     .publication("my_publication")
///     .schema_changes(true)
///     .connect()?;
/// for event in reader {
///     let event = event?;
///     if let Some(change) = event.schema_change() {
///         let table = change.after();
///         for added in &change.difference().added {
///             let column = &table.columns()[added.index];
///             println!("{}: new column {} {}", table.name(), column.name(), column.type_name());
///         }
///     }
/// }
/// # Ok::<(), pgoutput_reader::Error>(())
/// ```
#[derive(Clone)]
pub struct SchemaChange {
    before: Arc<Shared<TableSchema>>,
    after: Arc<Shared<TableSchema>>,
    difference: SchemaDifference,
}

impl SchemaChange {
    pub(crate) fn new(
        before: Arc<Shared<TableSchema>>,
        after: Arc<Shared<TableSchema>>,
        difference: SchemaDifference,
    ) -> Self {
        Self { before, after, difference }
    }

    /// Returns the table as the events before had it.
    ///
    /// If a reader was resumed, and no event of the table was delivered since, only the stream
    /// described that table. Then [type names](crate::ColumnSchema::type_name) and
    /// [`is_optional`](crate::ColumnSchema::is_optional) are those of a table that is gone from the
    /// catalogue. So they are for tables beyond the number of
    /// [`described_tables`](crate::ReaderBuilder::described_tables).
    pub fn before(&self) -> &Arc<TableSchema> {
        self.before.value()
    }

    /// Returns the table as the events after this one have it; the same as
    /// [`ChangeEvent::table`](crate::ChangeEvent::table).
    pub fn after(&self) -> &Arc<TableSchema> {
        self.after.value()
    }

    /// Returns the difference between the two.
    pub fn difference(&self) -> &SchemaDifference {
        &self.difference
    }
}

impl fmt::Debug for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.difference.fmt(f)
    }
}
