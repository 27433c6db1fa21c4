//! The text of `--to file:…`.

use std::path::PathBuf;
use std::time::Duration;

use crate::args::{age, size};
use crate::pipe::target::option_name;

/// The destination of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) path: PathBuf,
    /// The size from which on a file is followed by another.
    rotate_size: Option<u64>,
    /// The age for that.
    rotate_time: Option<Duration>,
}

impl Settings {
    /// Reads the text of --to.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("file:").unwrap_or(url);
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        if path.starts_with("//") && !path.starts_with("///") {
            return Err("a file has no host: write file:PATH".into());
        }
        if path.is_empty() || path.ends_with('/') {
            return Err("the name of the file is missing, as in file:/var/lib/app/changes".into());
        }
        let mut settings = Self { path: path.into(), rotate_size: None, rotate_time: None };
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let failed = |error: String| format!("{name}: {error}");
            match name {
                "rotate_size" => {
                    let bytes = size(value).map_err(failed)?;
                    settings.rotate_size = Some(bytes.max(1));
                }
                "rotate_time" => settings.rotate_time = Some(age(value).map_err(failed)?),
                _ => {
                    return Err(format!(
                        "unknown option{}: expected rotate_size or rotate_time",
                        option_name(name)
                    ));
                }
            }
        }
        Ok(settings)
    }

    /// Returns whether there are several files.
    pub(super) fn rotates(&self) -> bool {
        self.rotate_size.is_some() || self.rotate_time.is_some()
    }

    /// Returns whether a file of this length is followed by another. Its first line was written
    /// `since` seconds of Unix time, or 0 if that is not known.
    pub(super) fn is_due(&self, length: u64, since: u64, now: u64) -> bool {
        let age = Duration::from_secs(if since == 0 { 0 } else { now.saturating_sub(since) });
        self.rotate_size.is_some_and(|size| length >= size)
            || self.rotate_time.is_some_and(|time| age >= time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_and_the_options_are_read() {
        let plain = Settings::parse("file:changes").unwrap();
        assert_eq!(plain.path.to_str(), Some("changes"));
        assert!(!plain.rotates() && !plain.is_due(u64::MAX, 1, u64::MAX));
        let rotating = Settings::parse("file:///a/b?rotate_size=1kB&rotate_time=60").unwrap();
        assert_eq!(rotating.path, PathBuf::from("/a/b"));
        assert!(rotating.rotates());
        for (length, since, now, is_due) in [
            (1023, 0, 1000, false),
            (1024, 0, 1000, true),
            (1, 1000, 1059, false),
            (1, 1000, 1060, true),
            (1, 1000, 0, false),
        ] {
            assert_eq!(rotating.is_due(length, since, now), is_due, "{length} {since} {now}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (url, expected) in [
            ("file:", "name of the file"),
            ("file:a/", "name of the file"),
            ("file://host/a", "no host"),
            ("file:a?rotate=1", "unknown option rotate:"),
            ("file:a?rotate_size=x", "rotate_size: expected a size"),
            ("file:a?rotate_time=0", "rotate_time: expected a time"),
        ] {
            let error = Settings::parse(url).unwrap_err();
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
