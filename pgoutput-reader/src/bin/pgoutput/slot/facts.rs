//! What the server reports of its replication slots.

use std::thread;
use std::time::Duration;

use pgoutput_reader::Lsn;
use postgres::Row;
use serde::{Serialize, Serializer};

use crate::Failure;
use crate::session::Session;
use crate::sql::names::{hex, shown};

/// A slot, in the words of `pg_replication_slots`. What the server's version does not have is
/// `None`.
#[derive(Debug, Serialize)]
pub(super) struct SlotFacts {
    pub(super) slot_name: String,
    pub(super) slot_type: String,
    pub(super) plugin: Option<String>,
    pub(super) database: Option<String>,
    pub(super) active: bool,
    pub(super) active_pid: Option<i32>,
    pub(super) temporary: bool,
    pub(super) two_phase: Option<bool>,
    pub(super) failover: Option<bool>,
    pub(super) synced: Option<bool>,
    #[serde(serialize_with = "text")]
    pub(super) confirmed_flush_lsn: Option<Lsn>,
    #[serde(serialize_with = "text")]
    pub(super) restart_lsn: Option<Lsn>,
    /// Bytes of WAL that were written and not confirmed.
    pub(super) lag_bytes: Option<u64>,
    /// Bytes of WAL that the server keeps for it.
    pub(super) retained_bytes: Option<u64>,
    pub(super) wal_status: Option<String>,
    pub(super) safe_wal_size: Option<i64>,
    pub(super) invalidation_reason: Option<String>,
    pub(super) inactive_since: Option<String>,
}

/// The columns of older servers, and those of newer ones as JSON. The last is the end of the WAL.
const SLOTS: &str = concat!(
    "SELECT slot.slot_name::pg_catalog.text, slot.slot_type, slot.plugin::pg_catalog.text, ",
    hex!("slot.database"),
    ", slot.active, slot.active_pid, slot.temporary,
       (later.columns OPERATOR(pg_catalog.->>) 'two_phase'::pg_catalog.text)::pg_catalog.bool,
       (later.columns OPERATOR(pg_catalog.->>) 'failover'::pg_catalog.text)::pg_catalog.bool,
       (later.columns OPERATOR(pg_catalog.->>) 'synced'::pg_catalog.text)::pg_catalog.bool,
       slot.confirmed_flush_lsn::pg_catalog.text, slot.restart_lsn::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'wal_status'::pg_catalog.text,
       (later.columns OPERATOR(pg_catalog.->>) 'safe_wal_size'::pg_catalog.text)::pg_catalog.int8,
       later.columns OPERATOR(pg_catalog.->>) 'invalidation_reason'::pg_catalog.text,
       later.columns OPERATOR(pg_catalog.->>) 'inactive_since'::pg_catalog.text,
       (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_lsn() END)::pg_catalog.text
FROM pg_catalog.pg_replication_slots AS slot,
     LATERAL (SELECT pg_catalog.to_jsonb(slot) AS columns) AS later
WHERE $1::pg_catalog.text IS NULL
   OR slot.slot_name::pg_catalog.text OPERATOR(pg_catalog.=) $1::pg_catalog.text
ORDER BY slot.slot_name::pg_catalog.text USING OPERATOR(pg_catalog.<)"
);

/// The session that reads a slot, as far as this role may see it.
const READER: &str = concat!(
    "SELECT ",
    hex!("activity.usename"),
    ", ",
    hex!("activity.application_name"),
    ", activity.client_addr::pg_catalog.text
FROM pg_catalog.pg_stat_activity AS activity
WHERE activity.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4"
);

impl SlotFacts {
    /// Returns all slots of the server.
    pub(super) fn all(session: &mut Session) -> Result<Vec<Self>, Failure> {
        Ok(session.query(SLOTS, &[&None::<&str>])?.iter().map(Self::read).collect())
    }

