//! Errors of this crate, with advice on what to do about them.

use std::time::Duration;
use std::{fmt, io};

use pgoutput_decode::{DecodeError, Printable};

use crate::config::{ConfigError, TargetSessionAttrs};
use crate::server_version::ServerVersion;

mod advice;
mod auth;
#[cfg(feature = "reader")]
mod blocking_session;
#[cfg(feature = "reader")]
mod capture;
#[cfg(feature = "reader")]
mod history;
#[cfg(feature = "reader")]
mod position;
mod protocol;
mod server;
#[cfg(feature = "reader")]
mod snapshot;
#[cfg(feature = "reader")]
mod snapshot_table;
#[cfg(feature = "reader")]
mod spill;
#[cfg(feature = "reader")]
mod sql;
mod stream;
mod tls;
#[cfg(feature = "reader")]
mod transient;

pub use auth::AuthError;
#[cfg(feature = "reader")]
pub use blocking_session::BlockingSession;
#[cfg(feature = "reader")]
pub(crate) use blocking_session::listed;
#[cfg(feature = "reader")]
pub use capture::CaptureError;
#[cfg(feature = "reader")]
pub use history::HistoryError;
#[cfg(feature = "reader")]
pub use position::PositionError;
pub use protocol::{LimitError, ProtocolError};
pub use server::ServerMessage;
pub(crate) use server::printable;
#[cfg(feature = "reader")]
pub use snapshot::{CopyRowError, ServerState, SnapshotError};
#[cfg(feature = "reader")]
pub use snapshot_table::{ConditionError, ParseSnapshotTableError};
#[cfg(feature = "reader")]
pub use spill::SpillError;
#[cfg(feature = "reader")]
pub use sql::SqlError;
pub use stream::{SetupError, StreamError};
pub use tls::TlsError;
#[cfg(feature = "reader")]
pub(crate) use transient::is_transient;

/// An error of this crate. It is one word wide, and [`kind`](Error::kind) returns the details.
///
/// The text is one line: what happened and, if possible, what to do next. It contains no password.
/// Names and texts of a server are shown as [`Printable`], so printing an error cannot move a
/// terminal's cursor.
pub struct Error(Box<ErrorKind>);

