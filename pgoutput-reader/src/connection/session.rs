//! Ordinary sessions beside a replication connection.

use std::time::{Duration, Instant};

use super::Connection;
use super::hosts::first;
use super::open::open_session;
use crate::config::{Config, Endpoint};
use crate::error::{Error, ErrorKind};
use crate::io;

/// The timeout of connecting, without a setting, and of each command that does not wait for locks.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Opens sessions on the server of a connection, without `replication`.
#[derive(Debug, Clone)]
pub(crate) struct SessionOpener {
    config: Config,
    endpoint: Endpoint,
}

impl Connection {
    /// Connects without `replication`, for SQL alone, to the first of the hosts that fits.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub(crate) fn connect_session(config: &Config) -> Result<Self, Error> {
        first(config, |endpoint, target, wanted| {
            let timeout = config.get_connect_timeout();
            let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
            let mut connection = open_session(config, endpoint, target, deadline)?;
            connection.pin(timeout)?;
            connection.wanted(wanted, timeout)
        })
    }

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

    /// Opens a session. Each of its commands has a timeout.
    pub(crate) fn open(&self) -> Result<Connection, Error> {
        let timeout = self.config.get_connect_timeout().unwrap_or(TIMEOUT);
        let mut failed = Vec::new();
        for target in io::targets(&self.endpoint)? {
            let deadline = Instant::now().checked_add(timeout);
            match open_session(&self.config, &self.endpoint, &target, deadline) {
                Ok(mut connection) => {
                    connection.pin(Some(timeout))?;
                    connection.set_command_timeout(Some(TIMEOUT));
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