    /// Returns a logical slot.
    ///
    /// # Errors
    /// It does not exist, or is physical.
    pub(super) fn logical(session: &mut Session, name: &str) -> Result<Self, Failure> {
        let rows = session.query(SLOTS, &[&Some(name)])?;
        let Some(slot) = rows.first().map(Self::read) else {
            let names: Vec<String> =
                Self::all(session)?.into_iter().map(|slot| slot.slot_name).collect();
            return Err(crate::missing("replication slot", name, &names));
        };
        if slot.slot_type == "logical" {
            return Ok(slot);
        }
        Err(Failure::Run(format!(
            "slot \"{name}\" is physical: a standby or a backup may need it; it is left alone"
        )))
    }

    fn read(row: &Row) -> Self {
        let lsn = |column| row.get::<_, Option<&str>>(column).and_then(|lsn| lsn.parse().ok());
        let text = |column| row.get::<_, Option<String>>(column);
        let (confirmed_flush_lsn, restart_lsn): (Option<Lsn>, Option<Lsn>) = (lsn(10), lsn(11));
        let wal_end = lsn(16);
        let before = |lsn: Option<Lsn>| Some(wal_end?.as_u64().saturating_sub(lsn?.as_u64()));
        Self {
            slot_name: row.get(0),
            slot_type: row.get(1),
            plugin: text(2),
            database: row.get::<_, Option<&str>>(3).map(shown),
            active: row.get(4),
            active_pid: row.get(5),
            temporary: row.get(6),
            two_phase: row.get(7),
            failover: row.get(8),
            synced: row.get(9),
            confirmed_flush_lsn,
            restart_lsn,
            lag_bytes: before(confirmed_flush_lsn),
            retained_bytes: before(restart_lsn),
            wal_status: text(12),
            safe_wal_size: row.get(13),
            invalidation_reason: text(14),
            inactive_since: text(15),
        }
    }

    /// Returns a logical slot that nobody reads. A reader that has just ended may hold it for
    /// another moment.
    ///
    /// # Errors
    /// Those of [`logical`](Self::logical); it is being read, by the session that is named.
    pub(super) fn inactive(session: &mut Session, name: &str) -> Result<Self, Failure> {
        const INTERVAL: Duration = Duration::from_millis(100);
        const RELEASE: u32 = 10;
        let mut slot = Self::logical(session, name)?;
        for _ in 0..RELEASE {
            if slot.active_pid.is_none() {
                return Ok(slot);
            }
            thread::sleep(INTERVAL);
            slot = Self::logical(session, name)?;
        }
        slot.check_inactive(session).map(|()| slot)
    }

    /// Refuses a slot that is being read, and names its reader.
    fn check_inactive(&self, session: &mut Session) -> Result<(), Failure> {
        let Some(pid) = self.active_pid else { return Ok(()) };
        let rows = session.query(READER, &[&pid])?;
        let mut reader = format!("process {pid}");
        if let Some(row) = rows.first() {
            let names = [("user", 0), ("application", 1)].map(|(what, column)| {
                (what, row.get::<_, Option<&str>>(column).map(shown).unwrap_or_default())
            });
            let address = ("client", row.get::<_, Option<String>>(2).unwrap_or_default());
            let known: Vec<String> = names
                .into_iter()
                .chain([address])
                .filter(|(_, value)| !value.is_empty())
                .map(|(what, value)| format!("{what} {value}"))
                .collect();
            if !known.is_empty() {
                reader = format!("{reader} ({})", known.join(", "));
            }
        }
        if self.confirmed_flush_lsn.is_none() {
            return Err(Failure::Run(format!(
                "slot \"{}\" is still being created by {reader}, which waits for open \
                 transactions: wait for it, or end it with \
                 SELECT pg_catalog.pg_cancel_backend({pid})",
                self.slot_name
            )));
        }
        Err(Failure::Run(format!(
            "slot \"{}\" is being read by {reader}: stop that program first, or end its session \
             with SELECT pg_catalog.pg_terminate_backend({pid})",
            self.slot_name
        )))
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn text<S: Serializer>(lsn: &Option<Lsn>, serializer: S) -> Result<S::Ok, S::Error> {
    lsn.map(|lsn| lsn.to_string()).serialize(serializer)
}
