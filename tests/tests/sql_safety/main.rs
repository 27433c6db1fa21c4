//! The SQL of the library, its program, its examples and its tests uses nothing from users'
//! schemas.

mod check;
mod hostile;
mod literals;
mod timeouts;
mod type_names;
