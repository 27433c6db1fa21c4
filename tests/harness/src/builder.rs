//! The settings of a new server.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::search::Search;
use crate::server::Server;

/// Settings of a [`Server`] to be started; see [`Server::builder`].
///
/// Every server has `wal_level=logical`, 40 walsenders and replication slots, 20 prepared
/// transactions, 100 further connections, `autovacuum=off`, `fsync=off`, `timezone=UTC`, encoding
/// UTF8 and locale C. It trusts everyone on the Unix socket and on 127.0.0.1. Everything else is
/// PostgreSQL's default.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    settings: Vec<(String, String)>,
    hba: Vec<String>,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) initdb: Vec<String>,
    pub(crate) locale: Option<String>,
    pub(crate) tcp: bool,
    pub(crate) search: Option<Search>,
    pub(crate) copied: Option<PathBuf>,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            settings: Vec::new(),
            hba: Vec::new(),
            files: Vec::new(),
            initdb: Vec::new(),
            locale: None,
            tcp: true,
            search: None,
            copied: None,
        }
    }
}

impl ServerBuilder {
    /// Adds a line to `postgresql.conf`. Of several lines with one name the last one counts. All
    /// override the harness's own.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Streams or spills large transactions early: sets `logical_decoding_work_mem` to 64kB, its
    /// minimum.
    ///
    /// Servers before 13 do not have the setting and refuse to start with it.
    #[must_use]
    pub fn small_decoding_memory(self) -> Self {
        self.setting("logical_decoding_work_mem", "64kB")
    }

    /// Adds a line to `pg_hba.conf`, before the lines that trust everyone. PostgreSQL uses the
    /// first line that matches.
    ///
    /// For tests of passwords, create a role and name it: `host all alice 127.0.0.1/32
    /// scram-sha-256`. Physical replication connections need the same line with `replication`
    /// instead of `all`.
    #[must_use]
    pub fn hba_line(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// Adds a file to the data folder, such as a TLS key, owned by the server's account and closed
    /// to others.
    #[must_use]
    pub fn data_file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// Adds an argument of `initdb`, such as `--encoding=SQL_ASCII` or `--data-checksums`.
    #[must_use]
    pub fn initdb_argument(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// Compiles a locale such as `de_DE.UTF-8` for this server alone, in its own folder, for
    /// settings like `lc_monetary`. The machine needs the program `localedef` and the source of the
    /// locale. Its installed locales do not change.
    #[must_use]
    pub fn locale(mut self, name: &str) -> Self {
        self.locale = Some(name.to_owned());
        self
    }

    /// Listens on the Unix socket only.
    #[must_use]
    pub fn without_tcp(mut self) -> Self {
        self.tcp = false;
        self
    }

    /// Starts from a copy of another server's data folder, for instance for a standby. The other
    /// server must be of the same build, and stopped.
    #[must_use]
    pub fn copy_of(mut self, stopped: &Server) -> Self {
        self.copied = Some(stopped.data_folder());
        self
    }

    /// Looks for the server's programs in `search`, instead of in the environment.
    #[must_use]
    pub fn search(mut self, search: Search) -> Self {
        self.search = Some(search);
        self
    }

    /// Finds or fetches a server of this major, starts it and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// See [`Error`]: no server was found, no folder suits it, a locale cannot be compiled, or the
    /// server does not start.
    pub fn start(&self, major: u32) -> Result<Server, Error> {
        Server::create(self, major)
    }

    pub(crate) fn hba(&self) -> String {
        let own = ["local all all trust", "local replication all trust"]
            .into_iter()
            .chain(["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]);
        let lines = self.hba.iter().map(String::as_str).chain(own);
        lines.fold(String::new(), |text, line| text + line + "\n")
    }

    pub(crate) fn settings(&self, socket_folder: &Path, port: u16) -> String {
        let socket_folder = socket_folder.display().to_string();
        let port = port.to_string();
        let own = [
            ("listen_addresses", if self.tcp { "127.0.0.1" } else { "" }),
            ("port", &port),
            ("unix_socket_directories", &socket_folder),
            ("wal_level", "logical"),
            ("max_wal_senders", "40"),
            ("max_replication_slots", "40"),
            ("max_prepared_transactions", "20"),
            // Before 12, walsenders count as connections.
            ("max_connections", "140"),
            // Autovacuum discards the files that new sessions start with. A session without them
            // waits for a lock on a table of the catalogue.
            ("autovacuum", "off"),
            ("fsync", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("logging_collector", "off"),
        ];
        let given = self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.into_iter().chain(given).fold(String::new(), |mut text, (name, value)| {
            let _ =
                writeln!(text, "{name} = '{}'", value.replace('\\', "\\\\").replace('\'', "''"));
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ServerBuilder;
    use std::path::Path;

    #[test]
    fn lines_of_the_caller_come_first() {
        let builder = ServerBuilder::default()
            .hba_line("host all alice 127.0.0.1/32 md5")
            .setting("fsync", "on")
            .setting("search_path", r"'it''s', a\b");
        let hba = builder.hba();
        assert!(hba.starts_with("host all alice 127.0.0.1/32 md5\nlocal all all trust\n"), "{hba}");
        let settings = builder.settings(Path::new("/x y"), 5);
        let lines: Vec<_> = settings.lines().collect();
        assert!(lines.contains(&"unix_socket_directories = '/x y'"), "{settings}");
        assert_eq!(
            lines[lines.len() - 2..],
            ["fsync = 'on'", r"search_path = '''it''''s'', a\\b'"]
        );
    }
}
