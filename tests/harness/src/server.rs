//! A throwaway server: its folder, its process, and the control of both.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use postgres::Client;

use crate::account::Account;
use crate::builder::ServerBuilder;
use crate::database::Database;
use crate::error::Error;
use crate::folder::TempFolder;
use crate::install::Install;
use crate::template::{self, tail};
use crate::version::{MAJORS, Version};
use crate::wait;
use crate::watchdog::Watchdog;
use crate::{connect, process, search::Search};

/// The modes of a shutdown, as in `pg_ctl stop -m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopMode {
    /// Waits for the clients to leave (SIGTERM).
    Smart,
    /// Ends the clients' sessions, lets walsenders send the rest, writes a checkpoint (SIGINT).
    Fast,
    /// Ends everything at once. The next start recovers from the WAL (SIGQUIT).
    Immediate,
}

/// A running PostgreSQL server that only this process uses, with superuser `postgres` and without a
/// password.
///
/// Dropping it stops it and removes its folder. If the process ends without dropping it, for
/// instance because it is killed, a watchdog does so.
///
/// ```
/// use pgoutput_harness::{Server, StopMode};
///
/// let server = Server::builder().setting("max_connections", "30").start(18)?;
/// let mut client = server.client();
/// assert_eq!(client.query_one("SHOW wal_level", &[]).unwrap().get::<_, &str>(0), "logical");
/// server.restart(StopMode::Immediate)?;
/// assert!(client.simple_query("SELECT 1").is_err());
/// server.client().simple_query("SELECT 1").unwrap();
/// # Ok::<(), pgoutput_harness::Error>(())
/// ```
#[derive(Debug)]
pub struct Server {
    install: Install,
    account: Option<Account>,
    port: u16,
    tcp: bool,
    pub(crate) next: AtomicU32,
    state: Mutex<State>,
    // Dropped last: the watchdog in `state` may still remove files in it.
    folder: TempFolder,
}

/// Dropped in this order, so that the process ends before its watchdog.
#[derive(Debug)]
struct State {
    process: Option<Child>,
    watchdog: Watchdog,
}

impl Server {
    /// Returns the settings of a server to be started.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Starts a server of this major with the default settings.
    pub fn of_major(major: u32) -> Result<Self, Error> {
        Self::builder().start(major)
    }

    /// Starts a server of the newest installed major from 10 to 18, or a fetched 18 if none is
    /// installed.
    pub fn any() -> Result<Self, Error> {
        let installed =
            Search::from_env().installed().into_keys().rfind(|major| MAJORS.contains(major));
        Self::of_major(installed.unwrap_or(*MAJORS.end()))
    }

    pub(crate) fn create(builder: &ServerBuilder, major: u32) -> Result<Self, Error> {
        wait::stage_within(&format_args!("the start of PostgreSQL {major}"), wait::DEFAULT_LIMIT);
        let search = builder.search.clone().unwrap_or_else(Search::from_env);
        let mut install = search.find(major)?;
        let account = Account::needed()?;
        if let Some(account) = &account {
            install = account.make_accessible(&install)?;
        }
        let folder = TempFolder::for_server(account.as_ref())?;
        let watchdog = Watchdog::watch(folder.path())?;
        let data = folder.path().join("data");
        match &builder.copied {
            Some(copied) => template::copy_tree(copied, &data)?,
            None => {
                template::data_folder(&data, &install, account.as_ref(), &builder.initdb)?;
            }
        }
        let mut server = Self {
            install,
            account,
            port: 5432,
            tcp: builder.tcp,
            next: AtomicU32::new(0),
            state: Mutex::new(State { process: None, watchdog }),
            folder,
        };
        let sample = server.read("data/postgresql.conf")?;
        server.write("data/pg_hba.conf", &builder.hba())?;
        for (name, content) in &builder.files {
            server.create_file(&data.join(name), content)?;
        }
        if let Some(locale) = &builder.locale {
            server.compile_locale(locale)?;
        }
        let mut tries = 5;
        loop {
            if server.tcp {
                server.port = process::free_port()?;
            }
            let settings = builder.settings(server.folder.path(), server.port);
            server.write("data/postgresql.conf", &format!("{sample}\n{settings}"))?;
            tries -= 1;
            match server.start() {
                // Another process took the port after it was found free.
                Err(Error::Start { log, .. })
                    if tries > 0 && log.contains("Address already in use") => {}
                other => return other.map(|()| server),
            }
        }
    }

    /// Returns the folder in which the server finds locales, if one was compiled for it.
    fn locales(&self) -> PathBuf {
        self.folder.path().join("locales")
    }

    fn compile_locale(&self, name: &str) -> Result<(), Error> {
        let folder = self.locales();
        fs::create_dir(&folder).map_err(|e| Error::io("create", &folder, e))?;
        let (source, charset) = name.split_once('.').unwrap_or((name, "UTF-8"));
        let mut command = Command::new("localedef");
        command.args(["--no-archive", "-i", source, "-f", charset]).arg(folder.join(name));
        template::run(command).map(drop)
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.folder.path().join(name);
        fs::read_to_string(&path).map_err(|e| Error::io("read", path, e))
    }

