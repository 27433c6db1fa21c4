//! SIGINT, SIGTERM and a reader of our output that goes away: each asks for an orderly end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use pgoutput_reader::StopHandle;
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// From now on the first signal asks for the end, and a second one ends the program at once.
pub(crate) fn stop_on_signals(stop: StopHandle) -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: a signal acts on what was asked before it.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
        signal_hook::flag::register(signal, Arc::clone(&asked))?;
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            stop.stop();
        }
    });
    Ok(())
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
