//! The password file
//! ([PostgreSQL manual, 34.16](https://www.postgresql.org/docs/18/libpq-pgpass.html)).

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::account;
use super::error::{ConfigError, ConfigErrorKind};
use super::variables::{self, Lookup};
use super::{Config, Endpoint, Secret};

impl Config {
    /// Returns the password for this server: the one given, or that of the first line of the
    /// password file that matches the host, port, database and user. Call it when the server asks
    /// for a password, so that an unusable password file matters only then.
    ///
    /// The file is the one given (`passfile`, `PGPASSFILE`), or `~/.pgpass` if it exists. It is an
    /// error if others can read or write the file, or if it is not a regular file; libpq warns and
    /// continues without it. It is also an error if a file that was given does not exist.
    ///
    /// # Errors
    /// [`ConfigErrorKind::PassFile`], with the file's path; those of
    /// [`user_or_default`](Config::user_or_default).
    pub fn password_for(&self, endpoint: &Endpoint) -> Result<Option<Secret>, ConfigError> {
        if self.password.is_some() {
            return Ok(self.password.clone());
        }
        let dbname = self.dbname_or_default()?;
        let user = self.user_or_default()?;
        let named = self.get_passfile().map(Path::to_owned);
        let must_exist = named.is_some();
        let Some(path) = named.or_else(|| default_path(&variables::process)) else {
            return Ok(None);
        };
        let Some(content) = read(&path, must_exist)? else { return Ok(None) };
        let (host, port) = (endpoint.passfile_host(), endpoint.port().to_string());
        let wanted = [host.as_bytes(), port.as_bytes(), dbname.as_bytes(), user.as_bytes()];
        match find(&content, wanted).map(String::from_utf8) {
            None => Ok(None),
            Some(Ok(password)) => {
                Ok(Some(Secret::new(password)).filter(|password| !password.expose().is_empty()))
            }
            Some(Err(_)) => Err(refuse(&path, "the password for this server is not UTF-8")),
        }
    }
}

fn default_path(lookup: Lookup<'_>) -> Option<PathBuf> {
    Some(account::home(lookup)?.join(".pgpass"))
}

fn refuse(path: &Path, why: &str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::PassFile, format!("{}: {why}", path.display()))
        .named("passfile")
}

/// The bytes of the file; `None` if it does not exist and need not.
fn read(path: &Path, must_exist: bool) -> Result<Option<Vec<u8>>, ConfigError> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if !must_exist
                && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(refuse(path, &error.to_string())),
    };
    if !metadata.is_file() {
        return Err(refuse(path, "is not a regular file"));
    }
    if is_open_to_others(&metadata) {
        return Err(refuse(
            path,
            "other accounts can read or write this file of passwords; run chmod 600 on it",
        ));
    }
    fs::read(path).map(Some).map_err(|error| refuse(path, &error.to_string()))
}

#[cfg(unix)]
fn is_open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o077 != 0
}

/// Without such permissions the location of the file is trusted, as in libpq.
#[cfg(not(unix))]
fn is_open_to_others(_: &Metadata) -> bool {
    false
}

/// The password of the first line whose four fields match `wanted`: host, port, database, user.
fn find(content: &[u8], wanted: [&[u8]; 4]) -> Option<Vec<u8>> {
    content.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"#") {
            return None;
        }
        let rest = wanted.iter().try_fold(line, |line, field| after_match(line, field))?;
        Some(field(rest).0)
    })
}

/// The rest of `line` after its first field, if that field matches.
fn after_match<'a>(line: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    if let Some(rest) = line.strip_prefix(b"*:") {
        return Some(rest);
    }
    match field(line) {
        (text, Some(rest)) if text == wanted => Some(rest),
        _ => None,
    }
}

/// The first field without its escapes, and the text after its colon, if there is one.
fn field(line: &[u8]) -> (Vec<u8>, Option<&[u8]>) {
    let mut text = Vec::new();
    let mut rest = line;
    while let [byte, after @ ..] = rest {
        match (byte, after) {
            (b':', _) => return (text, Some(after)),
            (b'\\', [escaped, after @ ..]) => {
                text.push(*escaped);
                rest = after;
            }
            _ => {
                text.push(*byte);
                rest = after;
            }
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::find;

    const FILE: &[u8] = b"# host:port:database:user:password\n\
        # db:1:shop:bob:commented\n\
        db:5432:shop:alice:first\r\n\
        db:*:*:bob:pa\\:ss\\\\word:ignored\n\
        \\:\\:1:5432:we\\:ird:alice:colons\n\
        short:5432:shop\n\
        *:*:*:carol:any\n\
        *:*:*:carol:later\n\
        *d:*:*:dave:star is only special alone\n\
        none:1:shop:erin:";

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let cases: [([&str; 4], Option<&str>); 9] = [
            (["db", "5432", "shop", "alice"], Some("first")),
            (["db", "5433", "shop", "alice"], None),
            (["db", "1", "shop", "bob"], Some("pa:ss\\word")),
            (["::1", "5432", "we:ird", "alice"], Some("colons")),
            (["short", "5432", "shop", "x"], None),
            (["anywhere", "1", "x", "carol"], Some("any")),
            (["xd", "1", "x", "dave"], None),
            (["*d", "1", "x", "dave"], Some("star is only special alone")),
            (["none", "1", "shop", "erin"], Some("")),
        ];
        for (wanted, password) in cases {
            let found = find(FILE, wanted.map(str::as_bytes));
            assert_eq!(found.as_deref(), password.map(str::as_bytes), "{wanted:?}");
        }
    }
}
