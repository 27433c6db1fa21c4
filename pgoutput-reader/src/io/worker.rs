//! Work on a thread of its own, whose end wakes the reader.

use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::stop::StopHandle;
use super::wake::{WakePipe, Waker};
use crate::error::Error;

/// The pipe that a wait for a worker waits on, and the handle that ends the wait early.
pub(crate) struct Waits {
    pub(crate) wake: WakePipe,
    pub(crate) stop: StopHandle,
}

/// Wakes when it is dropped, which a panic does too.
struct WakeAtEnd(Waker);

impl Drop for WakeAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Starts `work` on a thread. Its end wakes `done`, also if it panics: then the receiver is
/// disconnected.
///
/// # Errors
/// No thread could be started.
pub(crate) fn start<T: Send + 'static>(
    name: &str,
    address: &str,
    done: Option<Waker>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>, Error> {
    let (sender, result) = channel();
    thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            // Dropped in reverse order, also by a panic: the sender first, so that a woken reader
            // sees that no result will come.
            let _done = done.map(WakeAtEnd);
            let sender = sender;
            // A result that is no longer waited for is dropped here, with its connection.
            let _ = sender.send(work());
        })
        .map_err(|error| Error::io("starting a thread for", address, error))?;
    Ok(result)
}
