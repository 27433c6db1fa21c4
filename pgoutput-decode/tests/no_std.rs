//! The decoder needs neither std nor alloc, and no path to a panic is left in it: both shown on
//! what the compiler makes of `tests/no-std`, a workspace of its own.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-std")
}

/// Runs cargo on the package.
fn cargo(command: &str, features: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args([command, "--release", "--locked", "--features", features, "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/no-std/Cargo.toml"))
        .arg("--target-dir")
        .arg(target())
        .args(arguments)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap()
}

#[track_caller]
fn build(command: &str, features: &str, arguments: &[&str]) {
    let output = cargo(command, features, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_program_without_std_alloc_or_allocator_decodes_and_exits_with_0() {
    build("build", "", &["--bin", "no-std"]);
    let status = Command::new(target().join("release/no-std")).status().unwrap();
    assert_eq!(status.code(), Some(0), "the step that went wrong");
}

/// The control: with `alloc` anywhere in its tree that program cannot be linked.
#[test]
fn the_same_program_with_alloc_in_its_tree_does_not_link() {
    let output = cargo("build", "control-alloc", &["--bin", "no-std"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("no global memory allocator found"), "{said}");
}

/// The assembly of the probes and of everything they reach, `core` included.
fn assembly(features: &str) -> String {
    let file = target().join(format!("probes-{features}.s"));
    build("rustc", features, &["--lib", "--", &format!("--emit=asm={}", file.display())]);
    let text = fs::read_to_string(file).unwrap();
    // Strings are debug information, which also names what was inlined.
    text.lines().filter(|line| !line.contains(".asciz")).flat_map(|line| [line, "\n"]).collect()
}

/// The Rust functions that the text names.
fn symbols(assembly: &str) -> BTreeSet<&str> {
    assembly
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_.$".contains(c)))
        .filter(|word| word.starts_with("_ZN") || word.starts_with("_R"))
        .collect()
}

#[test]
fn no_path_to_a_panic_is_left_in_the_decoder() {
    let assembly = assembly("");
    // Every probe but the control is there.
    let probes = include_str!("../../tests/no-std/src/probes.rs").matches("pub fn probe_").count();
    let labels: BTreeSet<_> = assembly.lines().filter_map(|line| line.strip_suffix(':')).collect();
    assert_eq!(labels.iter().filter(|label| label.starts_with("probe_")).count(), probes - 1);
    for symbol in symbols(&assembly) {
        assert!(!symbol.contains("panic"), "{symbol} can be reached");
        // Nothing hides elsewhere: what is called is in this text, and was looked through with it.
        assert!(labels.contains(symbol), "{symbol} is called and not here");
    }
}

/// The control: one slice index, and the search finds it.
#[test]
fn an_index_would_be_found() {
    let assembly = assembly("control-panic");
    let found: Vec<_> = symbols(&assembly)
        .into_iter()
        .filter(|symbol| symbol.contains("panic_bounds_check"))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
}
