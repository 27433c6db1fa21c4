//! The flags of a column in a Relation message.

/// The flags of a column, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ColumnFlags(pub u8);

impl ColumnFlags {
    /// The column is part of the replica identity.
    pub const KEY: Self = Self(1);

    /// Returns true if the column is part of the replica identity; with `REPLICA IDENTITY FULL`
    /// every column is.
    pub const fn is_key(self) -> bool {
        self.0 & Self::KEY.0 != 0
    }
}
