//! An output file and the file that keeps its position: together they have each change exactly
//! once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use pgoutput_reader::Position;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde_json::{Value, json};

/// The file that keeps how much of the output file is complete, and the position there.
#[derive(Debug)]
pub(crate) struct PositionFile {
    path: PathBuf,
    /// The file itself, locked so that no other process stores its positions there.
    file: File,
}

/// What the file keeps.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The length of the output file up to which it is complete.
    pub(crate) length: u64,
    /// The position of the last change before that; `None` before the first.
    pub(crate) position: Option<Position>,
    /// Whether an initial copy was started that has no position yet.
    copies: bool,
    /// The output file, if it is one of several.
    pub(crate) numbered: Option<Numbered>,
}

/// One of several output files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered {
    /// The number in its name, from 1.
    pub(crate) number: u32,
    /// The time of its first line in seconds of Unix time; 0 without one.
    pub(crate) since: u64,
}

impl PositionFile {
    /// Opens the output file and cuts it to what is complete. The first time, both files are
    /// created. `copies` is whether an initial copy comes first.
    pub(crate) fn open(
        output: &Path,
        path: &Path,
        copies: bool,
    ) -> Result<(Self, File, Stored), String> {
        Self::open_numbered(output, path, copies, None)
    }

    /// Like [`open`](Self::open), with an output file that is one of several.
    pub(crate) fn open_numbered(
        output: &Path,
        path: &Path,
        copies: bool,
        numbered: Option<Numbered>,
    ) -> Result<(Self, File, Stored), String> {
        let failed = |path: &Path, error: &io::Error| format!("{}: {error}", path.display());
        if output == path || output == new_path(path) {
            return Err(format!("{}: the two files must be different", output.display()));
        }
        if fs::metadata(output).is_ok_and(|output| !output.is_file()) {
            return Err(format!("{}: the output must be a regular file", output.display()));
        }
        // Before anything is changed: another process may be writing to it.
        let out = open_output(output)?;
        let length = out.metadata().map_err(|error| failed(output, &error))?.len();
        let (file, stored) = match File::open(path) {
            Ok(mut file) => {
                lock(&file, path)?;
                // Another process may have replaced it before it ended.
                if !is_at(&file, path).map_err(|error| failed(path, &error))? {
                    return Err(format!("{}: another process wrote to it", path.display()));
                }
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(|error| failed(path, &error))?;
                let stored = Stored::read(&text).ok_or_else(|| {
                    let path = path.display();
                    format!("{path} is not a position file: restore it, or remove both files")
                })?;
                (file, stored)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && length == 0 => {
                let first = Stored { length: 0, position: None, copies, numbered };
                (replace(path, &first).map_err(|error| failed(path, &error))?, first)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!(
                    "{} is not empty, and {} does not exist: restore that, or name another output \
                     file",
                    output.display(),
                    path.display()
                ));
            }
            Err(error) => return Err(failed(path, &error)),
        };
        if stored.numbered.map(|file| file.number) != numbered.map(|file| file.number) {
            return Err(format!("{} is of another output file", path.display()));
        }
        if length < stored.length {
            return Err(format!(
                "{} has {length} bytes, and {} says {}: restore the output file, or remove both",
                output.display(),
                path.display(),
                stored.length
            ));
        }
        // Its slot would count as read, and the rows would never be copied.
        if stored.copies && !copies {
            return Err(format!(
                "{}: the initial copy was interrupted: start again with --snapshot initial, or \
                 remove both files and the slot",
                path.display()
            ));
        }
        out.set_len(stored.length).map_err(|error| failed(output, &error))?;
        Ok((Self { path: path.to_owned(), file }, out, stored))
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces what is kept. After a crash the file has the old content or the new one.
    pub(crate) fn store(&mut self, stored: &Stored) -> io::Result<()> {
        self.file = replace(&self.path, stored)?;
        Ok(())
    }
}

/// Opens or creates an output file, and locks it.
pub(crate) fn open_output(path: &Path) -> Result<File, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    lock(&file, path)?;
    sync_folder(path).map_err(failed)?;
    Ok(file)
}

/// Replaces a position file by a new one, which is locked before it has the name.
fn replace(path: &Path, stored: &Stored) -> io::Result<File> {
    let new = new_path(path);
    let mut file = File::create(&new)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    file.write_all(stored.to_text().as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder(path)?;
    Ok(file)
}

/// The path of a new position file while it is written.
fn new_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Returns whether this file has the path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (file, named) = (file.metadata()?, fs::metadata(path)?);
    Ok((file.dev(), file.ino()) == (named.dev(), named.ino()))
}

/// Locks a file until it is closed.
fn lock(file: &File, path: &Path) -> Result<(), String> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
        Errno::WOULDBLOCK => format!("{}: another process writes to it", path.display()),
        error => format!("{}: it cannot be locked: {error}", path.display()),
    })
}

/// Makes the name of a new file durable.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

impl Stored {
    /// The output file is complete up to `length`, where the position is.
    pub(crate) fn at(length: u64, position: Position) -> Self {
        Self { length, position: Some(position), copies: false, numbered: None }
    }