/// The kind of an [`Error`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A call of the operating system failed, or the server closed the connection.
    #[error(
        "{doing} {address}: {source}{}",
        advice::for_io(.doing, .source),
        address = Printable(.address), source = Printable(.source)
    )]
    Io {
        /// The activity, as in "connecting to".
        doing: &'static str,
        /// The server's address, `host:port` or the path of a socket.
        address: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A replication message could not be decoded.
    #[error(transparent)]
    Decode(DecodeError),
    /// The server reported an error. The text ends with advice if the error is common in
    /// replication.
    #[error("{}{}", .0, advice::for_message(.0))]
    Server(ServerMessage),
    /// Authentication failed, of the client or of the server.
    #[error(transparent)]
    Auth(AuthError),
    /// The connection could not be protected as the settings require.
    #[error(transparent)]
    Tls(TlsError),
    /// The server does not follow PostgreSQL's frontend/backend protocol.
    #[error(transparent)]
    Protocol(ProtocolError),
    /// A limit on memory or time was exceeded.
    #[error(transparent)]
    Limit(LimitError),
    /// Reading cannot start as requested.
    #[error(transparent)]
    Setup(SetupError),
    /// The messages of a stream are valid, but contradict each other.
    #[error(transparent)]
    Stream(StreamError),
    /// A position cannot be read, acknowledged or resumed from.
    #[cfg(feature = "reader")]
    #[error(transparent)]
    Position(PositionError),
    /// The files that keep transactions in progress.
    #[cfg(feature = "reader")]
    #[error(transparent)]
    Spill(SpillError),
    /// A capture file.
    #[cfg(feature = "reader")]
    #[error(transparent)]
    Capture(CaptureError),
    /// The initial copy.
    #[cfg(feature = "reader")]
    #[error(transparent)]
    Snapshot(SnapshotError),
    /// A server that does not continue what was read: another cluster or timeline, or lost WAL.
    #[cfg(feature = "reader")]
    #[error(transparent)]
    History(HistoryError),
    /// A catalogue query on the SQL connection failed.
    #[cfg(feature = "reader")]
    #[error("catalogue query on the SQL connection failed: {}", Printable(.0))]
    Catalog(#[source] SqlError),
    /// The connection settings are invalid or not supported.
    #[error(transparent)]
    Config(ConfigError),
    /// An argument is invalid, or options contradict each other.
    #[error("{}", Printable(.0))]
    Usage(String),
    /// A thread of this crate panicked.
    #[error("the thread for {doing} has panicked: please report this with its panic message")]
    ThreadPanicked {
        /// The activity, as in "connecting".
        doing: &'static str,
    },
    /// A deadline passed.
    #[error("timed out while {doing} {address}", address = Printable(.address))]
    Timeout {
        /// The activity, as in "connecting to".
        doing: &'static str,
        /// The server's address.
        address: String,
    },
    /// The server sent nothing within
    /// [`wal_receiver_timeout`](crate::Config::wal_receiver_timeout), although a reply was
    /// requested.
    #[error(
        "{address} has sent nothing for {limit:?} (wal_receiver_timeout), not even the reply that \
         was requested: check the network and the server, and connect again",
        address = Printable(.address)
    )]
    ServerSilent {
        /// The server's address.
        address: String,
        /// The limit.
        limit: Duration,
    },
    /// The server is too old for an option.
    #[error(
        "{option} needs PostgreSQL {needed} or later, and the server is {server}: leave it out, or \
         upgrade the server"
    )]
    Unsupported {
        /// The name of the option.
        option: &'static str,
        /// The first major version that supports it.
        needed: u32,
        /// The server's version.
        server: ServerVersion,
    },
    /// A [`StopHandle`](crate::StopHandle) or a [`Waker`](crate::Waker) ended the wait.
    #[error("stopped while {doing} {address}", address = Printable(.address))]
    Stopped {
        /// The activity.
        doing: &'static str,
        /// The server's address.
        address: String,
    },
    /// The server ended the copy, as it does when it shuts down.
    #[error(
        "{address} ended the copy, as a server does when it shuts down: connect again later",
        address = Printable(.address)
    )]
    CopyEnded {
        /// The server's address.
        address: String,
    },
    /// The server does not have the state that `target_session_attrs` requires.
    #[error(
        "{address} does not match target_session_attrs={wanted}: name other hosts, or choose \
         a weaker value",
        address = Printable(.address)
    )]
    SessionAttrs {
        /// The required state.
        wanted: TargetSessionAttrs,
        /// The server's address.
        address: String,
    },
    /// The connection was lost, and reconnecting was given up as [`Reconnect`](crate::Reconnect)
    /// specifies.
    #[cfg(feature = "reader")]
    #[error(
        "{cause}; gave up after {attempts} attempts to reconnect in {elapsed:.1?}{}",
        last_failure(.last.as_ref())
    )]
    GaveUp {
        /// The error that ended the connection.
        #[source]
        cause: Error,
        /// The number of attempts.
        attempts: u32,
        /// The time since the loss.
        elapsed: Duration,
        /// The error of the last attempt.
        last: Option<Error>,
    },
    /// The connection of a [temporary slot](crate::SlotCreation::Temporary) was lost, and the
    /// slot with it.
    #[cfg(feature = "reader")]
    #[error(
        "{cause}; the temporary slot \"{slot}\" is gone with its connection, and with it all \
         changes that were not read: start again with a new slot, \
         after a new copy of the data if any is kept, or use a slot that is not temporary",
        slot = Printable(.slot)
    )]
    TemporarySlotLost {
        /// The slot.
        slot: String,
        /// The error that ended the connection.
        #[source]
        cause: Error,
    },
    /// No host could be used. There is one error for each address and each way to connect to it, in
    /// order.
    #[error("no host could be used: {}", join(.0))]
    AllHosts(Vec<Error>),
}

