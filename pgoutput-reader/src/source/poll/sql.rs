//! The statements of a poll.
//!
//! All run over the simple query protocol, so that nothing of them outlives their transaction: a
//! pooler may give the next one to another session of the server. Results are copied out, which
//! sends them row by row.

use std::fmt::Write as _;

use pgoutput_decode::Lsn;

use crate::proto::pinned_settings;
use crate::proto::quote::{sql_literal, sql_name};
use crate::server_version::ServerVersion;
use crate::sql::slot::wal_end;

/// The statements for one slot on one server.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    slot: String,
    version: ServerVersion,
    is_sql_ascii: bool,
    /// The names and values of the options of pgoutput.
    options: Vec<String>,
}

/// The results that a batch copies out, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The slot's confirmed LSN after it was advanced.
    Advanced,
    /// A number that is of no use.
    Ignored,
    /// The messages.
    Messages,
}

impl Statements {
    pub(super) fn new(
        slot: &str,
        version: ServerVersion,
        is_sql_ascii: bool,
        options: Vec<(&'static str, String)>,
    ) -> Self {
        let options = options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
        Self { slot: slot.into(), version, is_sql_ascii, options: options.collect() }
    }

    /// Starts a transaction with the settings that the text of values depends on, and returns the
    /// columns of [`Facts`](super::facts::Facts).
    pub(super) fn begin(&self) -> String {
        let settings = pinned_settings::config_calls(self.version, self.is_sql_ascii);
        format!(
            concat!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
                 COPY (SELECT slot.confirmed_flush_lsn, (",
                wal_end!(),
                "), pg_catalog.pg_backend_pid(), \
                 (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) \
                  OPERATOR(pg_catalog.*) 1000000::pg_catalog.float8)::pg_catalog.int8, {} \
                 FROM (SELECT {} AS name) AS wanted \
                 LEFT JOIN pg_catalog.pg_replication_slots AS slot \
                 ON slot.slot_name OPERATOR(pg_catalog.=) wanted.name) TO STDOUT"
            ),
            settings,
            sql_name(&self.slot)
        )
    }

    /// Confirms everything before `advance`, reads messages up to the end of the transaction with
    /// which there are `changes` of them, and ends the transaction.
    pub(super) fn batch(&self, advance: Option<Lsn>, changes: Option<i32>) -> (String, Vec<Part>) {
        let slot = sql_name(&self.slot);
        let (mut sql, mut parts) = (String::new(), Vec::new());
        if let Some(lsn) = advance {
            if self.version.major() >= 11 {
                parts.push(Part::Advanced);
                let _ = write!(
                    sql,
                    "COPY (SELECT advanced.end_lsn FROM \
                     pg_catalog.pg_replication_slot_advance({slot}, '{lsn}'::pg_catalog.pg_lsn) \
                     AS advanced) TO STDOUT; "
                );
            } else {
                parts.extend([Part::Ignored, Part::Advanced]);
                let _ = write!(
                    sql,
                    "COPY (SELECT pg_catalog.count(*) FROM \
                     pg_catalog.pg_logical_slot_get_binary_changes({slot}, \
                     '{lsn}'::pg_catalog.pg_lsn, NULL, {})) TO STDOUT; \
                     COPY (SELECT slot.confirmed_flush_lsn \
                     FROM pg_catalog.pg_replication_slots AS slot \
                     WHERE slot.slot_name OPERATOR(pg_catalog.=) {slot}) TO STDOUT; ",
                    self.variadic()
                );
            }
        }
        if let Some(changes) = changes {
            parts.push(Part::Messages);
            let _ = write!(
                sql,
                "COPY (SELECT change.lsn, change.data FROM \
                 pg_catalog.pg_logical_slot_peek_binary_changes({slot}, NULL, {changes}, {}) \
                 AS change) TO STDOUT WITH (FORMAT binary); ",
                self.variadic()
            );
        }
        sql += "COMMIT";
        (sql, parts)
    }

    fn variadic(&self) -> String {
        let options: Vec<String> = self.options.iter().map(|text| sql_literal(text)).collect();
        format!("VARIADIC ARRAY[{}]::pg_catalog.text[]", options.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(version: &str) -> Statements {
        let options = vec![("proto_version", "1".into()), ("publication_names", "\"a'\"".into())];
        Statements::new("s", version.parse().unwrap(), false, options)
    }

    #[test]
    fn names_and_values_are_quoted() {
        let (sql, parts) = statements("15.2").batch(None, Some(7));
        assert_eq!(parts, [Part::Messages]);
        assert!(sql.contains("(E's'::pg_catalog.name, NULL, 7, VARIADIC"), "{sql}");
        assert!(sql.contains("E'publication_names', E'\"a''\"']"), "{sql}");
        assert!(sql.ends_with("COMMIT"), "{sql}");
    }

    #[test]
    fn every_server_advances_in_its_way() {
        let (new, parts) = statements("11.0").batch(Some(Lsn::new(0xA1)), None);
        assert_eq!(parts, [Part::Advanced]);
        assert!(new.contains("pg_replication_slot_advance(E's'::pg_catalog.name, '0/A1'"), "{new}");
        let (old, parts) = statements("10.9").batch(Some(Lsn::new(0xA1)), Some(1));
        assert_eq!(parts, [Part::Ignored, Part::Advanced, Part::Messages]);
        assert!(old.contains("pg_logical_slot_get_binary_changes"), "{old}");
        assert_eq!(statements("11.0").batch(None, None), ("COMMIT".into(), vec![]));
    }
}
