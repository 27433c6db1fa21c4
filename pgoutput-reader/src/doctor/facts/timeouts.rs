//! Timeouts that a server, a database or a role set for sessions.

use super::{column, setting, shown};
use crate::catalog::Catalog;
use crate::error::Error;
use crate::sql::names::{bytes, escaped};

/// The value that applies to a replication connection, in milliseconds.
const WAL_SENDER_TIMEOUT: &str =
    concat!("SELECT ", setting!("wal_sender_timeout"), "::pg_catalog.int8");

/// The settings of this role, of this database, and of both, by falling precedence.
const ROLE_SETTINGS: &str = concat!(
    "SELECT CASE WHEN setting.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid
            THEN CASE WHEN setting.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid
                      THEN 'all' ELSE 'database' END
            ELSE CASE WHEN setting.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid
                      THEN 'role' ELSE 'both' END END, ",
    bytes!("pg_catalog.split_part(one.entry, '='::pg_catalog.text, 1)"),
    ", ",
    bytes!(
        "pg_catalog.substr(one.entry, pg_catalog.strpos(one.entry, '='::pg_catalog.text)
                           OPERATOR(pg_catalog.+) 1)"
    ),
    "
FROM pg_catalog.pg_db_role_setting AS setting
CROSS JOIN LATERAL pg_catalog.unnest(setting.setconfig) AS one (entry)
WHERE setting.setdatabase OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid,
          (SELECT database.oid FROM pg_catalog.pg_database AS database
           WHERE database.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())])
  AND setting.setrole OPERATOR(pg_catalog.=) ANY (ARRAY[0::pg_catalog.oid,
          (SELECT role.oid FROM pg_catalog.pg_roles AS role
           WHERE role.rolname OPERATOR(pg_catalog.=) CURRENT_USER::pg_catalog.name)])
ORDER BY setting.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid,
         setting.setdatabase OPERATOR(pg_catalog.=) 0::pg_catalog.oid"
);

/// The settings whose values matter here.
const TIMEOUTS: [&str; 6] = [
    "wal_sender_timeout",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
];

/// What a setting was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) enum Scope {
    RoleInDatabase,
    Role,
    Database,
    AllRoles,
}

/// A setting of `ALTER ROLE` or `ALTER DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::doctor) struct RoleSetting {
    pub(in crate::doctor) scope: Scope,
    pub(in crate::doctor) name: String,
    /// As it was written: `5s` or `5000`.
    pub(in crate::doctor) value: String,
}

/// Timeouts of the server, the role and the database.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Timeouts {
    /// In milliseconds; 0 is none.
    pub(in crate::doctor) wal_sender_timeout: Option<i64>,
    /// Those of the role and the database, by falling precedence.
    pub(in crate::doctor) settings: Vec<RoleSetting>,
}

pub(super) fn query(catalog: &mut Catalog) -> Result<Timeouts, Error> {
    let rows = catalog.examine(WAL_SENDER_TIMEOUT, vec![])?;
    let wal_sender_timeout = rows.first().map(|row| super::optional(row, 0)).transpose()?.flatten();
    let mut settings = Vec::new();
    for row in &catalog.examine(ROLE_SETTINGS, vec![])? {
        let name = shown(row, 1)?.unwrap_or_default();
        if !TIMEOUTS.contains(&&*name) {
            continue;
        }
        let scope = match &*column::<String>(row, 0)? {
            "both" => Scope::RoleInDatabase,
            "role" => Scope::Role,
            "database" => Scope::Database,
            _ => Scope::AllRoles,
        };
        let value = escaped(&column::<Vec<u8>>(row, 2)?);
        settings.push(RoleSetting { scope, name, value });
    }
    Ok(Timeouts { wal_sender_timeout, settings })
}