impl Error {
    /// Returns the kind of the error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0
    }

    /// Returns the kind of the error, by value.
    pub fn into_kind(self) -> ErrorKind {
        *self.0
    }

    /// Returns the SQLSTATE of the server's error (manual, appendix "PostgreSQL Error Codes"), on
    /// the replication connection or the SQL connection; `None` for an error of another origin. Of
    /// several hosts or attempts, it is the last one.
    pub fn sqlstate(&self) -> Option<&str> {
        match self.kind() {
            ErrorKind::Server(message) => message.sqlstate(),
            #[cfg(feature = "reader")]
            ErrorKind::Catalog(error) => error.sqlstate(),
            ErrorKind::AllHosts(attempts) => attempts.iter().rev().find_map(Error::sqlstate),
            #[cfg(feature = "reader")]
            ErrorKind::TemporarySlotLost { cause, .. } => cause.sqlstate(),
            #[cfg(feature = "reader")]
            ErrorKind::Snapshot(error) => error.cause().and_then(Error::sqlstate),
            #[cfg(feature = "reader")]
            ErrorKind::GaveUp { cause, last, .. } => {
                last.as_ref().and_then(Error::sqlstate).or_else(|| cause.sqlstate())
            }
            _ => None,
        }
    }

    /// Returns the server's message, if the server reported the error. Of several hosts or
    /// attempts, it is the last one.
    pub fn server(&self) -> Option<&ServerMessage> {
        match self.kind() {
            ErrorKind::Server(message) => Some(message),
            ErrorKind::AllHosts(attempts) => attempts.iter().rev().find_map(Error::server),
            #[cfg(feature = "reader")]
            ErrorKind::TemporarySlotLost { cause, .. } => cause.server(),
            #[cfg(feature = "reader")]
            ErrorKind::Snapshot(error) => error.cause().and_then(Error::server),
            #[cfg(feature = "reader")]
            ErrorKind::GaveUp { cause, last, .. } => {
                last.as_ref().and_then(Error::server).or_else(|| cause.server())
            }
            _ => None,
        }
    }

    pub(crate) fn io(doing: &'static str, address: &str, source: io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(error) =
            source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return TlsError::of_rustls(error).into();
        }
        ErrorKind::Io { doing, address: address.into(), source }.into()
    }

    pub(crate) fn timeout(doing: &'static str, address: &str) -> Self {
        ErrorKind::Timeout { doing, address: address.into() }.into()
    }

    pub(crate) fn stopped(doing: &'static str, address: &str) -> Self {
        ErrorKind::Stopped { doing, address: address.into() }.into()
    }

    pub(crate) fn copy_ended(address: &str) -> Self {
        ErrorKind::CopyEnded { address: address.into() }.into()
    }

    pub(crate) fn usage(reason: impl Into<String>) -> Self {
        ErrorKind::Usage(reason.into()).into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each kind escapes the texts that it shows. This is a safeguard.
        Printable(&self.0).fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A `main` that returns the error prints this, and its advice is worth more than the
        // fields.
        write!(f, "Error({self})")
    }
}

#[cfg(feature = "reader")]
fn last_failure(last: Option<&Error>) -> String {
    last.map_or_else(String::new, |last| format!(", the last of which failed: {last}"))
}

