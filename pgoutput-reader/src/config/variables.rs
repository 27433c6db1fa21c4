//! Look-ups of environment variables.

use std::ffi::OsString;

/// Looks up a variable. It is an argument so that tests need not change the process's environment.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The environment of this process.
pub(crate) fn process(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
