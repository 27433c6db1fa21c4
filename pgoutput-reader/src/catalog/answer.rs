//! Answers to the needs of the schemas of a stream.

use super::{Catalog, TableRequest};
use crate::error::Error;
use crate::schema::{Facts, Need, Schemas};

impl Catalog {
    /// Answers a need over the SQL connection.
    ///
    /// # Errors
    /// The server's, and those of the connection.
    pub(crate) fn answer(
        &mut self,
        need: &Need,
        schemas: &Schemas,
        publications: &[String],
    ) -> Result<Facts, Error> {
        match need {
            Need::Table { relation, commit_lsn, evicted } => {
                if *evicted {
                    self.list_again();
                }
                let description = self.describe(&TableRequest {
                    relation,
                    stream: schemas.stream_types(),
                    commit_lsn: *commit_lsn,
                    publications,
                    is_described: &|oid| schemas.is_described(oid),
                })?;
                Ok(Facts::Table(description))
            }
            Need::Types { relation } => {
                // In this order: what is committed in between is queried again, not missed.
                let queried_at = self.wal_end()?;
                let types = self.describe_types(relation, schemas.stream_types())?;
                Ok(Facts::Types { queried_at, types })
            }
            Need::MoneyDigits => self.money_digits().map(Facts::MoneyDigits),
            Need::Dropped { tables } => {
                let (tables, answered_at) = self.missing(tables.clone())?;
                Ok(Facts::Dropped { tables, answered_at })
            }
        }
    }
}
