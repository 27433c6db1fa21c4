//! Spill files: temporary files that have no name, so that nothing is left of them however the
//! process ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::SpillError;

/// The spill files of one reader, by number.
#[derive(Debug)]
pub(crate) struct SpillFiles {
    dir: PathBuf,
    /// The greatest number of bytes in all files.
    limit: Option<u64>,
    files: BTreeMap<u64, SpillFile>,
    used: u64,
    written: u64,
}

#[derive(Debug)]
struct SpillFile {
    file: File,
    end: u64,
}

impl SpillFiles {
    /// Files in `dir`, or in the system's directory for temporary files.
    pub(crate) fn new(dir: Option<PathBuf>, limit: Option<u64>) -> Self {
        let dir = dir.unwrap_or_else(std::env::temp_dir);
        Self { dir, limit, files: BTreeMap::new(), used: 0, written: 0 }
    }

    /// Writes `bytes` to a file, which is created if there is none, in place of everything from
    /// `offset` on.
    pub(crate) fn write(
        &mut self,
        number: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), SpillError> {
        let end = offset + bytes.len() as u64;
        let others = self.used - self.files.get(&number).map_or(0, |spill| spill.end);
        if let Some(limit) = self.limit
            && others.saturating_add(end) > limit
        {
            return Err(SpillError::Limit { limit });
        }
        let spill = match self.files.entry(number) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let file = tempfile::tempfile_in(&self.dir)
                    .map_err(|source| write_error(&self.dir, source))?;
                entry.insert(SpillFile { file, end: 0 })
            }
        };
        spill.file.write_all_at(bytes, offset).map_err(|source| write_error(&self.dir, source))?;
        spill.end = end;
        self.used = others + end;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The number of bytes that were written so far, also to files that were removed.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The number of bytes in the files.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// Checks that files can be created.
    pub(crate) fn check(&self) -> Result<(), SpillError> {
        tempfile::tempfile_in(&self.dir).map(drop).map_err(|source| write_error(&self.dir, source))
    }

    /// Reads bytes that were written.
    pub(crate) fn read(&self, number: u64, offset: u64, len: usize) -> Result<Vec<u8>, SpillError> {
        let read_error = |source| SpillError::Read { dir: self.dir.clone(), offset, source };
        let Some(spill) = self.files.get(&number) else {
            return Err(read_error(std::io::ErrorKind::NotFound.into()));
        };
        let mut bytes = vec![0; len];
        spill.file.read_exact_at(&mut bytes, offset).map_err(read_error)?;
        Ok(bytes)
    }

    /// Removes a file.
    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(spill) = self.files.remove(&number) {
            self.used -= spill.end;
        }
    }
}

fn write_error(dir: &Path, source: std::io::Error) -> SpillError {
    SpillError::Write { dir: dir.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_empty(dir: &Path) -> bool {
        std::fs::read_dir(dir).unwrap().next().is_none()
    }

    #[test]
    fn what_was_written_is_read_again_and_no_file_has_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = SpillFiles::new(Some(dir.path().into()), None);
        files.write(1, 0, b"one").unwrap();
        files.write(2, 0, b"two").unwrap();
        files.write(1, 3, b"three").unwrap();
        assert!(is_empty(dir.path()));
        assert_eq!(files.read(1, 3, 5).unwrap(), b"three");
        assert_eq!(files.read(2, 0, 3).unwrap(), b"two");
        files.remove(1);
        assert!(matches!(files.read(1, 0, 3), Err(SpillError::Read { .. })));
        assert!(matches!(files.read(2, 1, 3), Err(SpillError::Read { offset: 1, .. })));
    }

    #[test]
    fn the_limit_holds_for_all_files_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = SpillFiles::new(Some(dir.path().into()), Some(8));
        files.write(1, 0, b"four").unwrap();
        files.write(2, 0, b"four").unwrap();
        assert!(matches!(files.write(2, 4, b"x"), Err(SpillError::Limit { limit: 8 })));
        // In place of what is not needed any more.
        files.write(2, 2, b"x").unwrap();
        files.write(1, 4, b"x").unwrap();
        assert!(matches!(files.write(1, 5, b"x"), Err(SpillError::Limit { limit: 8 })));
        files.remove(1);
        files.write(2, 3, b"five").unwrap();
        assert_eq!(files.read(2, 2, 2).unwrap(), b"xf");
    }

    #[test]
    fn a_directory_that_does_not_exist_is_named() {
        let mut files = SpillFiles::new(Some("/does/not/exist".into()), None);
        let error = files.write(1, 0, b"x").unwrap_err();
        assert!(error.to_string().contains("/does/not/exist"), "{error}");
    }
}
