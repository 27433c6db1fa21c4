//! Connections of the `postgres` crate for the program's own SQL.

use std::io;

use postgres::Client;

use super::hosts::first;
use super::open::{ConnectFailure, Start, is_local, open_with_fallback};
use super::protection::Protection;
use super::session_attrs::fits;
use super::sql_connection::SqlConnector;
use crate::config::{Config, Endpoint, TargetSessionAttrs};
use crate::error::{Error, ErrorKind, ServerMessage};
use crate::io::Target;

impl SqlConnector {
    /// Connects if the server has the wanted state.
    fn connect_wanted(&self, wanted: TargetSessionAttrs) -> Result<Client, Error> {
        let mut client = self.connect().map_err(|error| self.as_native(error))?;
        let fits = fits(wanted, |question| {
            let row = client.query_one(question.sql(), &[]).map_err(Error::sql)?;
            Ok::<_, Error>(question.is_yes(row.get(0)))
        })?;
        if fits {
            return Ok(client);
        }
        Err(ErrorKind::SessionAttrs { wanted, address: self.address().to_owned() }.into())
    }

    /// Returns an error of connecting as a replication connection would, with the address and the
    /// advice.
    fn as_native(&self, error: Error) -> Error {
        let ErrorKind::Catalog(sql) = error.kind() else { return error };
        if let Some(server) = sql.db_error() {
            let code = server.code().code();
            let fields = [
                (b'S', Some(server.severity())),
                (b'C', Some(code)),
                (b'M', Some(server.message())),
                (b'D', server.detail()),
                (b'H', server.hint()),
            ];
            let fields =
                fields.into_iter().filter_map(|(code, text)| Some((code, text?.as_bytes())));
            return ServerMessage::new(fields, false).into();
        }
        let Some(cause) = sql.io_error() else { return error };
        let cause = match cause.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(cause.kind(), cause.to_string()),
        };
        Error::io("connecting to", self.address(), cause)
    }
}

impl Config {
    /// Opens an SQL connection with the `postgres` crate and these settings for hosts, TLS and
    /// passwords.
    ///
    /// ```no_run
    /// let config: pgoutput_reader::Config = "host=db.example.com sslmode=verify-full".parse()?;
    /// let mut client = config.connect_postgres()?;
    /// client.batch_execute("CREATE PUBLICATION my_publication FOR TABLE public.my_table")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The session has the `search_path` and the timeouts that the server, the role and
    /// [`options`](Config::options) give it, as in psql. The SQL that this method runs is
    /// qualified. If other users may create objects, qualify names in your SQL too, or begin with
    /// `SET search_path = ''`.
    ///
    /// # Errors
    /// Those of [`Connection::connect`](crate::Connection::connect);
    /// [`Unsupported`](crate::config::ConfigErrorKind::Unsupported) for `require_auth` unless the
    /// server is local or its certificate verified, since the `postgres` crate has no setting for
    /// allowed methods.
    pub fn connect_postgres(&self) -> Result<Client, Error> {
        let client = first(self, |endpoint, target, wanted| {
            open_with_fallback(self, target, |start| {
                Ok(self.sql_connector_by(endpoint, target, start)?.connect_wanted(wanted)?)
            })
        })?;
        log::debug!("connected for SQL");
        Ok(client)
    }

    fn sql_connector_by(
        &self,
        endpoint: &Endpoint,
        target: &Target,
        start: Start,
    ) -> Result<SqlConnector, ConnectFailure> {
        let protection = match start {
            Start::Plain => Protection::default(),
            #[cfg(feature = "tls")]
            Start::Tls => {
                let tls = crate::io::TlsSettings::new(self, endpoint).map_err(Error::from)?;
                Protection { tls: Some(tls), ..Protection::default() }
            }
        };
        let known = is_local(target) || protection.is_verified();
        let exposed = !known && !self.ssl_mode_is_chosen();
        let address = target.ip();
        let protection = Protection { address, known, exposed, ..protection };
        Ok(SqlConnector::new(self, endpoint, &protection)?)
    }
}
