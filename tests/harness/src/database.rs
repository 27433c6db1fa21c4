//! A database of one test.

use std::io::Write as _;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use crate::connect;
use crate::server::Server;
use crate::wait;

/// An empty database of one test, with names for its slots.
///
/// Dropping it ends its sessions, drops its replication slots, rolls back its prepared transactions
/// and drops it.
///
/// ```
/// for server in pgoutput_harness::servers() {
///     let database = server.database("example");
///     let slot = database.slot_name("changes");
///     let mut client = database.client();
///     let query = "SELECT FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')";
///     client.query_one(query, &[&slot]).unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Database<'s> {
    pub(crate) fn create(
        server: &'s Server,
        hint: &str,
        options: &str,
    ) -> Result<Self, postgres::Error> {
        let name = server.unique(hint);
        wait::stage(format_args!("database {name} of PostgreSQL {}", server.version()));
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 {options}");
        server.try_client()?.batch_execute(&create)?;
        Ok(Self { server, name })
    }

    /// Returns its server.
    pub fn server(&self) -> &'s Server {
        self.server
    }

    /// Returns its name: lower-case letters, digits and underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a connection string (`key=value`) over the Unix socket, as superuser.
    pub fn dsn(&self) -> String {
        self.server.dsn(&self.name)
    }

    /// Returns a connection string (`key=value`) over TCP, as superuser.
    pub fn dsn_tcp(&self) -> String {
        self.server.dsn_tcp(&self.name)
    }

    /// Returns a connection URI over TCP, as superuser.
    pub fn uri(&self) -> String {
        self.server.uri(&self.name)
    }

    /// Connects over the Unix socket, as superuser. A statement may take five minutes, and wait for
    /// a lock for one minute.
    ///
    /// # Panics
    ///
    /// If the connection fails.
    pub fn client(&self) -> Client {
        self.try_client().unwrap_or_else(|e| panic!("{}: {e}", self.dsn()))
    }

    /// Like [`client`](Self::client), but returns the error.
    pub fn try_client(&self) -> Result<Client, postgres::Error> {
        connect::client(&self.dsn())
    }

    /// Returns a new name for a slot. Slots belong to the server, not to a database, so the name is
    /// unique on the server.
    pub fn slot_name(&self, hint: &str) -> String {
        self.server.unique(&format!("{}_{hint}", &self.name[..self.name.len().min(20)]))
    }

    /// Waits until no connection holds the slot. The server needs a moment to notice that a
    /// connection has ended.
    ///
    /// # Panics
    ///
    /// If the slot stays in use, or the connection fails.
    pub fn wait_until_free(&self, slot: &str) {
        let held = "SELECT FROM pg_catalog.pg_replication_slots
            WHERE slot_name OPERATOR(pg_catalog.=) $1 AND active";
        let mut client = self.client();
        wait::eventually("the slot to be free", || {
            client.query_opt(held, &[&slot]).unwrap().is_none().then_some(())
        });
    }

    /// Drops the slots, sessions and prepared transactions, then the database.
    fn remove(&self) -> Result<(), postgres::Error> {
        let name = &self.name;
        let mut client = self.server.try_client()?;
        client.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false"))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut last = self.remove_once(&mut client);
        while let Err(error) = &last {
            // Sessions need a moment to end, and so does a slot that one of them held.
            let passing = [&SqlState::OBJECT_IN_USE, &SqlState::UNDEFINED_OBJECT];
            if !error.code().is_some_and(|code| passing.contains(&code))
                || Instant::now() > deadline
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
            last = self.remove_once(&mut client);
        }
        last
    }

    fn remove_once(&self, client: &mut Client) -> Result<(), postgres::Error> {
        let name = &self.name;
        client.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
             WHERE datname OPERATOR(pg_catalog.=) $1",
            &[name],
        )?;
        client.execute(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name)
             FROM pg_catalog.pg_replication_slots WHERE database OPERATOR(pg_catalog.=) $1",
            &[name],
        )?;
        let prepared = client.query(
            "SELECT gid FROM pg_catalog.pg_prepared_xacts
             WHERE database OPERATOR(pg_catalog.=) $1",
            &[name],
        )?;
        if !prepared.is_empty() {
            client.batch_execute(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"))?;
            let mut inside = self.try_client()?;
            for row in prepared {
                let gid: &str = row.get(0);
                inside
                    .batch_execute(&format!("ROLLBACK PREPARED '{}'", gid.replace('\'', "''")))?;
            }
        }
        client.batch_execute(&format!("DROP DATABASE \"{name}\""))
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // Dropping a stopped server removes its databases.
        if !self.server.is_running() {
            return;
        }
        if let Err(error) = self.remove() {
            let _ = writeln!(
                std::io::stderr(),
                "pgoutput-harness: database {} stays: {error}",
                self.name
            );
        }
    }
}
