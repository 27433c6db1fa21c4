//! Creates a slot without reading it.

use super::ReaderBuilder;
use crate::catalog::Catalog;
use crate::connection::{Connection, CreatedSlot};
use crate::error::Error;
use crate::proto::CreateSlot;
use crate::setup::{Needs, SlotWaitOptions};

impl ReaderBuilder {
    /// Creates a slot for a later reader. The creation waits for open transactions: the
    /// [listener](Self::on_slot_wait), the [limit](Self::slot_wait_limit) and the
    /// [stop handle](Self::stop_handle) of this builder apply. Its other settings do not.
    ///
    /// ```no_run
    /// use pgoutput_reader::{CreateSlot, Reader};
    ///
    /// let created = Reader::builder("host=localhost dbname=app")
    ///     .on_slot_wait(|wait| eprintln!("{wait}"))
    ///     .create_slot(&CreateSlot::new("my_slot").two_phase(true))?;
    /// println!("changes after {} can be read", created.consistent_point);
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// A slot of this name exists (SQLSTATE 42710); no slot is free, or `wal_level` is too low; the
    /// server does not support an option. [`Usage`](crate::ErrorKind::Usage) for a slot that is
    /// temporary or has a snapshot, as these end with the connection.
    pub fn create_slot(self, slot: &CreateSlot) -> Result<CreatedSlot, Error> {
        if slot.temporary || slot.exports_snapshot() || slot.uses_snapshot() {
            return Err(Error::usage(
                "a temporary slot or a snapshot would end with the connection that creates it: \
                 use Connection::create_slot",
            ));
        }
        let config = self.config?;
        let wait_options = SlotWaitOptions {
            limit: self.slot_wait_limit,
            listener: self.on_slot_wait.as_ref(),
            stop: self.stop.as_ref().map(|(_, stop)| stop),
        };
        let mut connection = Connection::connect(&config)?;
        let mut catalog = Catalog::new(connection.sql_connector(&config)?);
        let created = connection.create_slot_reporting_waits(slot, &mut catalog, &wait_options);
        let needs = Needs { slot: &slot.name, publications: &[], creates: true };
        let created = created.map_err(|error| connection.with_all_missing(error, &needs))?;
        // The slot exists, whether or not the connection ends in an orderly way.
        let _ = connection.close();
        Ok(created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::error::ErrorKind;
    use crate::proto::SlotSnapshot;

    #[test]
    fn what_would_end_with_the_connection_is_refused() {
        let slot = CreateSlot::new("s");
        for slot in [
            slot.clone().temporary(true),
            slot.clone().snapshot(SlotSnapshot::Export),
            slot.clone().snapshot(SlotSnapshot::Use),
        ] {
            let error = ReaderBuilder::from(Config::new()).create_slot(&slot).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
        }
    }
}
