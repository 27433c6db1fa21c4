//! The SQL session of a command.

use std::error::Error as _;

use pgoutput_reader::ServerVersion;
use postgres::types::ToSql;
use postgres::{Client, Row};

use crate::Failure;
use crate::args::{Server, Verbosity};
use crate::print::failure;
use crate::report::Report;
use crate::sql::names::{hex, shown};

/// A session with an empty `search_path`. Statements have no timeout; each waits for a lock for ten
/// seconds at most.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) version: ServerVersion,
    /// The database of the session.
    pub(crate) database: String,
}

const SERVER: &str = concat!(
    "SELECT pg_catalog.current_setting('server_version_num'::pg_catalog.text)::pg_catalog.int4, ",
    hex!("pg_catalog.current_database()")
);

impl Session {
    /// Connects to the server that the arguments name, and reports it if that was asked for.
    pub(crate) fn open(server: &Server, verbosity: Verbosity) -> Result<Self, Failure> {
        let session = Self::connect(server)?;
        Report::of(verbosity).print_verbose(&format_args!(
            "PostgreSQL {}, database \"{}\"",
            session.version, session.database
        ));
        Ok(session)
    }

    /// Connects without a report.
    pub(crate) fn connect(server: &Server) -> Result<Self, Failure> {
        let mut client = server.config()?.connect_postgres().map_err(|error| failure(&error))?;
        client
            .batch_execute(
                "SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = '10s'",
            )
            .map_err(|error| sql_failure(&error))?;
        let row = client.query_one(SERVER, &[]).map_err(|error| sql_failure(&error))?;
        let version = ServerVersion::new(row.get::<_, i32>(0).unsigned_abs());
        Ok(Self { client, version, database: shown(row.get(1)) })
    }

    /// Returns the rows of a query.
    pub(crate) fn query(
        &mut self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        self.client.query(query, parameters).map_err(|error| sql_failure(&error))
    }

    /// Refuses what an older server does not have.
    pub(crate) fn needs(&self, what: &str, major: u32) -> Result<(), Failure> {
        if self.version.major() >= major {
            return Ok(());
        }
        Err(Failure::Run(format!(
            "{what} needs PostgreSQL {major} or later, and the server is {}",
            self.version
        )))
    }
}

/// Returns the failure of an SQL command, with the server's detail and hint.
pub(crate) fn sql_failure(error: &postgres::Error) -> Failure {
    let Some(server) = error.as_db_error() else {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        return Failure::Run(format!("{error}{cause}"));
    };
    let mut text = format!("{} (SQLSTATE {})", server.message(), server.code().code());
    for more in [server.detail(), server.hint()].into_iter().flatten() {
        text.push_str("; ");
        text.push_str(more);
    }
    Failure::Run(text)
}
