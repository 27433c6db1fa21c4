//! Cargo, started by a test.

use std::process::Command;

/// The variables that Cargo sets for the programs it runs, by their first letters.
const SET_BY_CARGO: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];

/// Returns a command that runs Cargo as a shell runs it.
///
/// The test runs under Cargo itself, and inherits the variables that describe its own package. Some
/// build scripts run again when those change: every build that the test starts, and the next one
/// from a shell, would compile their crates again.
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let is_set_by_cargo = |text: &str| SET_BY_CARGO.iter().any(|set| text.starts_with(set));
        if name.to_str().is_some_and(is_set_by_cargo) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::cargo;

    #[test]
    fn the_package_of_the_test_is_not_passed_on() {
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "the test does not run under Cargo");
        let command = cargo();
        let removed: Vec<_> = command
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .filter_map(|(name, _)| name.to_str())
            .collect();
        for name in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION_PRE", "CARGO_MANIFEST_DIR"] {
            assert!(removed.contains(&name), "{name}: {removed:?}");
        }
        assert!(!removed.contains(&"CARGO_HOME"));
    }
}
