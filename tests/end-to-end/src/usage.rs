//! What processes have used, as Linux counts it.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::Problem;

/// What one consumer's run took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// From its start to its end, in seconds.
    pub wall: f64,
    /// The consumer's own CPU time, user and system, in seconds.
    pub cpu: f64,
    /// That of the server process that sent to it.
    pub sender: f64,
    /// The most memory it had resident, in KiB.
    pub memory: f64,
    /// How often it waited.
    pub waits: f64,
}

/// Watches a consumer until it ends. `sender` finds the process that sends to it, once it is there.
///
/// # Errors
/// When the consumer fails.
pub fn watch(child: &mut Child, mut sender: impl FnMut() -> Option<u32>) -> Result<Usage, Problem> {
    let start = Instant::now();
    let (mut usage, mut sender_pid) = (Usage::default(), None);
    // The process is not reaped before its last figures were read.
    while !is_over(child.id()) {
        usage.read_status(child.id());
        sender_pid = sender_pid.or_else(&mut sender);
        // It ends by itself when the connection does: the figure that counts is the last.
        let used = sender_pid.and_then(cpu_seconds);
        usage.sender = used.unwrap_or(usage.sender).max(usage.sender);
        thread::sleep(Duration::from_millis(2));
    }
    usage.wall = start.elapsed().as_secs_f64();
    usage.cpu = cpu_seconds(child.id()).unwrap_or_default();
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

fn is_over(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with('Z') || rest.is_empty())
}

/// User and system time of all threads that there are, to the nanosecond.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let nanos = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    Some(nanos.sum::<f64>() / 1e9)
}
