//! Errors that may pass by themselves, after which the reader tries again.

use std::io;

use super::{Error, ErrorKind, LimitError, SetupError, SnapshotError, TlsError};

/// Returns whether another attempt may succeed a moment later: after errors of the network, a
/// server that restarts or has too many connections, a slot that is still held. An error that is
/// not known to pass does not.
pub(crate) fn is_transient(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Io { source, .. } => is_transient_io(source),
        ErrorKind::Server(message) => message.sqlstate().is_some_and(is_transient_state),
        ErrorKind::Catalog(error) => match error.sqlstate() {
            Some(code) => is_transient_state(code),
            None => error.is_closed() || error.io_error().is_some_and(is_transient_io),
        },
        ErrorKind::Timeout { .. }
        | ErrorKind::ServerSilent { .. }
        | ErrorKind::Stopped { .. }
        | ErrorKind::CopyEnded { .. }
        // The connection was cut. Other errors of TLS do not pass.
        | ErrorKind::Tls(TlsError::Closed { .. })
        // A network that accepts nothing looks the same as a server that does not read.
        | ErrorKind::Limit(LimitError::Unsent { .. })
        // A standby may be about to become a primary.
        | ErrorKind::SessionAttrs { .. }
        // The session that creates it finishes or fails.
        | ErrorKind::Setup(SetupError::SlotBeingCreated { .. })
        // As the server's own error of a slot that is held, and a table that another snapshot shows
        // as it is.
        | ErrorKind::Snapshot(
            SnapshotError::SlotInUse { .. } | SnapshotError::TableChanged { .. },
        ) => true,
        ErrorKind::AllHosts(errors) => errors.iter().any(is_transient),
        _ => false,
    }
}

/// By SQLSTATE (manual, appendix "PostgreSQL Error Codes").
fn is_transient_state(code: &str) -> bool {
    // Class 08 is Connection Exception; a protocol_violation stays one.
    (code.starts_with("08") && code != "08P01")
        || matches!(
            code,
            // admin_shutdown, crash_shutdown, cannot_connect_now
            "57P01" | "57P02" | "57P03"
            // object_in_use: the slot, held by a walsender that has not noticed its client's loss
            | "55006"
            // too_many_connections
            | "53300"
            // transaction_timeout, idle_session_timeout: the library sets both to 0, but a server
            // may set them again, as by a function that runs at login
            | "25P04" | "57P05"
            // query_canceled: by an administrator, or on a standby whose primary removed rows
            | "57014"
            // serialization_failure: the other code for a conflict with recovery on a standby
            | "40001"
        )
}

fn is_transient_io(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    // `NotFound` is the socket file of a server that is down.
    !matches!(error.kind(), Kind::PermissionDenied | Kind::InvalidInput | Kind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::io::ErrorKind as Kind;
    use super::*;
    use crate::config::TargetSessionAttrs;
    use crate::error::{AuthError, HistoryError, ProtocolError, ServerMessage, StreamError};
    use crate::source::mock_server::{MockServer, Reception};
    use pgoutput_decode::Lsn;

    fn server(code: &str) -> Error {
        let fields = [(b'C', code.as_bytes()), (b'M', &b"says so"[..])];
        ServerMessage::new(fields.into_iter(), true).into()
    }

    fn io_error(kind: io::ErrorKind) -> Error {
        Error::io("connecting to", "db:5432", kind.into())
    }

    #[test]
    fn transient_errors_are_retried() {
        for code in [
            "57P01", "57P02", "57P03", "55006", "53300", "08006", "25P04", "57P05", "57014",
            "40001",
        ] {
            assert!(is_transient(&server(code)), "{code}");
        }
        for kind in [
            Kind::ConnectionRefused,
            Kind::ConnectionReset,
            Kind::UnexpectedEof,
            Kind::NotFound,
            Kind::HostUnreachable,
            Kind::TimedOut,
        ] {
            assert!(is_transient(&io_error(kind)), "{kind:?}");
        }
        let address = || String::from("db:5432");
        for kind in [
            ErrorKind::CopyEnded { address: address() },
            ErrorKind::Timeout { doing: "connecting to", address: address() },
            ErrorKind::ServerSilent { address: address(), limit: std::time::Duration::ZERO },
            ErrorKind::SessionAttrs { wanted: TargetSessionAttrs::Any, address: address() },
            ErrorKind::AllHosts(vec![server("28P01"), io_error(Kind::ConnectionRefused)]),
            ErrorKind::Setup(SetupError::SlotBeingCreated { slot: "s".into(), pid: 7 }),
            ErrorKind::Snapshot(SnapshotError::SlotInUse { slot: "s".into(), pid: 7 }),
            ErrorKind::Snapshot(SnapshotError::TableChanged {
                schema: "public".into(),
                table: "t".into(),
            }),
            ErrorKind::Limit(LimitError::Unsent { pending: 1 }),
            ErrorKind::Tls(TlsError::Closed { direct: false }),
        ] {
            assert!(is_transient(&kind.into()));
        }
    }

    #[test]
    fn errors_of_the_sql_connection_are_classified_in_the_same_way() {
        let mut client = postgres::Config::new();
        let unset = client.connect(postgres::NoTls).err().map(Error::sql).unwrap();
        assert!(!is_transient(&unset), "{unset}");
        client.user("alice").host_path("/nonexistent");
        let unreachable = client.connect(postgres::NoTls).err().map(Error::sql).unwrap();
        assert!(is_transient(&unreachable), "{unreachable}");
        let server = MockServer::new("transient");
        for (code, is_retried) in [("57P03", true), ("28P01", false)] {
            server.set(|state| state.sql = Reception::Refuses(code));
            let error = server.sql_client().err().unwrap();
            assert!(matches!(error.kind(), ErrorKind::Catalog(_)), "{error:?}");
            assert_eq!(is_transient(&error), is_retried, "{error}");
        }
    }

    #[test]
    fn permanent_errors_are_not_retried() {
        // A protocol violation, a wrong password, no slot, an invalidated slot, no free slot, a
        // missing WAL segment, a dropped database, a bug of the server.
        for code in
            ["08P01", "28P01", "28000", "42704", "55000", "53400", "58P01", "57P04", "XX000", ""]
        {
            assert!(!is_transient(&server(code)), "{code}");
        }
        let slot = String::from("s");
        let changed =
            StreamError::TransactionChanged { commit_lsn: Lsn::ZERO, delivered: 2, again: 1 };
        for error in [
            io_error(io::ErrorKind::PermissionDenied),
            AuthError::ServerNotVerified.into(),
            TlsError::Expired.into(),
            SetupError::SlotMissing { slot }.into(),
            HistoryError::TimelineChanged { expected: 1, found: 2 }.into(),
            ProtocolError::UnknownTag(b'x').into(),
            changed.into(),
            Error::usage("no"),
            ErrorKind::AllHosts(vec![server("28P01")]).into(),
        ] {
            assert!(!is_transient(&error), "{error}");
        }
    }
}
