//! The two formats of a value.

use core::fmt;

/// The format of a value.
///
/// The server chooses it for each column: a type without a binary form is sent as text even with
/// the option `binary`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The output of the type's output function.
    Text,
    /// The output of the type's send function.
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
