//! The server and slot that a reader has started with.

use std::fmt;

use pgoutput_decode::{Lsn, Printable};

use crate::server_version::ServerVersion;

/// The server, database, slot and LSN that a reader has started with, from
/// [`Reader::started`](crate::Reader::started).
///
/// It is displayed on one printable line: `PostgreSQL 18.0 at db:5432, database "app", slot
/// "my_slot", from 0/16B3748`. The reader logs it through the crate `log` at level info.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Started {
    /// The server's version.
    pub server_version: ServerVersion,
    /// The server's address, `host:port` or the path of a socket.
    pub address: String,
    /// Whether the connection is protected by TLS.
    pub tls: bool,
    /// The database.
    pub database: String,
    /// The system identifier of the cluster.
    pub system_identifier: u64,
    /// The timeline of the server.
    pub timeline: u32,
    /// The slot.
    pub slot: String,
    /// Whether the reader created the slot, which then starts at `start_lsn`.
    pub slot_created: bool,
    /// The publications.
    pub publications: Vec<String>,
    /// The LSN after which transactions are read: the requested LSN or the slot's confirmed LSN,
    /// whichever is later.
    pub start_lsn: Lsn,
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PostgreSQL {} at {}, database \"{}\", slot \"{}\", from {}",
            self.server_version,
            Printable(&self.address),
            Printable(&self.database),
            Printable(&self.slot),
            self.start_lsn
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_displayed_on_one_printable_line() {
        let started = Started {
            server_version: "18.0".parse().unwrap(),
            address: "db:5432".into(),
            tls: false,
            database: "a\npp".into(),
            system_identifier: 7,
            timeline: 1,
            slot: "my_slot".into(),
            slot_created: false,
            publications: vec!["p".into()],
            start_lsn: Lsn::new(0x16B_3748),
        };
        assert_eq!(
            started.to_string(),
            "PostgreSQL 18.0 at db:5432, database \"a pp\", slot \"my_slot\", from 0/16B3748"
        );
    }
}
