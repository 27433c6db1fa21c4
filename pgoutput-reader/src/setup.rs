//! Checks before a stream starts, over the replication connection itself.

#[cfg(feature = "reader")]
mod create_slot;
mod missing_setup;
#[cfg(feature = "reader")]
mod ready;
mod slot;

use std::time::{Duration, Instant};

#[cfg(feature = "reader")]
pub use create_slot::SlotWait;
#[cfg(feature = "reader")]
pub(crate) use create_slot::{OnSlotWait, SlotWaitOptions};
#[cfg(feature = "reader")]
pub(crate) use missing_setup::Needs;
#[cfg(feature = "reader")]
pub(crate) use slot::SlotFacts;

use crate::connection::Connection;
use crate::error::{Error, SetupError};
use crate::proto::liveness::{Liveness, UpdateTiming};
use crate::proto::quote::sql_literal;
use crate::proto::{StartReplication, feedback};
use crate::sql::names::{hex, shown};
use crate::sql::publications::{self, publications};

impl Connection {
    /// Checks that the slot and the publications exist and can be read.
    ///
    /// # Errors
    /// All missing prerequisites.
    pub(crate) fn check_setup(&mut self, start: &StartReplication) -> Result<(), Error> {
        if let Err(error) = self.check_slot(&start.slot) {
            let needs = missing_setup::Needs {
                slot: &start.slot,
                publications: &start.publications,
                creates: false,
            };
            return Err(self.with_all_missing(error, &needs));
        }
        self.check_publications(&start.publications)
    }

    /// Returns the interval of status updates that the server expects, and the limit of its
    /// silence.
    pub(crate) fn timing(&mut self) -> Result<UpdateTiming, Error> {
        Ok(UpdateTiming {
            interval: feedback::interval(self.wal_sender_timeout()?),
            silence: Liveness::new(self.silence_limit(), Instant::now()),
        })
    }

    /// PostgreSQL 18 only warns of a missing publication and then sends nothing.
    pub(crate) fn check_publications(&mut self, names: &[String]) -> Result<(), Error> {
        let literals: Vec<String> = names.iter().map(|name| sql_literal(name)).collect();
        let found = self.column(&format!(
            concat!(
                "SELECT publication.pubname FROM ",
                publications!("ARRAY[{}]"),
                " AS publication"
            ),
            literals.join(", ")
        ))?;
        if names.iter().all(|name| found.contains(name)) {
            return Ok(());
        }
        // The names of other publications are only displayed, so they must not stop a reader.
        let existing = self.column(publications::ALL_NAMES)?;
        let existing: Vec<String> = existing.iter().map(|hex| shown(hex)).collect();
        let database = self.column(concat!("SELECT ", hex!("pg_catalog.current_database()")))?;
        let database = database.first().map(|hex| shown(hex)).unwrap_or_default();
        Err(SetupError::missing(names, &found, existing, &database).into())
    }

    /// Returns the first column of a statement's rows.
    fn column(&mut self, query: &str) -> Result<Vec<String>, Error> {
        Ok(self.rows(query)?.into_iter().filter_map(|row| row.into_iter().next()).collect())
    }

    /// Returns the names of publications, a hundred at most, for a message.
    #[cfg(feature = "reader")]
    pub(crate) fn publications(&mut self) -> Result<Vec<String>, Error> {
        let existing = self.column(publications::ALL_NAMES)?;
        Ok(existing.iter().take(100).map(|hex| shown(hex)).collect())
    }

    /// Returns the server's timeout for this connection; zero is no limit.
    fn wal_sender_timeout(&mut self) -> Result<Option<Duration>, Error> {
        // In milliseconds, regardless of the unit that SHOW would choose.
        let rows = self.rows(
            "SELECT setting FROM pg_catalog.pg_settings \
             WHERE name OPERATOR(pg_catalog.=) 'wal_sender_timeout'::pg_catalog.text",
        )?;
        let setting = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        Ok(setting.map(Duration::from_millis))
    }

    /// Returns the rows of one statement; NULL is the empty string.
    fn rows(&mut self, query: &str) -> Result<Vec<Vec<String>>, Error> {
        let results = self.with_short_timeout(|connection| connection.simple_query(query))?;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(results
            .iter()
            .flat_map(|result| &result.rows)
            .map(|row| row.values().map(text).collect())
            .collect())
    }
}

/// Returns the first value of rows that are one value.
fn rows_of_one(rows: Vec<Vec<String>>) -> Option<String> {
    rows.into_iter().next()?.into_iter().next()
}