fn join(attempts: &[Error]) -> String {
    attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        ErrorKind::Config(error).into()
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        ErrorKind::Decode(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn is_one_word_wide_and_travels_between_threads() {
        fn size_of_error<T: std::error::Error + Send + Sync + 'static>() -> usize {
            size_of::<T>()
        }
        assert_eq!(size_of_error::<Error>(), size_of::<usize>());
    }

    /// Every kind that shows a text of the server or the user, alone and as an [`Error`].
    #[test]
    fn nothing_that_is_not_printable_is_shown() {
        let hostile = || "x\u{1b}[2J\r\n\u{7f}\u{9b}1m\u{202e}\u{feff}\"".to_owned();
        let lsn = pgoutput_decode::Lsn::ZERO;
        let server = || ServerMessage::new([(b'M', hostile().as_bytes())].into_iter(), true);
        let mut kinds: Vec<ErrorKind> = Vec::new();
        for error in [
            SetupError::SlotMissing { slot: hostile() },
            SetupError::SlotPhysical { slot: hostile() },
            SetupError::SlotPlugin { slot: hostile(), plugin: hostile() },
            SetupError::SlotDatabase { slot: hostile(), database: hostile(), connected: hostile() },
            SetupError::SlotLost { slot: hostile(), reason: hostile() },
            SetupError::SlotMoved { slot: hostile(), confirmed: lsn, found: lsn },
            SetupError::PublicationMissing {
                missing: vec![hostile()],
                existing: vec![hostile()],
                database: hostile(),
            },
        ] {
            kinds.push(ErrorKind::Setup(error));
        }
        #[cfg(feature = "reader")]
        for error in [
            SetupError::NameNotUtf8 { name: hostile(), table: hostile() },
            SetupError::ColumnListsDiffer { table: hostile() },
            SetupError::GeneratedColumnsDiffer { table: hostile() },
        ] {
            kinds.push(ErrorKind::Setup(error));
        }
        #[cfg(feature = "reader")]
        for error in [
            PositionError::NotDelivered { position: hostile() },
            PositionError::OtherSlot { position: hostile(), slot: hostile() },
            PositionError::SlotAhead {
                slot: hostile(),
                lsn,
                confirmed_flush_lsn: lsn,
                restart_lsn: None,
                commits_wait: true,
            },
        ] {
            kinds.push(ErrorKind::Position(error));
        }
        for error in [
            TlsError::WrongName { expected: hostile(), presented: hostile() },
            TlsError::BadCertificate { reason: hostile() },
            TlsError::ClientCertificate { alert: hostile() },
            TlsError::Alert(hostile()),
            TlsError::File { parameter: "sslkey", path: hostile(), reason: hostile() },
            TlsError::Other { reason: hostile() },
        ] {
            kinds.push(ErrorKind::Tls(error));
        }
        let wanted = TargetSessionAttrs::Primary;
        let config = "bad\u{1b}=1".parse::<crate::config::Config>().unwrap_err();
        kinds.extend([
            ErrorKind::Io {
                doing: "connecting to",
                address: hostile(),
                source: io::Error::other(hostile()),
            },
            ErrorKind::Server(server()),
            ErrorKind::Auth(AuthError::MethodNotAllowed { method: "md5", allowed: hostile() }),
            ErrorKind::Auth(AuthError::MechanismUnsupported { offered: hostile() }),
            ErrorKind::Protocol(ProtocolError::ServerVersion(hostile())),
            ErrorKind::Stream(StreamError::RowWidth {
                table: hostile(),
                described: 1,
                sent: 2,
                lsn,
            }),
            ErrorKind::Config(config),
            ErrorKind::Usage(hostile()),
            ErrorKind::Timeout { doing: "connecting to", address: hostile() },
            ErrorKind::ServerSilent { address: hostile(), limit: Duration::ZERO },
            ErrorKind::Stopped { doing: "connecting to", address: hostile() },
            ErrorKind::CopyEnded { address: hostile() },
            ErrorKind::SessionAttrs { wanted, address: hostile() },
            ErrorKind::AllHosts(vec![Error::usage(hostile()), server().into()]),
        ]);
        let shown = |text: String| {
            let hidden = text.chars().find(|c| !pgoutput_decode::is_printable(*c));
            assert_eq!(hidden, None, "{text:?}");
        };
        for kind in kinds {
            shown(kind.to_string());
            shown(format!("{kind:?}"));
            let error = Error::from(kind);
            shown(error.to_string());
            shown(format!("{error:?}"));
        }
    }

    #[test]
    fn keeps_the_source() {
        let error = Error::io("connecting to", "db:5432", io::ErrorKind::ConnectionRefused.into());
        let text = error.to_string();
        assert!(text.starts_with("connecting to db:5432: connection refused; is a "), "{text}");
        assert!(text.contains("listen_addresses and port"), "{text}");
        let lost = Error::io("reading from", "db:5432", io::ErrorKind::ConnectionReset.into());
        assert_eq!(lost.to_string(), "reading from db:5432: connection reset");
        let none = Error::io("connecting to", "/run/.s.PGSQL.5432", io::ErrorKind::NotFound.into());
        assert!(none.to_string().contains("unix_socket_directories"), "{none}");
        let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused));
    }
}
