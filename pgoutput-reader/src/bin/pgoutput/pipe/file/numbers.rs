//! The names of the files of one destination.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::position_file::Numbered;

/// Returns the path of the position file.
pub(super) fn position_path(base: &Path) -> PathBuf {
    with_suffix(base, "position")
}

/// Returns the path of an output file: the base itself, or `BASE.000001` and so on.
pub(super) fn output_path(base: &Path, numbered: Option<Numbered>) -> PathBuf {
    match numbered {
        Some(Numbered { number, .. }) => with_suffix(base, &format!("{number:06}")),
        None => base.to_owned(),
    }
}

/// Checks that there is no output file without its position file.
pub(super) fn check_unused(base: &Path, position: &Path) -> Result<(), String> {
    let folder = base.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_output(base, &entry.file_name().to_string_lossy())
            && entry.metadata().is_ok_and(|file| file.is_file() && file.len() > 0)
        {
            return Err(format!(
                "{} is not empty, and {} does not exist: restore that, or name another file",
                entry.path().display(),
                position.display()
            ));
        }
    }
    Ok(())
}

/// Returns whether a file of this name is an output file.
fn is_output(base: &Path, name: &str) -> bool {
    let base = base.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(&*base).is_some_and(|rest| {
        let digits = rest.strip_prefix('.').unwrap_or_default();
        rest.is_empty() || digits.len() >= 6 && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn with_suffix(base: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(base.file_name().unwrap_or_default());
    name.push(format!(".{suffix}"));
    base.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_six_digits_at_least() {
        let base = Path::new("a/changes");
        let path = |number| output_path(base, Some(Numbered { number, since: 0 }));
        assert_eq!(output_path(base, None), base);
        assert_eq!(path(7), Path::new("a/changes.000007"));
        assert_eq!(path(1_234_567), Path::new("a/changes.1234567"));
        assert_eq!(position_path(base), Path::new("a/changes.position"));
        for (name, expected) in [
            ("changes", true),
            ("changes.000001", true),
            ("changes.1234567", true),
            ("changes.1", false),
            ("changes.position", false),
            ("changes000001", false),
            ("other", false),
        ] {
            assert_eq!(is_output(base, name), expected, "{name}");
        }
    }
}
