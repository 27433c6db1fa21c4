//! The configuration of property tests.

use proptest::test_runner::{Config, FileFailurePersistence};

/// Returns the configuration with the usual number of cases (`PROPTEST_CASES` changes it). Failures
/// are stored next to the test's source in a file that ends in `.regressions`. Commit it: later
/// runs try these inputs first.
pub fn config() -> Config {
    Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}
