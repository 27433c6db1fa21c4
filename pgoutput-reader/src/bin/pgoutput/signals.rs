//! SIGINT, SIGTERM and a closed output pipe: each requests an orderly end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use pgoutput_reader::StopHandle;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The time for cancelling the creation of a slot. The rest of connecting cannot be stopped.
const CONNECTING: Duration = Duration::from_secs(4);

/// The additional time for an orderly end. Together they are longer than ending the copy takes, but
/// not if nobody reads the output.
const SHUTDOWN: Duration = Duration::from_secs(4);

/// The message of a program that was stopped before there was anything to read.
pub(crate) const NOT_CONNECTED: &str =
    "stopped by a signal before it was connected; nothing was read";

/// The reader that a signal stops, once there is one.
#[derive(Clone, Default)]
pub(crate) struct SignalTarget {
    stop: Arc<OnceLock<StopHandle>>,
    connected: Arc<AtomicBool>,
    requested: Arc<AtomicBool>,
}

impl SignalTarget {
    /// Installs the handlers. The first signal requests the end, and a second one ends the program
    /// at once.
    pub(crate) fn install() -> io::Result<Self> {
        let is_requested = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that a signal acts on the request of an earlier one.
            signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&is_requested))?;
            signal_hook::flag::register(signal, Arc::clone(&is_requested))?;
        }
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let signalled = Self { requested: Arc::clone(&is_requested), ..Self::default() };
        let handle = signalled.clone();
        thread::spawn(move || {
            if wait(&mut signals, &is_requested) {
                handle.end();
            }
        });
        Ok(signalled)
    }

    /// Sets the handle that stops the reader.
    pub(crate) fn set_stop_handle(&self, stop: StopHandle) {
        let _ = self.stop.set(stop);
    }

    /// Notes that there is a connection to end in an orderly way.
    pub(crate) fn connected(&self) {
        self.connected.store(true, Ordering::Release);
    }

    /// Returns whether the end was requested.
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Requests the end, as a signal does.
    #[cfg(test)]
    pub(crate) fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Stops the reader, and ends the program if that takes too long. Changes that were not written
    /// are not acknowledged, and are sent again.
    #[expect(
        clippy::disallowed_methods,
        reason = "the main thread is blocked: it connects, or writes to a full pipe"
    )]
    fn end(&self) {
        if let Some(stop) = self.stop.get() {
            stop.stop();
        }
        thread::sleep(CONNECTING);
        // It may have connected since the signal, and is then ending in an orderly way.
        if !self.connected.load(Ordering::Acquire) {
            crate::print_line(&NOT_CONNECTED);
            std::process::exit(1);
        }
        thread::sleep(SHUTDOWN);
        let seconds = (CONNECTING + SHUTDOWN).as_secs();
        crate::print_line(&format_args!(
            "could not end in an orderly way within {seconds} s; unconfirmed changes are sent again"
        ));
        std::process::exit(1);
    }
}

/// Waits for a signal, and returns whether there was one. `signals` lacks a signal that came after
/// the flag's handler was installed and before its own, but the flag has it.
fn wait(signals: &mut Signals, is_requested: &AtomicBool) -> bool {
    is_requested.load(Ordering::SeqCst) || signals.forever().next().is_some()
}

/// Stops when the other end of the output pipe is closed. Only the next write would notice, which
/// never comes on an idle stream.
pub(crate) fn stop_on_closed_output(stop: StopHandle) {
    thread::spawn(move || {
        let stdout = io::stdout();
        // Without requested events, only errors and hang-ups end the wait.
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_signal_before_the_last_handler_is_not_lost() {
        let (sender, result) = mpsc::channel();
        thread::spawn(move || {
            let mut signals = Signals::new([signal_hook::consts::SIGUSR2]).unwrap();
            sender.send(wait(&mut signals, &AtomicBool::new(true))).unwrap();
        });
        assert_eq!(result.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}
