//! A set of server programs: where they are and how to run them.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Version;
use crate::child::output_within;
use crate::wait::TIMEOUT;

/// The programs of one PostgreSQL version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    bin: PathBuf,
    tree: PathBuf,
    version: Version,
    origin: Origin,
    /// Folders for the dynamic linker's path: the fetched packages have libraries without a run
    /// path.
    libraries: Option<PathBuf>,
}

/// The origin of an [`Install`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Named by the user.
    Explicit,
    /// Installed on the machine.
    Installed,
    /// Fetched, now or earlier, and kept below the target folder.
    Fetched,
}

impl Install {
    /// Returns the programs in `folder`, which is the `bin` folder or its parent, or the reason as
    /// text if it has no working server.
    pub(crate) fn probe(folder: &Path, origin: Origin) -> Result<Self, String> {
        let bin = [folder.join("bin"), folder.to_owned()]
            .into_iter()
            .find(|dir| dir.join("postgres").is_file())
            .ok_or_else(|| "no postgres program".to_owned())?;
        let bin = bin.canonicalize().map_err(|e| e.to_string())?;
        if !bin.join("initdb").is_file() {
            return Err("postgres without initdb".to_owned());
        }
        let libraries = bin.parent().map(|p| p.join("lib")).filter(|lib| lib.is_dir());
        // The npm package is built elsewhere and needs its own libraries, also for its extensions.
        let packaged = bin.parent().is_some_and(|p| p.join(crate::links::LIST).is_file());
        let mut ways = if packaged { vec![libraries, None] } else { vec![None, libraries] };
        ways.dedup();
        let mut failure = None;
        let found = ways.into_iter().find_map(|libraries| {
            match Self::version_of(&bin, libraries.as_deref()) {
                Ok(version) => Some((version, libraries)),
                Err(reason) => {
                    failure.get_or_insert(reason);
                    None
                }
            }
        });
        let (version, libraries) = found.ok_or_else(|| failure.unwrap_or_default())?;
        let tree = bin.parent().unwrap_or(&bin).to_owned();
        Ok(Self { bin, tree, version, origin, libraries })
    }

    fn version_of(bin: &Path, libraries: Option<&Path>) -> Result<Version, String> {
        let mut command = Command::new(bin.join("postgres"));
        command.arg("--version");
        set_libraries(&mut command, libraries);
        let output = output_within(&mut command, TIMEOUT)
            .map_err(|e| format!("postgres does not run: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Version::parse(&text).ok_or_else(|| {
            let error = String::from_utf8_lossy(&output.stderr);
            format!("postgres --version: {} {}", output.status, error.trim())
        })
    }

    /// Returns the folder with the programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Returns the server's version.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns where it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Returns a command that runs `program` of this installation without the caller's `PG*`
    /// environment.
    ///
    /// Fetched servers have only `initdb`, `pg_ctl` and `postgres`. Installed ones have what their
    /// packages contain (`pg_recvlogical`, `pgbench`, `psql` …).
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.bin.join(program.as_ref()));
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        set_libraries(&mut command, self.libraries.as_deref());
        command
    }

    /// Returns the whole tree that the programs need.
    pub(crate) fn tree(&self) -> &Path {
        &self.tree
    }

    /// Returns the installation with a wider tree: a package may have libraries outside of the
    /// server's own folder.
    pub(crate) fn within(self, tree: &Path) -> Self {
        Self { tree: tree.canonicalize().unwrap_or_else(|_| tree.to_owned()), ..self }
    }

    /// Returns the same programs after their tree was copied from `from` to `to`.
    pub(crate) fn moved(&self, from: &Path, to: &Path) -> Option<Self> {
        let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        let libraries = match &self.libraries {
            Some(lib) => Some(moved(lib)?),
            None => None,
        };
        Some(Self { bin: moved(&self.bin)?, libraries, tree: moved(&self.tree)?, ..*self })
    }
}

fn set_libraries(command: &mut Command, libraries: Option<&Path>) {
    const VARIABLE: &str =
        if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let Some(libraries) = libraries else { return };
    let old = std::env::var_os(VARIABLE).unwrap_or_default();
    let all = std::iter::once(libraries.to_owned()).chain(std::env::split_paths(&old));
    if let Ok(value) = std::env::join_paths(all) {
        command.env(VARIABLE, value);
    }
}

impl fmt::Display for Install {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Explicit => "given",
            Origin::Installed => "installed",
            Origin::Fetched => "fetched",
        };
        write!(f, "PostgreSQL {} ({origin}, {})", self.version, self.bin.display())
    }
}
