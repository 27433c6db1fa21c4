//! The facts that findings are made of, as the server reports them.

mod peek;
mod publications;
mod role;
mod server;
mod sessions;
mod slot;
mod tables;
mod timeouts;

use pgoutput_decode::Xid;
use postgres::Row;
use postgres::types::FromSqlOwned;

pub(super) use peek::Peeked;
pub(super) use publications::{Candidates, Publication};
pub(super) use role::Role;
pub(super) use server::Server;
pub(super) use sessions::OpenTransaction;
#[cfg(test)]
pub(super) use slot::{ActiveProcess, SlotSettings};
pub(super) use slot::{Slot, SlotLookup};
pub(super) use tables::{Differing, NotCopied, Tables};
pub(super) use timeouts::{RoleSetting, Scope, Timeouts};

use super::access::{ConnectionFacts, Refusal};
use super::sql::Quoted;
use crate::catalog::Catalog;
use crate::connection::Connection;
use crate::error::Error;

/// SQL: the value of a setting, in its base unit; NULL on a server that does not have it.
macro_rules! setting {
    ($name:literal) => {
        concat!(
            "(SELECT setting.setting FROM pg_catalog.pg_settings AS setting
        WHERE setting.name OPERATOR(pg_catalog.=) '",
            $name,
            "'::pg_catalog.text)"
        )
    };
}
pub(super) use setting;

/// Why nothing is decoded for the sake of a check.
const IDLE: &str = "that would restart idle_replication_slot_timeout";

/// What was asked for, and what is known. A fact that is `None` was not queried, or could not be.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) slot_name: Option<String>,
    pub(super) publication_names: Vec<String>,
    pub(super) connection: ConnectionFacts,
    pub(super) server: Option<Server>,
    pub(super) role: Option<Role>,
    pub(super) timeouts: Option<Timeouts>,
    /// In the order of the names.
    pub(super) publications: Option<Vec<Publication>>,
    /// The names of all publications, if none was asked for.
    pub(super) existing_publications: Option<Vec<String>>,
    pub(super) candidates: Option<Candidates>,
    pub(super) tables: Option<Tables>,
    pub(super) slot: SlotLookup,
    /// What the server finds when it decodes the slot's next changes, by publication.
    pub(super) peeked: Vec<(String, Peeked)>,
    /// Transactions that the creation of a slot would wait for.
    pub(super) open_transactions: Option<Vec<OpenTransaction>>,
    /// What could not be queried, and why.
    pub(super) unknown: Vec<(&'static str, String)>,
}

impl Facts {
    /// The facts of what was asked for, before anything is known.
    pub(super) fn asked(slot: Option<&str>, publications: &[String]) -> Self {
        Self {
            slot_name: slot.map(Into::into),
            publication_names: publications.to_vec(),
            ..Self::default()
        }
    }

    /// Queries everything that the earlier answers make relevant.
    pub(super) fn query(&mut self, catalog: &mut Catalog) {
        let walsender = self.connection.server.as_ref().and_then(|server| server.walsender);
        let server = match server::query(catalog, walsender) {
            Ok(server) => server,
            // The first query opens the connection. Without its answer there will be no other.
            Err(error) => {
                self.connection.session = Some(Refusal::of(&error));
                return;
            }
        };
        let version = server.version;
        self.server = Some(server);
        self.role = self.known("role", role::query(catalog));
        self.timeouts = self.known("timeouts", timeouts::query(catalog));
        if self.publication_names.is_empty() {
            self.existing_publications =
                self.known("publications", publications::existing(catalog));
        } else {
            let found = publications::query(catalog, &self.publication_names);
            self.publications = self.known("publications", found);
            let tables = tables::query(catalog, version, &self.publication_names);
            self.tables = self.known("tables", tables);
        }
        let found = self.publications.iter().flatten();
        if found.clone().any(|publication| publication.tables.is_none_or(|tables| tables == 0)) {
            self.candidates = self.known("tables", publications::candidates(catalog));
        }
        if let Some(name) = &self.slot_name {
            let found = slot::query(catalog, name);
            self.slot = self.known("slot", found).unwrap_or_default();
        }
        if self.slot.found().is_none() {
            self.open_transactions = self.known("transactions", sessions::query(catalog));
        }
    }

    /// Lets the server decode the slot's next changes for publications that may be younger.
    pub(super) fn peek(&mut self, connection: &mut Connection) {
        let (Some(name), SlotLookup::Found(slot)) = (&self.slot_name, &self.slot) else { return };
        let is_refused = self.connection.replication.is_some();
        if is_refused || slot.row.active_pid.is_some() || super::judge::is_unusable(slot) {
            return;
        }
        for publication in self.publications.iter().flatten() {
            if publication.tables.is_some() && !publication.is_older(slot) {
                let peeked = match slot.settings.idle_timeout {
                    // Decoding counts as reading: the slot would be idle only from now on.
                    Some(_) => Peeked::Unknown(IDLE.into()),
                    None => peek::peek(connection, name, &publication.name),
                };
                self.peeked.push((publication.name.clone(), peeked));
            }
        }
    }

    /// Returns the answer, or keeps its error.
    fn known<T>(&mut self, topic: &'static str, answer: Result<T, Error>) -> Option<T> {
        answer.map_err(|error| self.unknown.push((topic, error.to_string()))).ok()
    }
}

/// Returns a column that may be NULL.
fn optional<T: FromSqlOwned>(row: &Row, index: usize) -> Result<Option<T>, Error> {
    row.try_get(index).map_err(Error::sql)
}

/// Returns a column; NULL is the default.
fn column<T: FromSqlOwned + Default>(row: &Row, index: usize) -> Result<T, Error> {
    optional(row, index).map(Option::unwrap_or_default)
}

/// Returns a quoted name; `None` is NULL.
fn quoted(row: &Row, index: usize) -> Result<Option<Quoted>, Error> {
    Ok(optional::<Vec<u8>>(row, index)?.map(|name| Quoted::read(&name)))
}

/// Returns a list of quoted names.
fn quoted_list(row: &Row, index: usize) -> Result<Vec<Quoted>, Error> {
    let names: Vec<Vec<u8>> = column(row, index)?;
    Ok(names.iter().map(|name| Quoted::read(name)).collect())
}

/// Returns a name to show; `None` is NULL.
fn shown(row: &Row, index: usize) -> Result<Option<String>, Error> {
    Ok(optional::<Vec<u8>>(row, index)?.map(|name| crate::sql::names::escaped(&name)))
}

/// Returns a transaction id; `None` is NULL.
fn xid(row: &Row, index: usize) -> Result<Option<Xid>, Error> {
    let number: Option<i64> = optional(row, index)?;
    Ok(number.and_then(|number| u32::try_from(number).ok()).map(Xid::new))
}

/// Returns a number that is never negative.
fn count(row: &Row, index: usize) -> Result<u64, Error> {
    Ok(column::<i64>(row, index)?.max(0).unsigned_abs())
}
