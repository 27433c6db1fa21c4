//! The decoder needs neither std nor alloc and contains no path to a panic. Both are verified on
//! the compiled code of `tests/no-std`, a workspace of its own.
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
    assert_eq!(status.code(), Some(0), "the step that failed");
}

/// The control: with `alloc` in its dependencies the program does not link.
#[test]
fn the_same_program_with_alloc_in_its_tree_does_not_link() {
    let output = cargo("build", "control-alloc", &["--bin", "no-std"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("no global memory allocator found"), "{errors}");
}

/// Returns the assembly of the probes and of everything they reach, including `core`.
fn assembly(features: &str, arguments: &[&str]) -> String {
    let file = target().join(format!("probes-{features}.s"));
    let emit = format!("--emit=asm={}", file.display());
    build("rustc", features, &[arguments, &["--lib", "--", &emit]].concat());
    let text = fs::read_to_string(file).unwrap();
    // Strings are debug information, which also names inlined functions.
    text.lines().filter(|line| !line.contains(".asciz")).flat_map(|line| [line, "\n"]).collect()
}

/// Returns the Rust functions named in the text.
fn symbols(assembly: &str) -> BTreeSet<&str> {
    assembly
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_.$".contains(c)))
        .filter(|word| word.starts_with("_ZN") || word.starts_with("_R"))
        .collect()
}

/// Returns whether a symbol is a function of `core` that panics. The compiler merges identical ones
/// under one name.
fn never_returns(symbol: &str) -> bool {
    ["panic", "unwrap_failed", "expect_failed", "slice_index_fail"]
        .iter()
        .any(|name| symbol.contains(name))
}

#[test]
fn no_path_to_a_panic_is_left_in_the_decoder() {
    let assembly = assembly("", &[]);
    // All probes are there, except the control.
    let probes = include_str!("../../tests/no-std/src/probes.rs").matches("pub fn probe_").count();
    let labels: BTreeSet<_> = assembly.lines().filter_map(|line| line.strip_suffix(':')).collect();
    assert_eq!(labels.iter().filter(|label| label.starts_with("probe_")).count(), probes - 1);
    for symbol in symbols(&assembly) {
        assert!(!never_returns(symbol), "{symbol} can be reached");
        // Every called function is in this text, and was therefore searched as well.
        assert!(labels.contains(symbol), "{symbol} is called but is not in the assembly");
    }
}

/// The control: with one slice index, the search finds a panic.
#[test]
fn the_search_finds_the_panic_of_an_index() {
    let assembly = assembly("control-panic", &[]);
    let found: Vec<_> = symbols(&assembly)
        .into_iter()
        .filter(|symbol| symbol.contains("panic_bounds_check"))
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
}

/// The parts of `core` with paths to a panic that the optimiser cannot rule out, and why values
/// need them. Nothing else that reads or writes a value may have one.
const CORE_PANICS: [(&str, &str); 7] = [
    ("3num7dec2flt", "digits to the nearest float"),
    ("3num7flt2dec", "a float to its shortest digits"),
    ("3num6bignum", "the long numbers of both conversions"),
    ("3fmt5float", "the same, in scientific form"),
    ("3net6parser", "IPv4 and IPv6 addresses from text"),
    ("3net7ip_addr", "and to text"),
    ("5value7network4Inet9read_text", "inlined parts of the address parser"),
];

/// Builds without overflow checks, the default of optimised builds, in which arithmetic wraps.
/// Fuzzing and all other tests run with them.
#[test]
fn no_path_to_a_panic_is_left_in_values_except_those_of_core() {
    let plain = ["--config", "profile.release.overflow-checks=false"];
    let assembly = assembly("values", &plain);
    let probes = include_str!("../../tests/no-std/src/values.rs");
    let probes = probes.matches("probe_get_").count() + probes.matches("pub fn probe_").count();
    let mut function = "";
    let (mut found, mut listed) = (0, BTreeSet::new());
    for line in assembly.lines() {
        if let Some(label) = line.strip_suffix(':').filter(|label| !label.starts_with('.')) {
            function = label;
            found += usize::from(label.starts_with("probe_"));
        }
        if never_returns(function) || !symbols(line).into_iter().any(never_returns) {
            continue;
        }
        let known = CORE_PANICS.iter().position(|(name, _)| function.contains(name));
        let directive = line.trim_start().starts_with('.');
        assert!(directive || known.is_some(), "{function} can panic: {line}");
        listed.extend(known);
    }
    assert!(found > probes, "found {found} probes, of which {probes} are for values");
    assert_eq!(listed.len(), CORE_PANICS.len(), "found of the list: {listed:?}");
}
