//! Answers to what the schemas of a stream need.

use super::{Catalog, Wanted};
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
                let described = self.describe(&Wanted {
                    relation,
                    said: schemas.stream_types(),
                    commit_lsn: *commit_lsn,
                    publications,
                    is_known: &|oid| schemas.is_described(oid),
                })?;
                Ok(Facts::Table(described))
            }
            Need::Types { relation } => {
                // In this order: what is committed in between is queried again, not missed.
                let asked_at = self.wal_end()?;
                let types = self.describe_types(relation, schemas.stream_types())?;
                Ok(Facts::Types { asked_at, types })
            }
            Need::MoneyDigits => self.money_digits().map(Facts::MoneyDigits),
            Need::Dropped { tables } => {
                let (tables, answered_at) = self.missing(tables.clone())?;
                Ok(Facts::Dropped { tables, answered_at })
            }
        }
    }
}
