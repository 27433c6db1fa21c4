//! The account that a server runs under, because PostgreSQL refuses to run as root.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::output_within;
use crate::error::Error;
use crate::folder::{TempFolder, open_to_all};
use crate::install::Install;
use crate::wait::TIMEOUT;

/// An unprivileged account of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Returns the account to change to: `postgres`, else `nobody`, or `None` unless this process
    /// is root.
    pub(crate) fn needed() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd =
            fs::read_to_string("/etc/passwd").map_err(|e| Error::io("read", "/etc/passwd", e))?;
        Self::choose(&passwd).map(Some).ok_or(Error::NoAccount)
    }

    fn choose(passwd: &str) -> Option<Self> {
        ["postgres", "nobody"].into_iter().find_map(|wanted| {
            passwd.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next().filter(|name| *name == wanted)?;
                let uid = fields.nth(1)?.parse().ok().filter(|uid| *uid != 0)?;
                let gid = fields.next()?.parse().ok()?;
                Some(Self { name: name.to_owned(), uid, gid })
            })
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests(id: u32) -> Self {
        Self { name: "other".to_owned(), uid: id, gid: id }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a file or folder to the account.
    pub(crate) fn take_ownership(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|e| Error::io("give away", path, e))
    }

    /// Makes the command run under the account, with none of root's groups.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Returns whether the account may pass through every folder down to `path`, by their
    /// permission bits.
    pub(crate) fn can_reach(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        path.ancestors().all(|dir| {
            fs::metadata(dir).is_ok_and(|meta| {
                let shift = match (meta.uid() == self.uid, meta.gid() == self.gid) {
                    (true, _) => 6,
                    (false, true) => 3,
                    (false, false) => 0,
                };
                meta.mode() >> shift & 0o1 != 0
            })
        })
    }

    /// Returns the installation itself if the account can run it, else an accessible copy.
    ///
    /// A project may be checked out below a folder that is closed to others, such as root's home.
    pub(crate) fn make_accessible(&self, install: &Install) -> Result<Install, Error> {
        if self.runs(install) {
            return Ok(install.clone());
        }
        let tree = install.tree();
        let version = install.version();
        let program = install.bin().join("postgres");
        let meta = fs::metadata(&program).map_err(|e| Error::io("look at", &program, e))?;
        // All checkouts that have the same build share its copy.
        let modified = format!("{}.{:09}", meta.mtime(), meta.mtime_nsec());
        let key = crate::template::key(&[&meta.len().to_string(), &modified]);
        let shared_folder = Self::shared_folder()?;
        let copy = shared_folder.join(format!("{version}-{key}"));
        let moved = |to: &Path| install.moved(tree, to).filter(|install| self.runs(install));
        if let Some(install) = moved(&copy) {
            return Ok(install);
        }
        let _ = writeln!(
            std::io::stderr(),
            "pgoutput-harness: {} is closed to account {}; using a copy in {}",
            tree.display(),
            self.name,
            copy.display()
        );
        let new = TempFolder::below(&shared_folder, ".new-")?;
        let inner = new.path().join("tree");
        crate::template::copy_tree(tree, &inner)?;
        open_to_all(&inner).map_err(|e| Error::io("open to the server's account", &inner, e))?;
        match fs::rename(&inner, &copy) {
            // Another process was faster.
            Err(_) if copy.is_dir() => {}
            other => other.map_err(|e| Error::io("put in place", &copy, e))?,
        }
        moved(&copy).ok_or_else(|| Error::Program {
            program: format!("{} as {}", copy.display(), self.name),
            status: "it does not run".to_owned(),
            output: "is the folder mounted noexec?".to_owned(),
        })
    }

    fn runs(&self, install: &Install) -> bool {
        let mut command = install.command("postgres");
        command.arg("--version").current_dir("/");
        self.apply(&mut command);
        let starts =
            output_within(&mut command, TIMEOUT).is_ok_and(|output| output.status.success());
        starts && self.can_reach(install.tree())
    }

    /// Returns a folder of root's that others may read and only root may write. Its name is well
    /// known, so contents that another account prepared are not used.
    fn shared_folder() -> Result<PathBuf, Error> {
        let open = |path: &Path| {
            fs::symlink_metadata(path)
                .is_ok_and(|m| m.is_dir() && m.uid() == 0 && m.mode() & 0o7777 == 0o755)
        };
        for parent in ["/var/tmp", "/tmp"] {
            let path = Path::new(parent).join("pgoutput-harness-root");
            if let Ok(()) = fs::DirBuilder::new().mode(0o755).create(&path) {
                // The umask may have removed permissions.
                let _ = open_to_all(&path);
            }
            if open(&path) {
                return Ok(path);
            }
        }
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        Err(Error::io("use", "/var/tmp/pgoutput-harness-root", denied))
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn the_account_is_postgres_before_nobody_and_never_root() {
        let name = |passwd: &str| Account::choose(passwd).map(|a| (a.name, a.uid, a.gid));
        let nobody = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        assert_eq!(name(nobody), Some(("nobody".into(), 65534, 65533)));
        let both = format!("{nobody}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n");
        assert_eq!(name(&both), Some(("postgres".into(), 101, 104)));
        assert_eq!(name("postgres:x:0:0::/:/bin/sh\n"), None);
        assert_eq!(name("root:x:0:0:root:/root:/bin/sh\npostgres\n"), None);
    }
}