    /// Replaces a file's text and keeps its owner and mode.
    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.folder.path().join(name);
        fs::write(&path, text).map_err(|e| Error::io("write", path, e))
    }

    /// Creates a file of the server's account, closed to others.
    fn create_file(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(content))
            .map_err(|e| Error::io("write", path, e))?;
        self.account.as_ref().map_or(Ok(()), |account| account.take_ownership(path))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A failed test that held the lock left a child process, which is in a valid state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a server that was stopped, and waits until it accepts connections. A running server
    /// is left alone.
    ///
    /// # Errors
    ///
    /// [`Error::Start`] or [`Error::Timeout`] with the end of its log.
    pub fn start(&self) -> Result<(), Error> {
        let mut state = self.state();
        if process::running(&mut state.process) {
            return Ok(());
        }
        let State { process, watchdog } = &mut *state;
        process::start(self, process, watchdog)
    }

    /// Shuts the server down and waits until it is gone. A stopped server is left alone.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] if it has not ended after a minute: a smart shutdown waits for clients, a
    /// fast one for walsenders whose client does not read. It is then still shutting down.
    pub fn stop(&self, mode: StopMode) -> Result<(), Error> {
        let mut state = self.state();
        let State { process, watchdog } = &mut *state;
        process::stop(self, process, watchdog, mode)
    }

    /// Shuts the server down and starts it again, on the same port.
    pub fn restart(&self, mode: StopMode) -> Result<(), Error> {
        self.stop(mode)?;
        self.start()
    }

    /// Kills the server's main process with SIGKILL, like a crash. Its other processes end by
    /// themselves.
    pub fn kill(&self) -> Result<(), Error> {
        let mut state = self.state();
        let State { process, watchdog } = &mut *state;
        process::kill(process, watchdog)
    }

    /// Kills one of the server's processes with SIGKILL, such as a walsender by its `pid` in
    /// `pg_stat_replication`.
    ///
    /// PostgreSQL then ends all sessions and recovers. [`wait_ready`](Self::wait_ready) waits for
    /// that.
    pub fn kill_backend(&self, pid: i32) -> Result<(), Error> {
        process::kill_backend(self, pid)
    }

    /// Waits until the server accepts connections again, for instance after
    /// [`kill_backend`](Self::kill_backend).
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`] after a minute, [`Error::NotRunning`] if its process has ended.
    pub fn wait_ready(&self) -> Result<(), Error> {
        process::wait_connect(self)
    }

    /// Returns whether the server's main process runs.
    pub fn is_running(&self) -> bool {
        process::running(&mut self.state().process)
    }

    /// Returns the id of the server's main process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        let mut state = self.state();
        process::running(&mut state.process).then(|| state.process.as_ref().map(Child::id))?
    }

    /// Returns the server's version.
    pub fn version(&self) -> Version {
        self.install.version()
    }

    /// Returns the server's major version.
    pub fn major(&self) -> u32 {
        self.version().major
    }

    /// Returns the server's programs, and where they were found.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// Returns the folder with the Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Returns the port, in the Unix socket's name and for TCP on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns everything that the server has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_file())
            .map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// Returns the path of the server's log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn log_tail(&self) -> String {
        tail(&self.log(), 15)
    }

    /// Returns a command for one of the server's programs, run under the server's account.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.install.command(program);
        command.current_dir("/");
        if self.locales().is_dir() {
            command.env("LOCPATH", self.locales());
        }
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        command
    }

    /// Returns a connection string (`key=value`) for `database` over the Unix socket, as superuser.
    pub fn dsn(&self, database: &str) -> String {
        let host =
            self.folder.path().display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
        format!("host='{host}' port={} user=postgres dbname={database}", self.port)
    }

    /// Returns a connection string (`key=value`) for `database` over TCP, as superuser.
    pub fn dsn_tcp(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port)
    }

    /// Returns a connection URI for `database` over TCP, as superuser.
    pub fn uri(&self, database: &str) -> String {
        format!("postgresql://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Connects to the database `postgres` over the Unix socket, as superuser. A statement may take
    /// five minutes, and wait for a lock for one minute.
    ///
    /// # Panics
    ///
    /// If the connection fails. [`try_client`](Self::try_client) returns the error.
    pub fn client(&self) -> Client {
        self.try_client().unwrap_or_else(|e| panic!("{}: {e}", self.install))
    }

    /// Like [`client`](Self::client), but returns the error.
    pub fn try_client(&self) -> Result<Client, postgres::Error> {
        connect::client(&self.dsn("postgres"))
    }

    /// Creates an empty database, removed when dropped. `hint` becomes part of its name.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub fn database(&self, hint: &str) -> Database<'_> {
        self.database_with(hint, "")
    }

    /// Creates a database with further options of `CREATE DATABASE`, such as `ENCODING
    /// 'SQL_ASCII'`.
    ///
    /// # Panics
    ///
    /// If the server does not create it.
    pub fn database_with(&self, hint: &str, options: &str) -> Database<'_> {
        Database::create(self, hint, options)
            .unwrap_or_else(|e| panic!("{}: CREATE DATABASE: {e}", self.install))
    }

    pub(crate) fn unique(&self, hint: &str) -> String {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        // Names have at most 63 bytes, and slots only these characters.
        let plain = hint.chars().map(|c| c.to_ascii_lowercase());
        let plain: String =
            plain.map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(40).collect();
        format!("{plain}_{n}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The watchdog, dropped next, ends what this leaves.
        let _ = self.stop(StopMode::Immediate);
    }
}
