//! Folders: temporary ones with paths short enough for a Unix socket, and the workspace's target
//! folder.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::account::Account;
use crate::error::Error;

/// The longest path of a folder that the socket `/.s.PGSQL.65535` fits below: on the smallest
/// system `sun_path` has 104 bytes, including the final zero.
const MAX_LENGTH: usize = 104 - 1 - "/.s.PGSQL.65535".len();
/// The longest path of the parent folder, for any process id and number in the name.
const MAX_PARENT: usize = MAX_LENGTH - "/pgo-4294967295-4294967295".len();
const SERVER: &str = "pgo-";

/// A new folder, removed on drop.
#[derive(Debug)]
pub(crate) struct TempFolder {
    path: PathBuf,
}

impl TempFolder {
    /// Creates a folder below `parent` that no other process uses, with mode 0700.
    pub(crate) fn below(parent: &Path, prefix: &str) -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{prefix}{}-{n}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                // A killed process that had our id left this folder.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io("create", path, e)),
            }
        }
    }

    /// Creates a folder for a server's data and socket, owned by the server's account.
    pub(crate) fn for_server(account: Option<&Account>) -> Result<Self, Error> {
        let mut tried = vec![std::env::temp_dir(), "/tmp".into(), "/var/tmp".into()];
        tried.dedup();
        let Some(parent) = tried.iter().find(|parent| fits(parent, account)) else {
            let account = account.map_or_else(|| "you".to_owned(), |a| a.name().to_owned());
            return Err(Error::NoFolder { tried, max: MAX_PARENT, account });
        };
        let folder = Self::below(parent, SERVER)?;
        if let Some(account) = account {
            account.take_ownership(folder.path())?;
        }
        Ok(folder)
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self::below(&std::env::temp_dir(), "pgo-test-").expect("a temporary folder")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Returns whether a server's folder can be created in `parent`.
fn fits(parent: &Path, account: Option<&Account>) -> bool {
    parent.as_os_str().len() <= MAX_PARENT
        && parent.is_dir()
        && account.is_none_or(|account| account.can_reach(parent))
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // Errors do not matter here, in a folder for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Returns the folder of fetched servers and data templates, below the workspace's target folder.
pub(crate) fn cache() -> PathBuf {
    target().unwrap_or_else(std::env::temp_dir).join("postgresql")
}

pub(crate) fn target() -> Option<PathBuf> {
    let workspace = || {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        package.ancestors().find(|dir| dir.join("Cargo.lock").is_file()).map(Path::to_owned)
    };
    // Cargo tags the target folder. The program of a doc test is outside of it, and a copied
    // program may be.
    let program = std::env::current_exe().ok();
    let tagged = program.as_deref().and_then(|program| {
        program.ancestors().skip(1).find(|dir| dir.join("CACHEDIR.TAG").is_file())
    });
    if let Some(target) = tagged {
        return Some(target.to_owned());
    }
    match std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from) {
        Some(target) if target.is_absolute() => Some(target),
        Some(target) => Some(workspace()?.join(target)),
        None => Some(workspace()?.join("target")),
    }
}

/// Lets every account read the tree, and run and enter what its owner can.
///
/// `npm` and `tar` follow the caller's umask, which may keep others out.
pub(crate) fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::symlink_metadata(path)?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mode = meta.mode() & 0o7777;
    let open = mode | 0o444 | if mode & 0o100 == 0 { 0 } else { 0o111 };
    if open != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(open))?;
    }
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            open_to_all(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MAX_PARENT, TempFolder, fits, open_to_all};
    use crate::account::Account;
    use std::fs;

    #[test]
    fn a_server_folder_is_short_and_open_to_its_account() {
        let folder = TempFolder::for_tests();
        assert!(fits(folder.path(), None));
        assert!(!fits(&folder.path().join("absent"), None));
        let long = folder.path().join("x".repeat(MAX_PARENT));
        fs::create_dir(&long).unwrap();
        assert!(!fits(&long, None));
        // The test's folder has mode 0700 and another owner.
        let other = Account::for_tests(4_000_000_000);
        assert!(!fits(folder.path(), Some(&other)));
        open_to_all(folder.path()).unwrap();
        assert!(fits(folder.path(), Some(&other)));
    }
}
