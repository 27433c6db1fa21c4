//! SQL that both kinds of connections use.

pub(crate) mod names;
#[cfg_attr(not(feature = "reader"), expect(dead_code, reason = "only the doctor uses it"))]
pub(crate) mod printable;
pub(crate) mod publications;
pub(crate) mod slot;
