//! Waking a blocked wait from another thread.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::syscall::timespec;

/// A handle that wakes a connection waiting for the server, from any thread.
///
/// [`wake`](Waker::wake) does one `write(2)` on a non-blocking socket and takes no lock, so you may
/// call it in a signal handler. A wake-up outside a wait is kept for the next wait; several count
/// as one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<UnixStream>);

impl Waker {
    /// Ends the current wait, or the next one.
    pub fn wake(&self) {
        // A full pipe already has a wake-up in it, and nobody waits on a closed one.
        let _ = (&*self.0).write(&[1]);
    }
}

/// The end that is waited on. Clones share the pipe; only one at a time may wait.
#[derive(Debug, Clone)]
pub(crate) struct WakePipe {
    end: Arc<UnixStream>,
    waker: Waker,
}

impl WakePipe {
    pub(crate) fn new() -> io::Result<Self> {
        let (end, other) = UnixStream::pair()?;
        end.set_nonblocking(true)?;
        other.set_nonblocking(true)?;
        Ok(Self { end: Arc::new(end), waker: Waker(Arc::new(other)) })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Waits for a wake-up until `deadline` and consumes it. True if there was one. A signal may
    /// end the wait early.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> io::Result<bool> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut [PollFd::new(self, PollFlags::IN)], left.map(timespec).as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok(false),
            Ok(_) => {
                self.drain();
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Consumes all wake-ups.
    pub(super) fn drain(&self) {
        let mut wakeups = [0; 64];
        while matches!((&*self.end).read(&mut wakeups), Ok(len) if len > 0) {}
    }
}

impl AsFd for WakePipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}
