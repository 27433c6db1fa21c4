//! SQL that the library, its program, its examples and its tests run chooses nothing from schemas
//! of users.

mod check;
mod hostile;
mod literals;
mod timeouts;
mod type_names;
