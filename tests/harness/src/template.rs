//! Data folders that `initdb` creates once, and their copies.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::account::Account;
use crate::child::output_within;
use crate::error::Error;
use crate::folder::{self, TempFolder};
use crate::install::Install;

/// The time limit of `initdb` and of copying a data folder, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(300);

/// Creates a new data folder at `data`, in a folder that the server's account owns.
///
/// Everything that determines the contents of the kept copy is part of its name.
pub(crate) fn data_folder(
    data: &Path,
    install: &Install,
    account: Option<&Account>,
    arguments: &[String],
) -> Result<(), Error> {
    let user = account
        .map_or_else(|| rustix::process::geteuid().as_raw().to_string(), |a| a.name().into());
    // Two builds of one version may be configured differently.
    let program = install.bin().join("postgres");
    let size = fs::metadata(&program).map_err(|e| Error::io("look at", &program, e))?.len();
    let mut parts = vec![size.to_string(), user];
    parts.extend_from_slice(arguments);
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let parent = folder::cache().join("data");
    let kept = parent.join(format!("{}-{}", install.version(), key(&parts)));
    if kept.is_dir() && copy_tree(&kept, data).is_ok() {
        return Ok(());
    }
    // A failed copy may have left a part.
    let _ = fs::remove_dir_all(data);
    initdb(data, install, account, arguments)?;
    // Without a template the next start is only slower.
    let _ = store(data, &parent, &kept);
    Ok(())
}

fn initdb(
    data: &Path,
    install: &Install,
    account: Option<&Account>,
    arguments: &[String],
) -> Result<(), Error> {
    let mut command = install.command("initdb");
    command
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .args(arguments)
        .arg("--pgdata")
        .arg(data)
        .current_dir("/");
    if let Some(account) = account {
        account.apply(&mut command);
    }
    run(command).map(drop)
}

fn store(data: &Path, parent: &Path, kept: &Path) -> Result<(), Error> {
    fs::create_dir_all(parent).map_err(|e| Error::io("create", parent, e))?;
    let new = TempFolder::below(parent, ".new-")?;
    let inner = new.path().join("data");
    copy_tree(data, &inner)?;
    fs::rename(&inner, kept).map_err(|e| Error::io("put in place", kept, e))
}

/// Returns a short name for the parts. It is the same in every process of one build, which suffices
/// for a cache.
pub(crate) fn key(parts: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Copies a tree with its owners, modes and links, and shares the blocks if the file system can.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<(), Error> {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    run(command).map(drop)
}

/// Runs a program to its end and returns its standard output.
pub(crate) fn run(command: Command) -> Result<String, Error> {
    run_within(command, LIMIT)
}

/// Runs a program with a limit of its own.
pub(crate) fn run_within(mut command: Command, limit: Duration) -> Result<String, Error> {
    let program = Path::new(command.get_program()).to_owned();
    let output = output_within(&mut command, limit).map_err(|e| Error::io("run", &program, e))?;
    if !output.status.success() {
        let mut shown = program.display().to_string();
        if let Some(argument) = command.get_args().next() {
            shown = format!("{shown} {}", argument.to_string_lossy());
        }
        let text = [output.stdout, output.stderr].concat();
        return Err(Error::Program {
            program: shown,
            status: output.status.to_string(),
            output: tail(&String::from_utf8_lossy(&text), 10),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the last `lines` lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
