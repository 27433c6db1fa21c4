//! The start of a replication stream.

use super::{Publications, ReplicationStream};
use crate::connection::Connection;
use crate::error::Error;
use crate::proto::StartReplication;

impl Connection {
    /// Checks the slot and the publications, then starts the stream.
    ///
    /// # Errors
    /// A slot that is missing, physical, of another plugin or database, or lost; a missing
    /// publication; the errors of [`start_replication`](Self::start_replication).
    pub fn stream(mut self, start: &StartReplication) -> Result<ReplicationStream, Error> {
        self.check_setup(start)?;
        let timing = self.timing()?;
        ReplicationStream::new(self.start_replication(start)?, timing, Publications::of(start))
    }
}
