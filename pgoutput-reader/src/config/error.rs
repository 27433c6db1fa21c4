//! Errors in connection settings.

use std::borrow::Cow;
use std::fmt;

use pgoutput_decode::Printable;

/// An error in connection settings.
///
/// The message names the parameter, where it came from and what to do. It never contains a value,
/// nor a part of a connection string that could belong to a password.
///
/// ```
/// use pgoutput_reader::config::{Config, ConfigErrorKind};
///
/// let error = "host=db gssencmode=require".parse::<Config>().unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Unsupported);
/// assert_eq!(error.parameter(), Some("gssencmode"));
/// assert_eq!(error.position(), Some(8));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    kind: ConfigErrorKind,
    parameter: Option<Cow<'static, str>>,
    origin: ParameterOrigin,
    position: Option<usize>,
    message: Cow<'static, str>,
}

/// The kinds of [`ConfigError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigErrorKind {
    /// The connection string is neither `keyword=value` pairs nor a well-formed URI.
    Syntax,
    /// The connection string has a keyword that libpq does not have either.
    UnknownKeyword,
    /// The value is invalid for the parameter.
    InvalidValue,
    /// libpq knows the parameter and the value, but the reader does not support it.
    Unsupported,
    /// The numbers of hosts, addresses and ports do not match.
    Mismatch,
    /// The password file cannot be used.
    PassFile,
    /// The service file cannot be used, or does not define the service.
    Service,
    /// No user is given, and the account of this process has no name.
    NoUser,
}

/// The origin of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterOrigin {
    /// A setter of `Config`.
    Setter,
    /// A connection string given to the program.
    ConnectionString,
    /// The connection string in `DATABASE_URL`.
    DatabaseUrl,
    /// One of the PG* variables.
    Variable(&'static str),
    /// The service named by the connection string or `PGSERVICE`.
    ServiceFile,
}

/// An error in a value, without its parameter.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) kind: ConfigErrorKind,
    pub(crate) message: Cow<'static, str>,
}

impl Problem {
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ConfigErrorKind::InvalidValue, message: message.into() }
    }

    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind: ConfigErrorKind::Unsupported, message: message.into() }
    }
}

impl ConfigError {
    pub(crate) fn new(kind: ConfigErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            parameter: None,
            origin: ParameterOrigin::Setter,
            position: None,
            message: message.into(),
        }
    }

    pub(crate) fn syntax(
        origin: ParameterOrigin,
        position: usize,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ConfigErrorKind::Syntax, message).with_origin(origin).at(position)
    }

    pub(crate) fn of(parameter: impl Into<Cow<'static, str>>, problem: Problem) -> Self {
        Self::new(problem.kind, problem.message).named(parameter)
    }

    pub(crate) fn named(mut self, parameter: impl Into<Cow<'static, str>>) -> Self {
        self.parameter = Some(parameter.into());
        self
    }

    pub(crate) fn with_origin(mut self, origin: ParameterOrigin) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The kind of the error.
    pub fn kind(&self) -> ConfigErrorKind {
        self.kind
    }

    /// The keyword of the invalid parameter; `None` for a syntax error, or if the word could be
    /// part of a password.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// The environment variable that the invalid value came from.
    pub fn variable(&self) -> Option<&'static str> {
        match self.origin {
            ParameterOrigin::Variable(name) => Some(name),
            ParameterOrigin::DatabaseUrl => Some("DATABASE_URL"),
            ParameterOrigin::ConnectionString
            | ParameterOrigin::ServiceFile
            | ParameterOrigin::Setter => None,
        }
    }

    /// The position of the error in the connection string, as an offset in bytes.
    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.origin {
            ParameterOrigin::Setter => {}
            ParameterOrigin::ConnectionString => f.write_str("connection string")?,
            ParameterOrigin::DatabaseUrl => f.write_str("environment variable DATABASE_URL")?,
            ParameterOrigin::Variable(name) => write!(f, "environment variable {name}")?,
            ParameterOrigin::ServiceFile => f.write_str("service file")?,
        }
        if let Some(position) = self.position {
            write!(f, ", at byte {position}")?;
        }
        if self.origin != ParameterOrigin::Setter {
            f.write_str(": ")?;
        }
        if let Some(parameter) = &self.parameter {
            write!(f, "{}: ", Printable(parameter))?;
        }
        Printable(&self.message).fmt(f)
    }
}

impl std::error::Error for ConfigError {}
