//! The row of a slot in `pg_replication_slots`.

use std::str::FromStr;

use pgoutput_decode::Lsn;

use super::names::shown;
use crate::error::ProtocolError;

/// SQL: the end of the server's WAL: written on a primary, replayed on a standby.
macro_rules! wal_end {
    () => {
        "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_lsn() END"
    };
}
pub(crate) use wal_end;

/// SQL: a query for a [`SlotRow`], every column as text. `$name` is the slot's name in SQL. Columns
/// that older servers do not have are read as JSON.
macro_rules! slot_row {
    ($name:literal) => {
        concat!(
            "SELECT slot.slot_type, slot.plugin::pg_catalog.text, ",
            $crate::sql::names::hex!("slot.database"),
            ", ",
            $crate::sql::names::hex!("pg_catalog.current_database()"),
            ", slot.confirmed_flush_lsn::pg_catalog.text, slot.restart_lsn::pg_catalog.text,
       (",
            $crate::sql::slot::wal_end!(),
            ")::pg_catalog.text,
       pg_catalog.pg_is_in_recovery()::pg_catalog.text, slot.active_pid::pg_catalog.text,
       (slot.active_pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid())::pg_catalog.text, ",
            $crate::sql::names::hex!(
                "pg_catalog.current_setting('synchronous_standby_names'::pg_catalog.text)"
            ),
            ", ",
            $crate::sql::names::hex!(
                "pg_catalog.current_setting('application_name'::pg_catalog.text)"
            ),
            ",
       later.columns OPERATOR(pg_catalog.->>) 'wal_status'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'safe_wal_size'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'invalidation_reason'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'conflicting'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'failover'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'synced'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'two_phase'::pg_catalog.text
FROM pg_catalog.pg_replication_slots AS slot,
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later
WHERE slot.slot_name OPERATOR(pg_catalog.=) ",
            $name
        )
    };
}
pub(crate) use slot_row;

/// A slot as [`slot_row!`] queries it.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only Reader uses all of it"))]
pub(crate) struct SlotRow {
    pub(crate) slot_type: String,
    pub(crate) plugin: String,
    pub(crate) database: String,
    /// The database of the querying session.
    pub(crate) session_database: String,
    pub(crate) confirmed_flush_lsn: Option<Lsn>,
    pub(crate) restart_lsn: Option<Lsn>,
    pub(crate) wal_end: Option<Lsn>,
    pub(crate) is_standby: bool,
    pub(crate) active_pid: Option<i32>,
    /// Whether another process than that of the session holds the slot.
    pub(crate) is_in_use: bool,
    pub(crate) synchronous_standby_names: String,
    /// The `application_name` of the querying session.
    pub(crate) application_name: String,
    pub(crate) wal_status: Option<String>,
    pub(crate) safe_wal_size: Option<i64>,
    pub(crate) invalidation_reason: Option<String>,
    pub(crate) conflicting: Option<bool>,
    pub(crate) failover: Option<bool>,
    pub(crate) synced: Option<bool>,
    pub(crate) two_phase: Option<bool>,
}

impl SlotRow {
    /// Reads the columns, given by index; `None` is NULL.
    ///
    /// # Errors
    /// A column has an invalid value.
    pub(crate) fn read<'r>(
        column: impl Fn(usize) -> Option<&'r str>,
    ) -> Result<Self, ProtocolError> {
        let text = |index| column(index).map(str::to_owned);
        let name = |index| column(index).map(shown).unwrap_or_default();
        Ok(Self {
            slot_type: text(0).unwrap_or_default(),
            plugin: text(1).unwrap_or_default(),
            database: name(2),
            session_database: name(3),
            confirmed_flush_lsn: parsed(column(4), "confirmed_flush_lsn")?,
            restart_lsn: parsed(column(5), "restart_lsn")?,
            wal_end: parsed(column(6), "wal_end")?,
            is_standby: parsed(column(7), "pg_is_in_recovery")? == Some(true),
            active_pid: parsed(column(8), "active_pid")?,
            is_in_use: parsed(column(9), "active_pid")? == Some(true),
            synchronous_standby_names: name(10),
            application_name: name(11),
            wal_status: text(12),
            safe_wal_size: parsed(column(13), "safe_wal_size")?,
            invalidation_reason: text(14),
            conflicting: parsed(column(15), "conflicting")?,
            failover: parsed(column(16), "failover")?,
            synced: parsed(column(17), "synced")?,
            two_phase: parsed(column(18), "two_phase")?,
        })
    }
}

fn parsed<T: FromStr>(text: Option<&str>, field: &'static str) -> Result<Option<T>, ProtocolError> {
    let wrong = ProtocolError::Answer { command: "pg_replication_slots", field };
    text.map(str::parse).transpose().map_err(|_| wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_and_an_invalid_one_is_named() {
        let mut columns = [None; 19];
        (columns[0], columns[2], columns[4]) = (Some("logical"), Some("636166e9"), Some("0/7"));
        (columns[8], columns[15]) = (Some("12"), Some("true"));
        let slot = SlotRow::read(|index| columns[index]).unwrap();
        assert_eq!((&*slot.slot_type, &*slot.database), ("logical", "caf\\xe9"));
        assert_eq!((slot.confirmed_flush_lsn, slot.restart_lsn), (Some(Lsn::new(7)), None));
        assert_eq!((slot.active_pid, slot.is_in_use), (Some(12), false));
        assert_eq!((slot.conflicting, slot.two_phase), (Some(true), None));
        columns[4] = Some("7");
        let error = SlotRow::read(|index| columns[index]).unwrap_err();
        let field = "confirmed_flush_lsn";
        assert_eq!(error, ProtocolError::Answer { command: "pg_replication_slots", field });
    }
}
