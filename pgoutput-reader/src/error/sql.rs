//! Errors of the SQL connection.

use std::error::Error as StdError;
use std::{fmt, io};

use postgres::error::{DbError, SqlState};

use super::{Error, ErrorKind, printable};

/// The longest text shown: a server's message may quote a value.
const SHOWN_LIMIT: usize = 1024;

/// An error of the SQL connection, on which the reader queries the catalogue.
///
/// Its [`source`](StdError::source) is the error of the server or the operating system. The types
/// of that error are not part of this crate's promises.
pub struct SqlError {
    error: postgres::Error,
    message: Option<Box<str>>,
}

impl SqlError {
    pub(crate) fn new(error: postgres::Error) -> Self {
        let message = error.as_db_error().map(DbError::message);
        let message = message.map(|text| printable(text.as_bytes(), SHOWN_LIMIT));
        Self { error, message }
    }

    /// Returns the SQLSTATE of a server's error (manual, appendix "PostgreSQL Error Codes"); `None`
    /// for an error of the connection.
    pub fn sqlstate(&self) -> Option<&str> {
        self.error.code().map(SqlState::code)
    }

    /// Returns the message of a server's error, in the server's language and as
    /// [`Printable`](crate::decode::Printable); `None` for an error of the connection.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns whether the connection was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.error.is_closed()
    }

    /// Returns the error of the server, if it is one.
    #[cfg(feature = "postgres")]
    pub(crate) fn db_error(&self) -> Option<&DbError> {
        self.error.as_db_error()
    }

    /// Returns the error of the operating system, if it is one.
    pub(crate) fn io_error(&self) -> Option<&io::Error> {
        self.source().and_then(<dyn StdError>::downcast_ref)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The `postgres` crate leaves the cause out of its own text.
        write!(f, "{}", self.error)?;
        match self.source() {
            Some(cause) => write!(f, ": {}", printable(cause.to_string().as_bytes(), SHOWN_LIMIT)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlError({self})")
    }
}

impl StdError for SqlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

impl Error {
    /// An error of the SQL connection.
    pub(crate) fn sql(error: postgres::Error) -> Self {
        ErrorKind::Catalog(SqlError::new(error)).into()
    }
}
