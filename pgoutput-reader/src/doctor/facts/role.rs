//! The role of the connection.

use super::{column, quoted};
use crate::catalog::Catalog;
use crate::doctor::sql::Quoted;
use crate::error::Error;
use crate::sql::names::bytes;

const ROLE: &str = concat!(
    "SELECT ",
    bytes!("pg_catalog.quote_ident(role.rolname::pg_catalog.text)"),
    ",
    ",
    bytes!("pg_catalog.quote_ident(pg_catalog.current_database()::pg_catalog.text)"),
    ",
    role.rolsuper, role.rolreplication, role.rolbypassrls
FROM pg_catalog.pg_roles AS role
WHERE role.rolname OPERATOR(pg_catalog.=) CURRENT_USER::pg_catalog.name"
);

/// The role of the connection, and its database.
#[derive(Debug, Clone, Default)]
pub(in crate::doctor) struct Role {
    pub(in crate::doctor) name: Quoted,
    pub(in crate::doctor) database: Quoted,
    pub(in crate::doctor) is_superuser: bool,
    pub(in crate::doctor) has_replication: bool,
    pub(in crate::doctor) bypasses_row_security: bool,
}

pub(super) fn query(catalog: &mut Catalog) -> Result<Role, Error> {
    let rows = catalog.examine(ROLE, vec![])?;
    let Some(row) = rows.first() else { return Ok(Role::default()) };
    Ok(Role {
        name: quoted(row, 0)?.unwrap_or_default(),
        database: quoted(row, 1)?.unwrap_or_default(),
        is_superuser: column(row, 2)?,
        has_replication: column(row, 3)?,
        bypasses_row_security: column(row, 4)?,
    })
}
