//! The two formats of a value.

use core::fmt;

/// The format of a value.
///
/// The server chooses it for each column: a type without a binary form is sent as text even if you
/// asked for binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// What the type's output function writes.
    Text,
    /// What the type's send function writes.
    Binary,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}
