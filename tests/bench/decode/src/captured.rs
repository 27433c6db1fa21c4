//! The committed captures.

use std::path::Path;
use std::{fs, io};

use crate::Input;

/// Returns all captures of a major in sequence, each decoded from its own initial state.
///
/// # Errors
/// If a file cannot be read or is invalid.
pub fn captured(major: u32) -> io::Result<Input> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../captures").join(major.to_string());
    let mut files: Vec<_> =
        fs::read_dir(folder)?.map(|file| file.map(|file| file.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut input = Input::new(format!("captures of {major}"));
    for file in files.iter().filter(|file| file.extension().is_some_and(|hex| hex == "hex")) {
        let mut in_stream = false;
        for line in fs::read_to_string(file)?.lines() {
            let data = line.split('#').next().unwrap_or_default();
            let Some((_, hex)) = data.trim().split_once(' ') else { continue };
            let frame = parse(hex).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{}: {line}", file.display()))
            })?;
            input.push(&frame, in_stream && frame.first() != Some(&b'S'));
            match frame.first() {
                Some(b'S') => in_stream = true,
                Some(b'E') => in_stream = false,
                _ => {}
            }
        }
    }
    Ok(input)
}

fn parse(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
