//! What is looked at before a stream starts, over the replication connection itself.

mod slot;

pub(crate) use slot::SlotStanding;
use std::time::Duration;

use crate::connection::Connection;
use crate::error::SetupError;
use crate::proto::feedback;
use crate::proto::silence::Silence;
use crate::stream::Stream;
use crate::{Error, StartReplication};

impl Connection {
    /// Checks that slot and publications are there and fit, then starts the stream.
    ///
    /// # Errors
    /// A slot that is missing, physical, of another plugin or database, or lost; a publication that is missing; what
    /// [`start_replication`](Self::start_replication) finds.
    pub fn stream(mut self, start: &StartReplication) -> Result<Stream, Error> {
        self.check_slot(&start.slot)?;
        self.slot_standing(&start.slot)?;
        self.check_publications(&start.publications)?;
        let interval = feedback::interval(self.wal_sender_timeout()?);
        let silence = Silence::new(self.silence_limit());
        Stream::new(self.start_replication(start)?, interval, silence)
    }

    /// Whether there is a slot of this name.
    ///
    /// # Errors
    /// What the server or the connection answers.
    pub fn slot_exists(&mut self, name: &str) -> Result<bool, Error> {
        let name = literal(name);
        let query =
            format!("SELECT 1 FROM pg_catalog.pg_replication_slots WHERE slot_name = {name}");
        Ok(!self.rows(&query)?.is_empty())
    }

    fn check_slot(&mut self, slot: &str) -> Result<(), Error> {
        let name = literal(slot);
        let rows = self.rows(&format!(
            "SELECT slot_type, plugin, database, pg_catalog.current_database() \
             FROM pg_catalog.pg_replication_slots WHERE slot_name = {name}"
        ))?;
        let slot = slot.to_owned();
        let Some(row) = rows.first() else { return Err(SetupError::SlotMissing { slot }.into()) };
        let [slot_type, plugin, database, connected] =
            [0, 1, 2, 3].map(|place| row.get(place).cloned().unwrap_or_default());
        if slot_type != "logical" {
            return Err(SetupError::SlotPhysical { slot }.into());
        }
        if plugin != "pgoutput" {
            return Err(SetupError::SlotPlugin { slot, plugin }.into());
        }
        if database != connected {
            return Err(SetupError::SlotDatabase { slot, database, connected }.into());
        }
        Ok(())
    }

    /// PostgreSQL 18 only warns of a missing publication and then sends nothing.
    pub(crate) fn check_publications(&mut self, names: &[String]) -> Result<(), Error> {
        let rows = self.rows(
            "SELECT pubname, pg_catalog.current_database() FROM pg_catalog.pg_publication \
             UNION ALL SELECT NULL, pg_catalog.current_database() ORDER BY 1",
        )?;
        let database = rows.first().and_then(|row| row.get(1)).cloned().unwrap_or_default();
        let existing: Vec<String> = rows
            .into_iter()
            .filter_map(|row| row.into_iter().next())
            .filter(|name| !name.is_empty())
            .collect();
        SetupError::missing(names, &existing, &database).map_or(Ok(()), |error| Err(error.into()))
    }

    /// The server's timeout for this connection; zero is none.
    fn wal_sender_timeout(&mut self) -> Result<Option<Duration>, Error> {
        // In milliseconds, whatever unit SHOW would choose.
        let rows = self
            .rows("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'")?;
        let setting = rows.first().and_then(|row| row.first()).and_then(|text| text.parse().ok());
        Ok(setting.map(Duration::from_millis))
    }

    /// The rows of one statement; NULL is the empty string.
    fn rows(&mut self, query: &str) -> Result<Vec<Vec<String>>, Error> {
        let results = self.simple_query(query)?;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(results
            .iter()
            .flat_map(|result| &result.rows)
            .map(|row| row.values().map(text).collect())
            .collect())
    }
}

/// A text in SQL, whatever `standard_conforming_strings` is set to. A zero byte is refused when the statement is sent.
fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
