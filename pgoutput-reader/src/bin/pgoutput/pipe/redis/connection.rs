//! A connection to the server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo,
    RedisError, RedisResult, ServerError, TlsCertificates, Value,
};

use super::commands::Commands;
use super::error::{self, CONNECTING};
use super::settings::Server;
use crate::pipe::log::LogError;

/// Opens connections.
pub(super) struct Connector {
    client: Client,
    server: Server,
    name: String,
}

impl Connector {
    /// # Errors
    /// A file of certificates cannot be read.
    pub(super) fn new(server: Server) -> Result<Self, String> {
        let (host, port) = (server.host.clone(), server.port);
        let addr = if server.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        // AUTH and SELECT are sent here, for errors that say more.
        let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        let text = |error: RedisError| error.to_string();
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = addr.into_connection_info().map_err(text)?;
        let info = info.set_redis_settings(settings).set_tcp_settings(tcp);
        let client = if server.tls {
            let certificates = certificates(&server)?;
            Client::build_with_tls(info, certificates)
                .map_err(|error| format!("certificates: {error}"))?
        } else {
            Client::open(info).map_err(text)?
        };
        Ok(Self { client, name: server.to_string(), server })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Connects and authenticates.
    pub(super) fn connect(&self) -> Result<Connection, LogError> {
        let connected = self.client.get_connection_with_timeout(self.server.connect_timeout);
        let connection =
            connected.map_err(|error| error::of_connection(&self.name, CONNECTING, &error))?;
        let mut connection = Connection { connection, name: self.name.clone() };
        connection.set_timeout(self.server.connect_timeout)?;
        let (mut commands, mut names) = (Commands::default(), Vec::new());
        if let Some(password) = self.server.password() {
            match &self.server.user {
                Some(user) => commands.add(&["AUTH", user, &password]),
                None => commands.add(&["AUTH", &password]),
            }
            names.push("AUTH".to_owned());
        }
        if self.server.db != 0 {
            commands.add(&["SELECT", &self.server.db.to_string()]);
            names.push(format!("SELECT {}", self.server.db));
        }
        commands.add(&["CLIENT", "SETNAME", "pgoutput"]);
        names.push("CLIENT SETNAME".to_owned());
        let replies = connection.replies(&commands, CONNECTING)?;
        for (index, (reply, command)) in replies.iter().zip(&names).enumerate() {
            // The name is only for CLIENT LIST.
            let is_name = index + 1 == names.len();
            match reply {
                Value::ServerError(error) if !is_name || error.code() == "NOAUTH" => {
                    return Err(self.refused(command, error));
                }
                _ => {}
            }
        }
        connection.set_timeout(self.server.timeout)?;
        Ok(connection)
    }

    fn refused(&self, command: &str, error: &ServerError) -> LogError {
        let detail = error.details().unwrap_or_default();
        let name = &self.name;
        if detail.contains("DB index") {
            return LogError::lasting(format!(
                "{name}: the server has no database {}: give another after the /",
                self.server.db
            ));
        }
        if detail.contains("without any password configured") {
            return LogError::lasting(format!(
                "{name}: a password was given, but the server has none for the default user"
            ));
        }
        error::of_reply(name, command, error)
    }
}

fn certificates(server: &Server) -> Result<TlsCertificates, String> {
    let read = |path: &Path, what: &str| {
        let bytes =
            fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
        let has = |end: &str| {
            let end = end.as_bytes();
            bytes.windows(end.len()).any(|bytes| bytes == end)
        };
        // The file of a key can have its parameters first.
        if has("-----BEGIN ") && has(&format!("{}-----", what.to_uppercase())) {
            Ok(bytes)
        } else {
            Err(format!("there is no {what} in {}, in PEM", path.display()))
        }
    };
    let client_tls = match (&server.client_cert, &server.client_key) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig {
            client_cert: read(cert, "certificate")?,
            client_key: read(key, "private key")?,
        }),
        _ => None,
    };
    let root_cert =
        server.root_cert.as_deref().map(|path| read(path, "certificate")).transpose()?;
    Ok(TlsCertificates { client_tls, root_cert })
}

/// An authenticated connection. It is not used again after an error.
pub(super) struct Connection {
    connection: redis::Connection,
    name: String,
}

impl Connection {
    fn set_timeout(&self, timeout: Duration) -> Result<(), LogError> {
        let read = self.connection.set_read_timeout(Some(timeout));
        let both = read.and_then(|()| self.connection.set_write_timeout(Some(timeout)));
        both.map_err(|error| self.failed(CONNECTING, &error))
    }

    /// Sends commands, and returns their replies, which can be errors.
    pub(super) fn replies(
        &mut self,
        commands: &Commands,
        doing: &str,
    ) -> Result<Vec<Value>, LogError> {
        self.send(commands, doing)?;
        (0..commands.count()).map(|_| self.receive(doing)).collect()
    }

    pub(super) fn send(&mut self, commands: &Commands, doing: &str) -> Result<(), LogError> {
        let sent = self.connection.send_packed_command(commands.bytes());
        sent.map_err(|error| self.failed(doing, &error))
    }

    /// Returns the next reply, which can be an error.
    pub(super) fn receive(&mut self, doing: &str) -> Result<Value, LogError> {
        let reply: RedisResult<Value> = self.connection.recv_response();
        match reply {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failed(doing, &error)),
        }
    }

    fn failed(&self, doing: &str, error: &RedisError) -> LogError {
        error::of_connection(&self.name, doing, error)
    }

    /// Returns the error of a reply to `doing`.
    pub(super) fn refused(&self, doing: &str, error: &ServerError) -> LogError {
        error::of_reply(&self.name, doing, error)
    }

    /// Returns the error of a reply that has another form.
    pub(super) fn unexpected(&self, doing: &str, reply: &Value) -> LogError {
        match reply {
            Value::ServerError(error) => self.refused(doing, error),
            _ => LogError::lasting(format!("{}: {doing}: an unexpected reply", self.name)),
        }
    }
}

/// Returns the text of a reply.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK"),
        _ => None,
    }
}
