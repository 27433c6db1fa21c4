//! The server's process: started, watched, stopped.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::error::Error;
use crate::server::{Server, StopMode};
use crate::watchdog::Watchdog;

const LIMIT: Duration = Duration::from_secs(60);
/// The interval of checks whether a server is ready or gone, which it does not announce.
const CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// Returns a port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> Result<u16, Error> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|e| Error::io("find a free port of", "127.0.0.1", e))
}

/// Returns whether the process runs. A process that has ended is forgotten.
pub(crate) fn running(process: &mut Option<Child>) -> bool {
    if process.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
        *process = None;
    }
    process.is_some()
}

pub(crate) fn start(
    server: &Server,
    process: &mut Option<Child>,
    watchdog: &mut Watchdog,
) -> Result<(), Error> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let old = server.log().len();
        match start_once(server, process, watchdog, deadline) {
            // After a crash, the old server's processes need a moment to notice that it is gone.
            Err(Error::Start { .. })
                if Instant::now() < deadline
                    && server
                        .log()
                        .get(old..)
                        .is_some_and(|log| log.contains("is still in use")) =>
            {
                sleep(CHECK_INTERVAL);
            }
            other => return other,
        }
    }
}

fn start_once(
    server: &Server,
    process: &mut Option<Child>,
    watchdog: &mut Watchdog,
    deadline: Instant,
) -> Result<(), Error> {
    let log = File::options().create(true).append(true).open(server.log_file());
    let log = log.map_err(|e| Error::io("open", server.log_file(), e))?;
    let errors = log.try_clone().map_err(|e| Error::io("open", server.log_file(), e))?;
    // A crashed server left this file, which may contain "ready".
    let status_file = server.data_folder().join("postmaster.pid");
    let mut command = server.command("postgres");
    command.arg("-D").arg(server.data_folder());
    // A Ctrl-C at the terminal is meant for the tests, not for the server.
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    let child = command
        .spawn()
        .map_err(|e| Error::io("run", server.install().bin().join("postgres"), e))?;
    let pid = child.id().to_string();
    // Without a watchdog, Drop still ends the server.
    let _ = watchdog.server(Some(child.id()));
    let child = process.insert(child);
    loop {
        match child.try_wait() {
            Ok(None) => {}
            ended => {
                let status = ended.map_or_else(
                    |e| e.to_string(),
                    |s| s.map_or_else(String::new, |s| s.to_string()),
                );
                *process = None;
                let _ = watchdog.server(None);
                return Err(Error::Start {
                    version: server.version(),
                    status,
                    log: server.log_tail(),
                });
            }
        }
        // The first line is the process id, the eighth the status (since PostgreSQL 10).
        let status = fs::read_to_string(&status_file).unwrap_or_default();
        let mut lines = status.lines();
        let takes_connections = |line: &str| matches!(line.trim(), "ready" | "standby");
        if lines.next() == Some(&pid) && lines.nth(6).is_some_and(takes_connections) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(timeout(server, "start"));
        }
        sleep(CHECK_INTERVAL);
    }
}

pub(crate) fn stop(
    server: &Server,
    process: &mut Option<Child>,
    watchdog: &mut Watchdog,
    mode: StopMode,
) -> Result<(), Error> {
    if !running(process) {
        return Ok(());
    }
    let Some(child) = process else { return Ok(()) };
    signal(
        child.id(),
        match mode {
            StopMode::Smart => Signal::TERM,
            StopMode::Fast => Signal::INT,
            StopMode::Immediate => Signal::QUIT,
        },
    )?;
    let deadline = Instant::now() + LIMIT;
    while running(process) {
        if Instant::now() > deadline {
            return Err(timeout(server, "stop"));
        }
        sleep(CHECK_INTERVAL);
    }
    let _ = watchdog.server(None);
    Ok(())
}

pub(crate) fn kill(process: &mut Option<Child>, watchdog: &mut Watchdog) -> Result<(), Error> {
    if let Some(mut child) = process.take() {
        child
            .kill()
            .and_then(|()| child.wait())
            .map_err(|e| Error::io("kill", child.id().to_string(), e))?;
        let _ = watchdog.server(None);
    }
    Ok(())
}

pub(crate) fn kill_backend(server: &Server, pid: i32) -> Result<(), Error> {
    let known = server.try_client().and_then(|mut client| {
        client.query_opt("SELECT FROM pg_catalog.pg_stat_get_activity($1)", &[&pid])
    });
    // Only processes of this server are killed.
    match known {
        Ok(Some(_)) => {
            signal(pid.unsigned_abs(), Signal::KILL)?;
            wait_until_noticed(server, pid)
        }
        Ok(None) => Err(Error::io(
            "kill",
            pid.to_string(),
            io::Error::other("not one of the server's processes"),
        )),
        Err(e) => Err(Error::io("kill", pid.to_string(), io::Error::other(e))),
    }
}

/// Waits until the server has noticed the end of its process. After that it accepts no new session
/// until it has recovered.
fn wait_until_noticed(server: &Server, pid: i32) -> Result<(), Error> {
    let deadline = Instant::now() + LIMIT;
    while Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) {
        if Instant::now() > deadline {
            return Err(timeout(server, "notice the end of a process"));
        }
        sleep(CHECK_INTERVAL);
    }
    Ok(())
}

/// Waits until a session can be opened.
pub(crate) fn wait_connect(server: &Server) -> Result<(), Error> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if !server.is_running() {
            return Err(Error::NotRunning { version: server.version() });
        }
        if server.try_client().and_then(|mut client| client.simple_query("SELECT 1")).is_ok() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(timeout(server, "start"));
        }
        sleep(CHECK_INTERVAL);
    }
}

fn signal(pid: u32, signal: Signal) -> Result<(), Error> {
    let pid_of = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let result = pid_of.map_or(Err(io::ErrorKind::InvalidInput.into()), |pid| {
        kill_process(pid, signal).map_err(io::Error::from)
    });
    result.map_err(|e| Error::io("signal process", pid.to_string(), e))
}

fn timeout(server: &Server, what: &'static str) -> Error {
    Error::Timeout {
        version: server.version(),
        what,
        seconds: LIMIT.as_secs(),
        log: server.log_tail(),
    }
}
