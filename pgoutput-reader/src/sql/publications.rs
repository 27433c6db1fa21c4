//! Publications in the catalogue.

use super::names::hex;

/// SQL: the publications of these names, an array of `text`, as a table for a `FROM`.
///
/// `*` would leave out the oid before PostgreSQL 12, where it is a hidden column.
macro_rules! publications {
    ($names:literal) => {
        concat!(
            "(SELECT named.oid, named.pubname, named.puballtables, named.pubupdate, named.pubdelete
          FROM pg_catalog.pg_publication AS named
          WHERE named.pubname::pg_catalog.text OPERATOR(pg_catalog.=) ANY (",
            $names,
            "::pg_catalog.text[]))"
        )
    };
}
pub(crate) use publications;

/// The names of all publications, to be read with [`shown`](super::names::shown): for a message
/// that lists them.
pub(crate) const ALL_NAMES: &str =
    concat!("SELECT ", hex!("pubname"), " FROM pg_catalog.pg_publication ORDER BY pubname");
