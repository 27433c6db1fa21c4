//! What a server is started with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::search::Search;
use crate::server::Server;

/// Settings of a [`Server`] to be started; see [`Server::builder`].
///
/// What every server has: `wal_level=logical`, 40 walsenders and replication slots, 20 prepared transactions, 100
/// connections besides, `autovacuum=off`, `fsync=off`, `timezone=UTC`; encoding UTF8 and locale C; trust for everyone on the Unix
/// socket and on 127.0.0.1. All else is PostgreSQL's default.
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
    /// A line of `postgresql.conf`; the last one of a name counts, and all count over the harness's own.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Makes large transactions be streamed or spilled early: `logical_decoding_work_mem=64kB`, the least there is.
    ///
    /// Servers before 13 do not have the setting and refuse to start with it: ask for it from 13 on only.
    #[must_use]
    pub fn small_decoding_memory(self) -> Self {
        self.setting("logical_decoding_work_mem", "64kB")
    }

    /// A line of `pg_hba.conf`, before the lines that trust everyone: PostgreSQL takes the first that matches.
    ///
    /// For password tests make a role and name it: `host all alice 127.0.0.1/32 scram-sha-256`, and the same
    /// with `replication` for `all`, which physical replication connections need.
    #[must_use]
    pub fn hba_line(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// A file in the data folder, such as a key for TLS: owned by the server's account and closed to others.
    #[must_use]
    pub fn data_file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// A further argument of `initdb`, such as `--encoding=SQL_ASCII` or `--data-checksums`.
    #[must_use]
    pub fn initdb_argument(mut self, argument: &str) -> Self {
        self.initdb.push(argument.to_owned());
        self
    }

    /// Makes a locale such as `de_DE.UTF-8` for this server alone, in its own folder, for settings like `lc_monetary`.
    /// The machine needs the program `localedef` and the locale's source; what it has installed is left as it is.
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

    /// Starts from a copy of another server's data folder, such as for a standby. The other one must be of the same build and stopped meanwhile.
    #[must_use]
    pub fn copy_of(mut self, stopped: &Server) -> Self {
        self.copied = Some(stopped.data_folder());
        self
    }

    /// Looks for the server's programs there, instead of where the environment says.
    #[must_use]
    pub fn search(mut self, search: Search) -> Self {
        self.search = Some(search);
        self
    }

    /// Finds or fetches a server of this major, starts it and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// See [`Error`]: no server found, no folder for it, no locale to be made, or it does not start.
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
            // Before 12 walsenders are among the connections.
            ("max_connections", "140"),
            // It discards the files that new sessions start with; a session without them waits for
            // whoever locks a table of the catalogue.
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
    fn the_callers_lines_win() {
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
