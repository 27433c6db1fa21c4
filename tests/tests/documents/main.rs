//! The Markdown files: their samples compile as a reader copies them, and no link is dead.

mod links;
mod markdown;
mod samples;

use std::fs;
use std::path::{Path, PathBuf};

use markdown::Document;

/// Returns the root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns every Markdown file of the repository, with its path from the root.
fn documents() -> Vec<(PathBuf, Document)> {
    let mut paths = Vec::new();
    collect(root(), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let document = Document::parse(&fs::read_to_string(&path).unwrap());
        (path.strip_prefix(root()).unwrap().to_owned(), document)
    };
    let documents: Vec<_> = paths.into_iter().map(read).collect();
    for name in ["README.md", "pgoutput-decode/README.md", "pgoutput-reader/README.md"] {
        assert!(documents.iter().any(|(path, _)| path == Path::new(name)), "{name} is missing");
    }
    documents
}

/// Adds the Markdown files below `folder`, except those that tools have created.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let name = name.to_str().unwrap();
        let is_folder = entry.file_type().unwrap().is_dir();
        if is_folder && !name.starts_with('.') && !["target", "corpus", "artifacts"].contains(&name)
        {
            collect(&entry.path(), paths);
        } else if !is_folder && entry.path().extension() == Some("md".as_ref()) {
            paths.push(entry.path());
        }
    }
}

#[test]
fn the_readme_has_at_most_150_lines() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
}