    /// The output file is one of several.
    pub(crate) fn in_file(self, numbered: Option<Numbered>) -> Self {
        Self { numbered, ..self }
    }

    /// Reads the text of a position file.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let position = match value.get("position")? {
            Value::Null => None,
            position => Some(position.as_str()?.parse().ok()?),
        };
        let copies = value.get("snapshot").is_some_and(|snapshot| *snapshot == json!("initial"));
        let numbered = match value.get("file") {
            Some(number) => Some(Numbered {
                number: number.as_u64()?.try_into().ok()?,
                since: value.get("since")?.as_u64()?,
            }),
            None => None,
        };
        Some(Self { length: value.get("length")?.as_u64()?, position, copies, numbered })
    }

    fn to_text(&self) -> String {
        let position = self.position.as_ref().map(Position::to_string);
        let mut object = json!({ "length": self.length, "position": position });
        if self.copies {
            object["snapshot"] = json!("initial");
        }
        if let Some(Numbered { number, since }) = self.numbered {
            object["file"] = json!(number);
            object["since"] = json!(since);
        }
        format!("{object}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: &str = "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.";

    #[test]
    fn what_is_stored_is_read_again() {
        let first = |copies| Stored { length: 0, position: None, copies, numbered: None };
        let at = || Stored::at(7, POSITION.parse().unwrap());
        let third = at().in_file(Some(Numbered { number: 3, since: 1 << 40 }));
        for stored in [first(false), first(true), at(), third] {
            assert_eq!(Stored::read(&stored.to_text()), Some(stored));
        }
        let texts = ["", "{", "{}", "[]", "{\"length\":7}", "{\"length\":7,\"position\":\"x\"}"];
        for text in texts.into_iter().chain([
            "{\"length\":7,\"position\":null,\"file\":1}",
            "{\"length\":7,\"position\":null,\"file\":-1,\"since\":0}",
        ]) {
            assert_eq!(Stored::read(text), None, "{text}");
        }
    }

    #[test]
    fn an_interrupted_copy_is_continued_only_as_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (output, path) = (folder.path().join("out"), folder.path().join("position"));
        let open = |copies| PositionFile::open(&output, &path, copies);
        drop(open(true).unwrap());
        fs::write(&output, b"row\n").unwrap();
        let refused = open(false).unwrap_err();
        assert!(refused.contains("--snapshot initial"), "{refused}");
        assert_eq!(fs::read(&output).unwrap(), b"row\n");
        let (mut file, ..) = open(true).unwrap();
        file.store(&Stored::at(0, POSITION.parse().unwrap())).unwrap();
        drop(file);
        open(false).unwrap();
    }

    #[test]
    fn an_output_file_is_cut_to_what_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let (output, path) = (folder.path().join("out"), folder.path().join("position"));
        let open = || PositionFile::open(&output, &path, false);
        let (file, mut out, stored) = open().unwrap();
        let first = Stored { length: 0, position: None, copies: false, numbered: None };
        assert_eq!(stored, first);
        let other = PositionFile::open(&folder.path().join("other"), &path, false).unwrap_err();
        assert!(other.contains("position: another process"), "{other}");
        out.write_all(b"one\ntwo\n").unwrap();
        let second = open().unwrap_err();
        assert!(second.contains("another process"), "{second}");
        assert_eq!(fs::read(&output).unwrap(), b"one\ntwo\n");
        drop((out, file));
        // Killed before the first position was stored.
        let (mut file, _, _) = open().unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"");
        fs::write(&output, b"one\ntwo\nthr").unwrap();
        let stored = Stored::at(8, POSITION.parse().unwrap());
        file.store(&stored).unwrap();
        let other = PositionFile::open(&folder.path().join("other"), &path, false).unwrap_err();
        assert!(other.contains("position: another process"), "{other}");
        drop(file);
        let (_, mut out, again) = open().unwrap();
        assert_eq!(again, stored);
        out.write_all(b"three\n").unwrap();
        assert_eq!(fs::read(&output).unwrap(), b"one\ntwo\nthree\n");
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (output, path) = (folder.path().join("out"), folder.path().join("position"));
        let refused = || PositionFile::open(&output, &path, false).unwrap_err();
        let same = PositionFile::open(&path, &path, false).unwrap_err();
        assert!(same.contains("must be different") && !path.exists(), "{same}");
        let new =
            PositionFile::open(&folder.path().join("position.new"), &path, false).unwrap_err();
        assert!(new.contains("must be different"), "{new}");
        let folder_as_output = PositionFile::open(folder.path(), &path, false).unwrap_err();
        assert!(folder_as_output.contains("regular file"), "{folder_as_output}");
        fs::write(&output, b"one\n").unwrap();
        assert!(refused().contains("is not empty"), "{}", refused());
        fs::write(&path, b"x").unwrap();
        assert!(refused().contains("not a position file"), "{}", refused());
        fs::write(&path, b"{\"length\":5,\"position\":null}").unwrap();
        assert!(refused().contains("has 4 bytes"), "{}", refused());
        assert_eq!(fs::read(&output).unwrap(), b"one\n");
    }
}
