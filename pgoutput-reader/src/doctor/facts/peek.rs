//! Whether a publication exists at the position of the slot, by decoding what follows.

use std::time::Duration;

use crate::connection::Connection;
use crate::proto::quote::{identifier_list, sql_literal, sql_name};

/// The time for which the server decodes at most.
const LIMIT: &str = "SET statement_timeout TO '2s'";
const NO_LIMIT: &str = "SET statement_timeout TO '0'";

/// The maximum wait for the answer.
const WAIT: Duration = Duration::from_secs(10);

/// What decoding the slot's next changes for a publication has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) enum Peeked {
    /// The publication exists at every change.
    Fine,
    /// The publication did not exist at a change.
    Missing,
    /// The server could not decode the changes, for this reason.
    Unknown(String),
}

/// Decodes up to ten thousand published changes. The slot remains as it is.
pub(super) fn peek(connection: &mut Connection, slot: &str, publication: &str) -> Peeked {
    let names = match identifier_list(&[publication.to_owned()]) {
        Ok(names) => names,
        Err(error) => return Peeked::Unknown(error.to_string()),
    };
    let query = format!(
        "SELECT pg_catalog.count(*) FROM pg_catalog.pg_logical_slot_peek_binary_changes(\
         {}, NULL::pg_catalog.pg_lsn, 10000, VARIADIC ARRAY['proto_version', '1', \
         'publication_names', {}]::pg_catalog.text[])",
        sql_name(slot),
        sql_literal(&names)
    );
    connection.take_notices();
    let answer = connection.with_timeout(Some(WAIT), |connection| {
        connection.simple_query(LIMIT)?;
        let answer = connection.simple_query(&query);
        connection.simple_query(NO_LIMIT)?;
        answer
    });
    // From 18 on the server only warns.
    let warnings = connection.take_notices();
    if warnings.iter().any(|warning| warning.routine() == Some("LoadPublications")) {
        return Peeked::Missing;
    }
    match answer {
        Ok(_) => Peeked::Fine,
        Err(error) if error.sqlstate() == Some("42704") => Peeked::Missing,
        Err(error) => Peeked::Unknown(error.to_string()),
    }
}
