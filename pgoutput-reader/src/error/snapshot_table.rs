//! Errors of the tables that an initial copy is limited to.

/// A condition on the rows of a copied table cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// A parenthesis is not closed, or was not opened.
    #[error("its parentheses do not match")]
    Parentheses,
    /// A string, a name in double quotes or a comment does not end.
    #[error("a string, a quoted name or a comment in it does not end")]
    Unterminated,
    /// A semicolon, which ends a statement.
    #[error("it contains a semicolon; give one SQL expression")]
    Semicolon,
    /// A string directly after an `E'…'` string, which would continue it.
    #[error("a string follows an E'…' string; write them as one")]
    Continued,
    /// A zero byte, which ends a query.
    #[error("it contains a zero byte")]
    ZeroByte,
}

/// A text does not name a table for [`Snapshot::only`](crate::Snapshot::only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a table as in SQL, public.orders or \"My schema\".\"Orders\", with its schema; WHERE \
     and a condition may follow"
)]
pub struct ParseSnapshotTableError(pub(crate) ());
