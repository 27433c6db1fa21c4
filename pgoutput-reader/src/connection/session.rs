//! Ordinary sessions beside a replication connection.

use std::time::Instant;

use super::Connection;
use super::open::open_session;
use crate::config::{Config, Endpoint};
use crate::error::{Error, ErrorKind};
use crate::io;

/// Opens sessions on the server of a connection, without `replication`.
#[derive(Debug, Clone)]
pub(crate) struct SessionOpener {
    config: Config,
    endpoint: Endpoint,
}

impl Connection {
    /// Returns an opener of sessions on the same server.
    pub(crate) fn session_opener(&self, config: &Config) -> SessionOpener {
        let endpoint = self.protection.address.map(|address| self.endpoint.at(address));
        let endpoint = endpoint.unwrap_or_else(|| self.endpoint.clone());
        SessionOpener { config: config.clone(), endpoint }
    }
}

impl SessionOpener {
    /// The address of the server.
    pub(crate) fn address(&self) -> String {
        self.endpoint.to_string()
    }

    /// Opens a session.
    pub(crate) fn open(&self) -> Result<Connection, Error> {
        let timeout = self.config.get_connect_timeout();
        let mut failed = Vec::new();
        for target in io::targets(&self.endpoint)? {
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            match open_session(&self.config, &self.endpoint, &target, deadline) {
                Ok(mut connection) => {
                    connection.pin(timeout)?;
                    connection.set_client_encoding()?;
                    return Ok(connection);
                }
                Err(error) => failed.push(error),
            }
        }
        Err(match failed.len() {
            1 => failed.remove(0),
            _ => ErrorKind::AllHosts(failed).into(),
        })
    }
}
