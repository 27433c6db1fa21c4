//! The symbolic links that an npm package cannot contain, restored from its list.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

/// The file in the package's `native` folder that lists the links as
/// `[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"}, …]`: `target` is a link
/// to `source`.
pub(crate) const LIST: &str = "pg-symlinks.json";

/// Creates the links listed in `package/native/pg-symlinks.json`. Existing links are kept.
pub(crate) fn restore(package: &Path) -> io::Result<usize> {
    let text = std::fs::read_to_string(package.join("native").join(LIST))?;
    let list: serde_json::Value = serde_json::from_str(&text)?;
    let list = list.as_array().ok_or_else(|| bad("not a list"))?;
    for entry in list {
        let path = |key| entry.get(key).and_then(|v| v.as_str()).and_then(inside);
        let (source, target) = path("source")
            .zip(path("target"))
            .ok_or_else(|| bad(&format!("no source and target inside the package in {entry}")))?;
        let up = target.components().skip(1).map(|_| Component::ParentDir);
        let leads_to = if source.parent() == target.parent() {
            source.file_name().map(PathBuf::from).ok_or_else(|| bad("empty source"))?
        } else {
            up.chain(source.components()).collect()
        };
        match symlink(&leads_to, package.join(&target)) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
    }
    Ok(list.len())
}

/// Returns the path if it is relative and never leaves the package.
fn inside(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    path.components().all(|c| matches!(c, Component::Normal(_))).then(|| path.to_owned())
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{LIST}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::{LIST, restore};
    use crate::folder::TempFolder;
    use std::fs;

    fn package(list: &str) -> TempFolder {
        let folder = TempFolder::for_tests();
        fs::create_dir_all(folder.path().join("native/lib")).unwrap();
        fs::create_dir_all(folder.path().join("native/bin")).unwrap();
        fs::write(folder.path().join("native/lib/libpq.so.5.18"), "library").unwrap();
        fs::write(folder.path().join("native").join(LIST), list).unwrap();
        folder
    }

    #[test]
    fn links_point_to_their_source() {
        let folder = package(
            r#"[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so"},
                {"source":"native/lib/libpq.so.5.18","target":"native/bin/other"}]"#,
        );
        for _ in 0..2 {
            assert_eq!(restore(folder.path()).unwrap(), 2);
        }
        for link in ["native/lib/libpq.so", "native/bin/other"] {
            let link = folder.path().join(link);
            assert!(fs::read_link(&link).unwrap().is_relative());
            assert_eq!(fs::read_to_string(&link).unwrap(), "library");
        }
    }

    #[test]
    fn links_out_of_the_package_are_rejected() {
        for list in [
            r#"[{"source":"native/lib/x","target":"../x"}]"#,
            r#"[{"source":"/etc/passwd","target":"native/lib/x"}]"#,
            r#"[{"source":"native/lib/x"}]"#,
            r#"{"source":"native/lib/x"}"#,
            "",
        ] {
            let folder = package(list);
            assert!(restore(folder.path()).is_err(), "{list}");
            assert_eq!(fs::read_dir(folder.path().join("native/lib")).unwrap().count(), 1);
        }
    }
}
