//! Reports of tests that do not run, which the test runner counts as passed.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::process::getpgrp;

use crate::folder;

/// The file below the target folder that lists the tests skipped in the last run.
const FILE: &str = "skipped-tests.txt";

/// The variable that names another file.
const FILE_VARIABLE: &str = "PGOUTPUT_TEST_SKIPPED";

/// Reports that the current test, or a part of it, does not run, and why. The caller returns after
/// that.
///
/// A line on standard error reports it, past the test runner's capture, and so does a line of
/// `skipped-tests.txt` in the target folder. The first line of this file names the process group
/// whose tests it lists: each `cargo test` that a terminal starts has its own, and starts the file
/// again. `PGOUTPUT_TEST_SKIPPED` names another file.
///
/// ```
/// if cfg!(windows) {
///     return pgoutput_harness::skip("Unix sockets are needed");
/// }
/// ```
pub fn skip(reason: impl Display) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    skip_named(&test, &reason);
}

pub(crate) fn skip_named(test: &str, reason: &dyn Display) {
    static REPORTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("skipped: {test}: {}\n", reason.to_string().trim().replace('\n', " "));
    // Once for each test, regardless of its threads and servers.
    if REPORTED.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
        let _ = io::stderr().write_all(line.as_bytes());
        let named = std::env::var_os(FILE_VARIABLE).map(PathBuf::from);
        let file = named.or_else(|| folder::target().map(|target| target.join(FILE)));
        if let Some(error) = file.and_then(|file| append(&file, &line).err()) {
            let _ = writeln!(io::stderr(), "pgoutput-harness: {FILE} is incomplete: {error}");
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let run = format!("# process group {}\n", getpgrp().as_raw_nonzero());
    let mut file =
        File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if !text.starts_with(&run) {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(run.as_bytes())?;
    } else if text.split_inclusive('\n').any(|old| old == line) {
        return Ok(());
    }
    file.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::append;
    use crate::folder::TempFolder;
    use std::fs;

    #[test]
    fn the_list_contains_only_the_current_run() {
        let folder = TempFolder::for_tests();
        let path = folder.path().join("list");
        fs::write(&path, "# process group 0\nskipped: old: reason\n").unwrap();
        for line in ["skipped: a: b\n", "skipped: c: d\n", "skipped: a: b\n"] {
            append(&path, line).unwrap();
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines, ["skipped: a: b", "skipped: c: d"]);
    }
}
