//! SQL that both kinds of connections use.

pub(crate) mod names;
pub(crate) mod publications;
pub(crate) mod slot;
