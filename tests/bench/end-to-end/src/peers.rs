//! Other clients, from the package `tests/bench/peers`, which is outside this workspace and need
//! not be built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Problem;
use crate::consumer::Consumer;

/// The command that builds them.
pub(crate) const BUILD: &str = "cd tests/bench/peers && cargo build --release --features libpq";

/// Returns the path of the built program.
fn built() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers/target/release/consume")
}

/// Returns the clients of a program, by default of the one in `tests/bench/peers`. Prints which
/// clients are left out and why.
///
/// # Errors
/// If a given program cannot be run.
pub fn find(program: Option<&Path>) -> Result<Vec<Consumer>, Problem> {
    let path = program.map_or_else(built, Path::to_path_buf);
    if program.is_none() && !path.exists() {
        println!("peers are left out; to include them: {BUILD}");
        return Ok(Vec::new());
    }
    let output = Command::new(&path).arg("list").output();
    let output = output.map_err(|problem| format!("{}: {problem}", path.display()))?;
    if !output.status.success() {
        return Err(format!("{} list: {}", path.display(), output.status).into());
    }
    let (out, names): (Vec<_>, Vec<_>) = std::str::from_utf8(&output.stdout)?
        .lines()
        .partition(|line| line.starts_with("left out:"));
    for line in out {
        println!("{line}");
    }
    let peer = |name: &str| Consumer::Peer { name: name.to_owned(), program: path.clone() };
    Ok(names.into_iter().map(peer).collect())
}
