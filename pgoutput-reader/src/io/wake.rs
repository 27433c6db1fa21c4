//! Ending a blocked wait from elsewhere.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::syscall::timespec;

/// Wakes a connection that waits for the server, at once, from any thread.
///
/// [`wake`](Waker::wake) does one `write(2)` on a non-blocking socket and takes no lock, so that it may also be
/// called where a signal is handled. A wake-up while nobody waits is kept for the next wait; several are one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<UnixStream>);

impl Waker {
    /// Ends the wait that is going on, or the next one.
    pub fn wake(&self) {
        // A full pipe already holds a wake-up, and a closed one has nobody waiting.
        let _ = (&*self.0).write(&[1]);
    }
}

/// Wakes when it is dropped: also where a thread ends by a panic, somebody waits for it.
#[cfg(feature = "reader")]
#[derive(Debug)]
pub(crate) struct WakeAtEnd(pub(crate) Waker);

#[cfg(feature = "reader")]
impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// The end that is waited on. Clones are of the same pipe: only one at a time may wait.
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

    /// Waits until `deadline` for a wake-up, which is taken: whether there was one. A signal may end it early.
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

    /// Takes all wake-ups that have come.
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
