//! Where the JSON of events has the description of their table.

/// Where the JSON of events has the description of their table.
///
/// In any case [`ChangeEvent::table`](crate::ChangeEvent::table) returns it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaOutput {
    /// Each event has it, as `table_schema`.
    #[default]
    Each,
    /// An event of its own, [`Op::Schema`](crate::Op::Schema), has it, before the first event of the
    /// table and again after each change. All others have `relation_id` in its place.
    Once,
}
