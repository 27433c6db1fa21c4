//! The committed files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Capture, reading};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// Returns the names of the captures, sorted: `10/proto1` and so on.
///
/// # Errors
/// If the folder cannot be read.
pub fn file_names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for major in fs::read_dir(folder())? {
        let major = major?;
        if !major.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(major.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "hex")
                && let Some(stem) = path.file_stem()
            {
                let major = major.file_name();
                names.push(format!("{}/{}", major.to_string_lossy(), stem.to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Loads a capture by its name, with its reading.
///
/// # Errors
/// If a file cannot be read, or the capture cannot be parsed.
pub fn load(name: &str) -> io::Result<(Capture, String)> {
    let read = |extension| {
        let path = folder().join(format!("{name}.{extension}"));
        fs::read_to_string(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    let capture = read("hex")?.parse().map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{name}.hex, {error}"))
    })?;
    Ok((capture, read("txt")?))
}

/// Writes a capture and its reading.
///
/// # Errors
/// If they cannot be written.
pub fn store(name: &str, capture: &Capture) -> io::Result<()> {
    let path = folder().join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path.with_extension("hex"), capture.to_string())?;
    fs::write(path.with_extension("txt"), reading(capture))
}
