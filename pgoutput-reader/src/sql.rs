//! SQL that queries over both kinds of connections have in common.

pub(crate) mod names;
pub(crate) mod publications;
pub(crate) mod slot;
