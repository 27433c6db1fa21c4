//! Programs that look like a server's, for tests of the search.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::child::output;

/// Creates a `bin` folder whose `postgres` reports this version.
pub(crate) fn server(bin: &Path, version: &str) {
    program(&bin.join("postgres"), &format!("echo 'postgres (PostgreSQL) {version}'"));
    program(&bin.join("initdb"), "true");
}

/// Creates a shell script.
pub(crate) fn program(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Another process writes it. If it were open for writing here while another test forks, it
    // could not be run.
    let write = r#"printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1""#;
    let output = output(Command::new("sh").args(["-c", write, "sh"]).arg(path).arg(script));
    assert!(output.status.success());
}
