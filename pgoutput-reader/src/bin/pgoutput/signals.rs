//! SIGINT, SIGTERM and a reader of our output that goes away: each asks for an orderly end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use pgoutput_reader::StopHandle;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a slot that is being created may take to be given up; what else connecting waits for cannot be stopped.
const CONNECTING: Duration = Duration::from_secs(4);

/// How much longer the orderly end may take: in all, longer than ending the copy does. It takes for ever where
/// nobody reads our output.
const ENDING: Duration = Duration::from_secs(4);

/// What a program says that was stopped before there was anything to read.
pub(crate) const NOT_CONNECTED: &str =
    "stopped by a signal before it was connected; nothing was read";

/// What a signal stops, once there is something.
#[derive(Clone, Default)]
pub(crate) struct Signalled {
    stop: Arc<OnceLock<StopHandle>>,
    connected: Arc<AtomicBool>,
}

impl Signalled {
    /// From now on the first signal asks for the end, and a second one ends the program at once.
    pub(crate) fn catch() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: a signal acts on what was asked before it.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let signalled = Self::default();
        let handle = signalled.clone();
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                handle.end();
            }
        });
        Ok(signalled)
    }

    /// There is something to stop now.
    pub(crate) fn stops(&self, stop: StopHandle) {
        let _ = self.stop.set(stop);
    }

    /// From now on there is something to end in order.
    pub(crate) fn connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    /// What is not written out is not acknowledged, and comes again.
    #[expect(
        clippy::disallowed_methods,
        reason = "the main thread is blocked: it connects, or writes to a full pipe"
    )]
    fn end(&self) {
        if let Some(stop) = self.stop.get() {
            stop.stop();
        }
        thread::sleep(CONNECTING);
        // It may have been connected since the signal, and is ending in order then.
        if !self.connected.load(Ordering::Acquire) {
            crate::say(&NOT_CONNECTED);
            std::process::exit(1);
        }
        thread::sleep(ENDING);
        let seconds = (CONNECTING + ENDING).as_secs();
        crate::say(&format_args!(
            "could not end in order within {seconds} s; what was not confirmed comes again"
        ));
        std::process::exit(1);
    }
}

/// A pipe whose other end is closed shows itself only at the next write, which on a quiet stream never comes.
pub(crate) fn stop_on_closed_output(stop: StopHandle) {
    thread::spawn(move || {
        let stdout = io::stdout();
        // Without events asked for, only errors and hang-ups end the wait.
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        loop {
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return stop.stop(),
                Err(_) => return,
            }
        }
    });
}
