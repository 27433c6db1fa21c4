//! Relative links.

use std::path::{Component, Path, PathBuf};

use crate::{documents, root};

/// Returns `path` without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => assert!(normal.pop(), "{} leaves the root", path.display()),
            other => normal.push(other),
        }
    }
    normal
}

/// Returns the folder that the files of a package may link into. A published package has no other
/// files.
fn package(path: &Path) -> Option<&Path> {
    ["pgoutput-decode", "pgoutput-reader"].iter().map(Path::new).find(|name| path.starts_with(name))
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let documents = documents();
    let mut checked = 0;
    let mut dead = Vec::new();
    for (path, document) in &documents {
        for (line, link) in &document.links {
            if link.contains("://") {
                continue;
            }
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => normal(&path.parent().unwrap().join(file)),
            };
            let leaves = package(path).is_some_and(|package| !target.starts_with(package));
            let has_anchor = anchor.is_empty()
                || documents.iter().any(|(path, document)| {
                    *path == target && document.anchors.iter().any(|known| known == anchor)
                });
            if leaves || !root().join(&target).exists() || !has_anchor {
                dead.push(format!("{}:{line}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
    assert!(checked > 20, "only {checked} links were found");
}
