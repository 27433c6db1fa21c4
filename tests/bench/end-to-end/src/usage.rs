//! Resource usage of processes on Linux.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::Problem;

/// The resources of one consumer's run.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Seconds from its start to its end.
    pub wall: f64,
    /// The consumer's own CPU time, user and system, in seconds.
    pub cpu: f64,
    /// The CPU time of the server process that sent to it, read every 2 ms until that process
    /// ended. `NaN` if it ended before the first reading.
    pub sender: f64,
    /// The largest observed resident memory, in KiB.
    pub memory: f64,
    /// The number of times that its main thread waited.
    pub waits: f64,
}

/// Checks that this system reports the resource usage of processes.
///
/// # Errors
/// If it does not. Only Linux does.
pub fn check() -> Result<(), Problem> {
    let me = std::process::id();
    let usage = cpu_seconds(me).and_then(|_| is_over(me));
    usage.map(drop).map_err(|problem| {
        format!("what consumers use is read from Linux's /proc and its CPU clocks: {problem}")
            .into()
    })
}

/// Watches a consumer until it ends. `sender` finds the process that sends to it.
///
/// # Errors
/// If the consumer fails, or cannot be watched.
pub fn watch(child: &mut Child, mut sender: impl FnMut() -> Option<u32>) -> Result<Usage, Problem> {
    let start = Instant::now();
    let nothing = f64::NAN;
    let mut usage =
        Usage { wall: nothing, cpu: nothing, sender: nothing, memory: nothing, waits: nothing };
    let mut sender_pid = None;
    // The process is not reaped before its last figures are read.
    while !is_over(child.id())? {
        usage.read_status(child.id());
        sender_pid = sender_pid.or_else(&mut sender);
        // The sender ends when the connection does, and its last figure counts.
        let used = sender_pid.and_then(|pid| cpu_seconds(pid).ok());
        usage.sender = used.unwrap_or(nothing).max(usage.sender);
        thread::sleep(Duration::from_millis(2));
    }
    usage.wall = start.elapsed().as_secs_f64();
    usage.cpu = cpu_seconds(child.id())?;
    usage.read_status(child.id());
    let status: ExitStatus = child.wait()?;
    if status.success() { Ok(usage) } else { Err(format!("a consumer failed: {status}").into()) }
}

impl Usage {
    fn read_status(&mut self, pid: u32) {
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        self.memory = field("VmHWM:").unwrap_or(self.memory);
        self.waits = field("voluntary_ctxt_switches:").unwrap_or(self.waits);
    }
}

/// Returns whether it has ended. A process that was already reaped is an error: only the caller may
/// reap it.
fn is_over(pid: u32) -> Result<bool, Problem> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|problem| format!("{path}: {problem}"))?;
    // The name before it, in parentheses, may contain any character.
    let (_, rest) = stat.rsplit_once(") ").ok_or_else(|| format!("{path} has no state"))?;
    Ok(rest.starts_with('Z'))
}

/// Returns user and system time of all threads of a process, including ended ones, to the
/// nanosecond.
///
/// # Errors
/// If there is no such process.
#[cfg(target_os = "linux")]
pub fn cpu_seconds(pid: u32) -> Result<f64, Problem> {
    let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
    let now = nix::time::ClockId::pid_cpu_clock_id(pid)?.now()?;
    Ok(Duration::from(now).as_secs_f64())
}

#[cfg(not(target_os = "linux"))]
pub fn cpu_seconds(_: u32) -> Result<f64, Problem> {
    Err("this system is not Linux".into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use nix::time::ClockId;

    use super::*;

    #[test]
    fn threads_that_have_ended_are_counted() {
        let me = std::process::id();
        let (before, worked) = (cpu_seconds(me).unwrap(), Duration::from_millis(20));
        let work = move || {
            let mine = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
            while mine() < worked {}
        };
        thread::spawn(work).join().unwrap();
        assert!(cpu_seconds(me).unwrap() - before >= worked.as_secs_f64());
    }

    #[test]
    fn a_process_that_has_ended_keeps_its_figures_until_it_is_reaped() {
        let mut child = Command::new("true").spawn().unwrap();
        let usage = watch(&mut child, || None).unwrap();
        assert!(usage.cpu > 0.0 && usage.sender.is_nan(), "{usage:?}");
        assert!(is_over(child.id()).is_err() && cpu_seconds(child.id()).is_err());
    }

    #[test]
    fn a_failed_consumer_is_an_error() {
        let problem = watch(&mut Command::new("false").spawn().unwrap(), || None).unwrap_err();
        assert_eq!(problem.to_string(), "a consumer failed: exit status: 1");
    }
}
