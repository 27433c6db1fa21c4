//! How property tests run.

use proptest::test_runner::{Config, FileFailurePersistence};

/// The usual number of cases (`PROPTEST_CASES` for another); what fails is kept beside the test's
/// source, in a file ending in `.regressions`, to be committed and tried first from then on.
pub fn config() -> Config {
    Config {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..Config::default()
    }
}
