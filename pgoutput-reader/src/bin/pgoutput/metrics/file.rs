//! Metrics in a file, as the textfile collector of Prometheus' node_exporter reads it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Shared;
use crate::Failure;

/// The time between two versions of the file.
const INTERVAL: Duration = Duration::from_secs(5);

/// Replaces the file. A reader gets the old content or the new one, never a part.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    // The collector reads only files that end with .prom.
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let written = File::create(&new).and_then(|mut file| file.write_all(text.as_bytes()));
    let replaced = written.and_then(|()| fs::rename(&new, path));
    if replaced.is_err() {
        // It may not even exist.
        let _ = fs::remove_file(&new);
    }
    replaced
}

/// Replaces the file regularly, on a thread. An error is reported once, until it passes.
pub(super) fn write_regularly(shared: &Arc<Shared>, path: PathBuf) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let write = move || {
        let mut has_failed = false;
        loop {
            let replaced = replace(&path, &shared.text());
            if let Err(error) = &replaced
                && !has_failed
            {
                crate::print_line(&message(&path, error));
            }
            has_failed = replaced.is_err();
            thread::sleep(INTERVAL);
        }
    };
    thread::Builder::new().name("pgoutput-metrics-file".into()).spawn(write).map(drop)
}

pub(super) fn message(path: &Path, error: &io::Error) -> String {
    format!("writing metrics to {}: {error}", path.display())
}

/// The failure before the start.
pub(super) fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!(
        "{}; choose a file in a folder that may be written to (--metrics-file)",
        message(path, error)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pgoutput.prom");
        replace(&path, "old").unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(replace(&folder.path().join("none/file"), "").is_err());
        fs::create_dir(folder.path().join("folder")).unwrap();
        assert!(replace(&folder.path().join("folder"), "").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
