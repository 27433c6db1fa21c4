//! The connections of a check, opened as a reader opens them.

use crate::catalog::Catalog;
use crate::config::Config;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, ServerMessage};
use crate::server_version::ServerVersion;

use super::sql::Quoted;

/// What was found while connecting.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionFacts {
    /// The user and the database that were asked for, in SQL.
    pub(super) user: Quoted,
    pub(super) database: Quoted,
    /// The server, if any connection could be opened.
    pub(super) server: Option<ServerAccess>,
    /// Why the replication connection could not be opened.
    pub(super) replication: Option<Refusal>,
    /// Why no connection for SQL could be opened.
    pub(super) session: Option<Refusal>,
}

/// The server that was connected to.
#[derive(Debug, Clone)]
pub(super) struct ServerAccess {
    pub(super) address: String,
    pub(super) version: ServerVersion,
    pub(super) protection: Protected,
    /// Whether an attacker could be in between although no mode of TLS was chosen.
    pub(super) is_exposed: bool,
    /// Whether another program passes the connection on.
    pub(super) is_passed_on: bool,
    /// The process of the replication connection.
    pub(super) walsender: Option<i32>,
}

/// The protection of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protected {
    /// TLS with a certificate that was verified.
    VerifiedTls,
    /// TLS with any certificate.
    Tls,
    /// None, which a Unix socket or this machine does not need.
    Local,
    None,
}

/// An error that ended an attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) text: String,
    pub(super) sqlstate: Option<String>,
    /// The server's message, in its language.
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn of(error: &Error) -> Self {
        let message = match error.kind() {
            ErrorKind::Catalog(error) => error.message(),
            _ => error.server().map(ServerMessage::message),
        };
        Self {
            text: error.to_string(),
            sqlstate: error.sqlstate().map(Into::into),
            message: message.unwrap_or_default().into(),
        }
    }
}

/// The open connections.
pub(super) struct Access {
    pub(super) facts: ConnectionFacts,
    /// For queries, if the server can be reached.
    pub(super) catalog: Option<Catalog>,
    /// The replication connection or, if that was refused, a session.
    pub(super) connection: Option<Connection>,
}

/// Opens a replication connection or, if that fails, a session without it.
pub(super) fn open(config: &Config) -> Access {
    let name = |name: Result<std::borrow::Cow<'_, str>, _>| name.map(|name| Quoted::of(&name));
    let mut facts = ConnectionFacts {
        user: name(config.user_or_default()).unwrap_or_default(),
        database: name(config.dbname_or_default()).unwrap_or_default(),
        ..ConnectionFacts::default()
    };
    let opened = match Connection::connect(config) {
        Ok(connection) => Some((connection, true)),
        Err(error) => {
            facts.replication = Some(Refusal::of(&error));
            match Connection::connect_session(config) {
                Ok(connection) => Some((connection, false)),
                Err(error) => {
                    facts.session = Some(Refusal::of(&error));
                    None
                }
            }
        }
    };
    let Some((mut connection, is_replication)) = opened else {
        return Access { facts, catalog: None, connection: None };
    };
    facts.server = Some(server(&mut connection, is_replication));
    let catalog = match connection.sql_connector(config) {
        Ok(connector) => Some(Catalog::new(connector)),
        Err(error) => {
            facts.session = Some(Refusal::of(&error));
            None
        }
    };
    Access { facts, catalog, connection: Some(connection) }
}

fn server(connection: &mut Connection, is_replication: bool) -> ServerAccess {
    ServerAccess {
        address: connection.address().into(),
        version: connection.server_version(),
        protection: match (connection.is_tls(), connection.is_verified()) {
            (true, true) => Protected::VerifiedTls,
            (true, false) => Protected::Tls,
            (false, _) if connection.is_known() => Protected::Local,
            (false, _) => Protected::None,
        },
        is_exposed: connection.is_exposed(),
        is_passed_on: connection.is_passed_on().unwrap_or(false),
        walsender: if is_replication { connection.backend_pid().ok() } else { None },
    }
}
