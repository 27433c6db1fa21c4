//! What the library's SQL and that of the program have in common.

#[path = "../../sql/names.rs"]
pub(crate) mod names;
#[path = "../../sql/printable.rs"]
pub(crate) mod printable;
