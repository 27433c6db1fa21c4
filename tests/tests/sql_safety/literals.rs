//! The string literals of Rust sources.

use std::fs;
use std::path::{Path, PathBuf};

/// A string literal: its file in the workspace, its first line, and its text without escapes.
pub(crate) struct Literal {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Returns the literals of all Rust files of the workspace except those below these folders.
pub(crate) fn of_workspace(except: &[&str]) -> Vec<Literal> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for folder in except {
        assert!(root.join(folder).is_dir(), "there is no folder {folder}");
    }
    let mut found = Vec::new();
    walk(root, Path::new(""), except, &mut found);
    found
}

/// Hidden folders, and those that cargo builds in, have no sources.
fn walk(root: &Path, folder: &Path, except: &[&str], found: &mut Vec<Literal>) {
    let entries = fs::read_dir(root.join(folder)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        let (path, is_hidden) = (folder.join(&name), name.as_encoded_bytes().starts_with(b"."));
        if root.join(&path).is_dir() {
            let is_left_out = except.iter().any(|except| path == Path::new(except));
            if !(is_hidden || name == "target" || is_left_out) {
                walk(root, &path, except, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(root.join(&path)).unwrap();
            let literals = of(&source).into_iter();
            found.extend(literals.map(|(line, text)| Literal { file: path.clone(), line, text }));
        }
    }
}

/// Returns the literals of a source. The parts of one `concat!` are one literal, because they are
/// one statement.
fn of(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    // The start of the last `concat!(`, and the depth of parentheses.
    let mut concatenated: Option<(usize, usize, String)> = None;
    while let Some(first) = rest.chars().next() {
        let line = || source[..source.len() - rest.len()].matches('\n').count() + 1;
        let (length, text) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("concat!(") && concatenated.is_none() {
            concatenated = Some((line(), 1, String::new()));
            ("concat!(".len(), None)
        } else if let Some((length, text)) = raw(rest).or_else(|| quoted(rest)) {
            (length, Some(text))
        } else {
            (character(rest).unwrap_or(first.len_utf8()), None)
        };
        match (&mut concatenated, text) {
            (Some((.., whole)), Some(text)) => whole.push_str(&text),
            (None, Some(text)) => found.push((line(), text)),
            (Some((_, depth, _)), None) if length == 1 => match first {
                '(' => *depth += 1,
                ')' => *depth -= 1,
                _ => {}
            },
            _ => {}
        }
        if let Some((line, _, whole)) = concatenated.take_if(|(_, depth, _)| *depth == 0) {
            found.push((line, whole));
        }
        rest = &rest[length..];
    }
    found
}

/// Returns the length and the text of a raw string at the front.
fn raw(source: &str) -> Option<(usize, String)> {
    let after = source.strip_prefix("br").or_else(|| source.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let text = after[hashes..].strip_prefix('"')?;
    let end = text.find(&format!("\"{}", "#".repeat(hashes)))?;
    let length = source.len() - text.len() + end + 1 + hashes;
    Some((length, text[..end].to_owned()))
}

/// Returns the length and the text of a string at the front.
fn quoted(source: &str) -> Option<(usize, String)> {
    let mut text = String::new();
    let mut characters = source.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((at + 2, text)),
            '\\' => match characters.next()?.1 {
                '\n' => {
                    let blank = |c: &char| c.is_whitespace();
                    let indent = characters.as_str().chars().take_while(blank).count();
                    characters.by_ref().take(indent).for_each(drop);
                }
                'n' => text.push('\n'),
                't' => text.push('\t'),
                '0' => text.push('\0'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

/// Returns the length of a character literal at the front, which may be a quotation mark.
fn character(source: &str) -> Option<usize> {
    let body = source.strip_prefix('\'')?;
    let end = if let Some(escaped) = body.strip_prefix('\\') {
        2 + escaped.get(1..)?.find('\'')?
    } else {
        body.chars().next()?.len_utf8()
    };
    body[end..].starts_with('\'').then_some(end + 2)
}

#[test]
fn literals_of_every_form_are_found() {
    let source = "let a = \"SELECT 1\"; // \"no\"\nlet b = r#\"a \"b\" c\"#; let c = '\"';\n\
                  let d = \"x\\\n        y\\\"z\"; concat!(\"f(\", g!(\"h\"), \")\"); \
                  '\\'' 'a \"e\"";
    let found: Vec<_> = of(source);
    let expected = [(1, "SELECT 1"), (2, "a \"b\" c"), (3, "xy\"z"), (4, "f(h)"), (4, "e")];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
}
