//! Tables that are added while the reader runs.

use pgoutput_decode::Oid;

use super::Reader;
use crate::error::{Error, ParseSnapshotTableError, SnapshotError};
use crate::snapshot::SnapshotTable;

impl Reader {
    /// Copies tables that joined the publications after the reader has started.
    ///
    /// This only checks the names. When the stream has reached the current end of the server's WAL,
    /// the events between two transactions are, for each table: one that empties it
    /// ([`Op::Truncate`](crate::Op::Truncate)), since changes of it may have been delivered, and
    /// its rows ([`Op::SnapshotRow`](crate::Op::SnapshotRow)). [`Op::SnapshotEnd`] follows the last
    /// one. Then the stream continues, without the changes that the copy contains.
    ///
    /// Names are read as SQL reads them: `public.orders`, `public."Orders"`. Tables that are
    /// partitioned count as one with `publish_via_partition_root`, and by their partitions
    /// otherwise.
    ///
    /// The copy uses a temporary slot for a moment, and one connection more than
    /// [jobs](crate::Snapshot::jobs). The stream is kept alive meanwhile and not read, so the slot
    /// retains WAL until the copy is complete. If the connection is lost, the copy continues with
    /// the tables that are not finished. A reader that resumes from a position inside of the copy
    /// continues it too; one that resumes from an earlier position, or from the slot alone, needs
    /// this call again.
    ///
    /// If the copy cannot start, the stream continues, and the reader tries again after a delay of
    /// up to a minute: if the role may not read a table, a lock is not granted in time, or the
    /// server has no slot or connection left. Each attempt that fails is logged as a warning. A
    /// table that leaves the publications and joins again while it is copied needs this call again.
    ///
    /// ```no_run
    /// # let mut reader = pgoutput_reader::Reader::builder("").connect()?;
    /// // After ALTER PUBLICATION my_publication ADD TABLE orders
    /// reader.add_tables(["public.orders"])?;
    /// for event in reader {
    ///     println!("{:?}", event?);
    /// }
    /// # Ok::<(), pgoutput_reader::Error>(())
    /// ```
    ///
    /// # Errors
    /// A name is not valid; a table is not published now ([`SnapshotError::NotPublishedNow`]); the
    /// slot sends prepared transactions; the server cannot be queried. None of them finishes the
    /// reader.
    ///
    /// [`Op::SnapshotEnd`]: crate::Op::SnapshotEnd
    pub fn add_tables<T: AsRef<str>>(
        &mut self,
        tables: impl IntoIterator<Item = T>,
    ) -> Result<(), Error> {
        let source = self.events.source.replication()?;
        if source.is_two_phase() {
            return Err(SnapshotError::TWO_PHASE.into());
        }
        let published = source.published_now()?;
        let (mut oids, mut missing): (Vec<Oid>, Vec<String>) = (Vec::new(), Vec::new());
        for text in tables {
            let text = text.as_ref();
            let invalid = |reason| Error::usage(format!("\"{text}\" cannot be added: {reason}"));
            let table: SnapshotTable = text
                .parse()
                .map_err(|error: ParseSnapshotTableError| invalid(error.to_string()))?;
            if table.is_filtered() {
                return Err(invalid("a table is added with all its published rows".into()));
            }
            let (schema, name) = table.key();
            let found =
                published.names.iter().find(|found| found.schema == schema && found.name == name);
            match found {
                Some(name) => oids.push(name.oid),
                None => missing.push(text.into()),
            }
        }
        if !missing.is_empty() {
            let publication = self.started.publications.first().cloned().unwrap_or_default();
            let tables = missing.join(", ");
            return Err(SnapshotError::NotPublishedNow { tables, publication }.into());
        }
        source.add_tables(published.lsn, oids);
        Ok(())
    }
}
