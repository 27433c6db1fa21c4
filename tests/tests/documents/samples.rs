//! Rust samples, each compiled in a fresh crate that has the dependencies of the last `cargo add`
//! lines above it. Samples that are not marked `no_run` also run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use pgoutput_harness::{Wait, cargo, output_within};
use rustix::fs::{FlockOperation, flock};

use crate::{documents, root};

/// The limit of a build from scratch, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// The entries below `[dependencies]`, as `cargo add` would write them. The crates of this
/// repository are path dependencies.
type Dependencies = String;

struct Sample {
    name: String,
    text: String,
    runs: bool,
}

/// Returns the dependencies that a line adds, if it is a `cargo add`.
fn added(line: &str) -> Option<Dependencies> {
    let mut names = Vec::new();
    let mut settings = String::new();
    let mut words = line.strip_prefix("cargo add ")?.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--features" => {
                let features = words.next().expect("names of features").replace(',', "\", \"");
                write!(settings, ", features = [\"{features}\"]").unwrap();
            }
            "--no-default-features" => settings.push_str(", default-features = false"),
            option if option.starts_with('-') => panic!("{option} is not known here: {line}"),
            name => names.push(name),
        }
    }
    let mut added = String::new();
    for name in names {
        let folder = root().join(name);
        let source = if folder.is_dir() {
            format!("path = \"{}\"", folder.display())
        } else {
            // The lock file decides, so nothing is downloaded.
            "version = \"*\"".to_owned()
        };
        writeln!(added, "{name} = {{ {source}{settings} }}").unwrap();
    }
    Some(added)
}

/// Returns the samples of all documents, by their dependencies.
fn samples() -> BTreeMap<Dependencies, Vec<Sample>> {
    let mut samples: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (path, document) in documents() {
        let mut dependencies = None;
        for block in document.blocks {
            let location = format!("{}:{}", path.display(), block.line);
            match block.info.as_str() {
                "sh" => {
                    let lines: String = block.text.lines().filter_map(added).collect();
                    if !lines.is_empty() {
                        dependencies = Some(lines);
                    }
                }
                "rust" | "rust,no_run" => {
                    let is_hidden = |line: &str| line == "#" || line.starts_with("# ");
                    assert!(!block.text.lines().any(is_hidden), "{location}: a hidden line");
                    let dependencies = dependencies.clone();
                    let dependencies =
                        dependencies.unwrap_or_else(|| panic!("{location}: no `cargo add` above"));
                    let name =
                        location.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
                    let runs = block.info == "rust";
                    let sample = Sample { name, text: block.text, runs };
                    samples.entry(dependencies).or_default().push(sample);
                }
                other => assert!(!other.contains("rust"), "{location}: {other} is not known here"),
            }
        }
    }
    samples
}

/// Creates the crate of samples that share their dependencies.
fn write_crate(folder: &Path, dependencies: &str, samples: &[Sample]) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    let package = folder.file_name().unwrap().to_str().unwrap();
    let manifest = format!(
        "[workspace]\n\n[package]\nname = \"{package}\"\nedition = \"2024\"\n\n\
         [dependencies]\n{dependencies}\n[lints.rust]\nwarnings = \"deny\"\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    for sample in samples {
        let file = folder.join("src/bin").join(&sample.name).with_extension("rs");
        fs::write(file, &sample.text).unwrap();
    }
}

fn run_cargo(folder: &Path, arguments: &[&str]) {
    // The directory of this test's own build, so that hardly anything is built again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = cargo();
    command.args(arguments).args(["--quiet", "--offline", "--target-dir"]).arg(target);
    let output = output_within(command.current_dir(folder), TIMEOUT).unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?} in {}:\n{}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_sample_compiles_with_the_dependencies_given_above_it() {
    let samples = samples();
    let all_crates = Path::new(env!("CARGO_TARGET_TMPDIR")).join("samples");
    fs::create_dir_all(&all_crates).unwrap();
    // Another run of these tests may use the folder.
    let lock = File::create(all_crates.join("lock")).unwrap();
    let wait = Wait::new("another run that builds the samples", TIMEOUT);
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    drop(wait);
    for (number, (dependencies, samples)) in samples.iter().enumerate() {
        let folder = all_crates.join(format!("samples-{number}"));
        write_crate(&folder, dependencies, samples);
        if samples.iter().any(|sample| !sample.runs) {
            run_cargo(&folder, &["check"]);
        }
        for sample in samples.iter().filter(|sample| sample.runs) {
            run_cargo(&folder, &["run", "--bin", &sample.name]);
        }
    }
    let all: Vec<_> = samples.values().flatten().collect();
    let run = all.iter().filter(|sample| sample.runs).count();
    assert!(run >= 2 && all.len() >= 6, "{run} of {} samples run", all.len());
}
