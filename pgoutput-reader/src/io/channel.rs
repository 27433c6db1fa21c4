//! A socket with its buffers for received and unsent bytes, and a way to end its waits.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::inbox::Inbox;
use super::read_delay::ReadDelay;
use super::syscall::{retry, timespec};
#[cfg(feature = "tls")]
use super::tls::TlsSettings;
use super::transport::Transport;
use super::wake::{WakePipe, Waker};
use super::writer::{Outbox, Writer};
use crate::error::Error;
#[cfg(feature = "tls")]
use crate::error::TlsError;

/// The most bytes received while waiting for the server to read: enough to unblock it, and bounded.
const BACKLOG_LIMIT: usize = 1024 * 1024;

/// A non-blocking connection. Bytes that the socket does not accept are sent during the next wait,
/// so the two sides cannot wait for each other with all buffers full.
pub(crate) struct Channel {
    transport: Transport,
    address: String,
    wake: WakePipe,
    pub(crate) inbox: Inbox,
    writer: Writer,
    read_delay: ReadDelay,
    received_at: Instant,
    /// Whether the last read did not fill the buffer. The socket is then probably empty, so wait
    /// before the next read.
    drained: bool,
}

/// The result of a wait for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// At least one more byte was received.
    More,
    TimedOut,
    Woken,
    /// The server has closed the connection.
    Closed,
}

/// The longest delay on a Unix socket, whose buffer holds a few hundred changes, however short they
/// are. When it is full, the server would wait for the client.
const UNIX_DELAY: Duration = Duration::from_micros(300);

impl Channel {
    pub(crate) fn new(
        transport: Transport,
        address: String,
        limit: usize,
        delay: Duration,
    ) -> Result<Self, Error> {
        let is_unix = matches!(transport, Transport::Unix(_));
        let delay = if is_unix { delay.min(UNIX_DELAY) } else { delay };
        let wake = WakePipe::new()
            .map_err(|error| Error::io("creating a wake pipe for", &address, error))?;
        Ok(Self {
            writer: Writer::new(transport.clone(), &address),
            transport,
            address,
            wake,
            inbox: Inbox::new(limit),
            read_delay: ReadDelay::new(delay),
            received_at: Instant::now(),
            drained: true,
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn waker(&self) -> Waker {
        self.wake.waker()
    }

    /// The pipe that wakes this channel.
    #[cfg(feature = "reader")]
    pub(crate) fn wake_pipe(&self) -> WakePipe {
        self.wake.clone()
    }

    /// Replaces the pipe that wakes this channel. Wakers of the previous pipe have no effect any
    /// more.
    #[cfg(feature = "reader")]
    pub(crate) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.wake = wake;
    }

    /// The writing side, for another thread.
    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// The time at which bytes were last received.
    pub(crate) fn received_at(&self) -> Instant {
        self.received_at
    }

    /// The buffer for messages to be sent; [`flush`](Self::flush) or [`try_flush`](Self::try_flush)
    /// sends them.
    pub(crate) fn outbox(&mut self) -> Outbox<'_> {
        self.writer.outbox()
    }

    /// Sends what the socket accepts now. The rest is sent during the next wait, unless it is too
    /// long.
    pub(crate) fn try_flush(&mut self) -> Result<(), Error> {
        self.writer.outbox().try_flush()
    }

    /// Sends everything until `deadline`, and waits for the server to read if necessary.
    pub(crate) fn flush(
        &mut self,
        deadline: Option<Instant>,
        doing: &'static str,
    ) -> Result<(), Error> {
        let mut backlog = 0;
        loop {
            self.send()?;
            if !self.writer.pending() {
                return Ok(());
            }
            // A server that is blocked on sending continues once this side has read.
            let reading = backlog < BACKLOG_LIMIT;
            let readable = match self.wait(reading, deadline)? {
                WaitOutcome::TimedOut => return Err(Error::timeout(doing, &self.address)),
                WaitOutcome::Woken => return Err(Error::stopped(doing, &self.address)),
                WaitOutcome::Ready { readable, .. } => readable,
            };
            if readable && reading {
                match self.receive(false)? {
                    Some(0) => return Err(self.closed(doing)),
                    received => backlog += received.unwrap_or(0),
                }
            }
        }
    }

    /// Waits until at least one more byte is in the inbox, and sends unsent bytes meanwhile.
    ///
    /// Always tries a read before it returns [`Fill::TimedOut`], even if `deadline` has passed.
    pub(crate) fn fill(&mut self, deadline: Option<Instant>) -> Result<Fill, Error> {
        // A busy stream never gets to the wait, and unsent bytes must be sent nevertheless.
        self.send()?;
        if !self.drained
            && let Some(received) = self.receive(false)?
        {
            return Ok(if received == 0 { Fill::Closed } else { Fill::More });
        }
        let now = Instant::now();
        if let Some(delay) = self.read_delay.remaining(now) {
            let end = now + delay;
            let until = deadline.map_or(end, |deadline| end.min(deadline));
            if until > now && self.delay(until)? {
                return Ok(Fill::Woken);
            }
            // A deadline only shortens the delay: a caller that polls must receive something too.
            let delayed = delay.is_zero() || until == end;
            if let Some(received) = self.receive(delayed)? {
                return Ok(if received == 0 { Fill::Closed } else { Fill::More });
            }
        }
        loop {
            let (readable, writable) = match self.wait(true, deadline)? {
                WaitOutcome::TimedOut => return Ok(Fill::TimedOut),
                WaitOutcome::Woken => return Ok(Fill::Woken),
                WaitOutcome::Ready { readable, writable } => (readable, writable),
            };
            if writable {
                self.send()?;
            }
            if readable && let Some(received) = self.receive(false)? {
                return Ok(if received == 0 { Fill::Closed } else { Fill::More });
            }
        }
    }

    /// Does the same as [`fill`](Self::fill) for an exchange that must end: it also gives up on a
    /// server that never pauses.
    pub(crate) fn fill_by(&mut self, deadline: Option<Instant>) -> Result<Fill, Error> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Fill::TimedOut);
        }
        self.fill(deadline)
    }

    /// Starts TLS: the handshake, until `deadline`. No received byte may be unread.
    #[cfg(feature = "tls")]
    pub(crate) fn secure(
        mut self,
        settings: &TlsSettings,
        deadline: Option<Instant>,
        direct: bool,
    ) -> Result<Self, Error> {
        const DOING: &str = "the TLS handshake with";
        let injected = self.inbox.unread().len();
        if injected > 0 {
            return Err(TlsError::Injected(injected).into());
        }
        let transport = self.transport.secured(settings.connection()?);
        // Bytes that follow the handshake may have been read with its end.
        let writer = Writer::new(transport.clone(), &self.address);
        self = Self { transport, writer, drained: false, ..self };
        let Some(tls) = self.transport.tls() else { return Ok(self) };
        loop {
            match tls.handshake() {
                Ok(true) => break,
                Ok(false) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                    ) => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::UnexpectedEof
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::BrokenPipe
                    ) =>
                {
                    return Err(TlsError::Closed { direct }.into());
                }
                Err(error) => return Err(Error::io(DOING, &self.address, error)),
            }
            // Also gives up at the deadline on a server that never pauses.
            let late = deadline.is_some_and(|deadline| deadline <= Instant::now());
            match self.wait(true, deadline)? {
                WaitOutcome::Woken => return Err(Error::stopped(DOING, &self.address)),
                WaitOutcome::Ready { .. } if !late => {}
                _ => return Err(Error::timeout(DOING, &self.address)),
            }
        }
        if direct && !tls.is_postgresql() {
            return Err(TlsError::NoAlpn.into());
        }
        settings.check()?;
        Ok(self)
    }

    /// The hash of the server's certificate for channel binding.
    #[cfg(feature = "tls")]
    pub(crate) fn end_point(&self) -> Option<Vec<u8>> {
        self.transport.tls()?.end_point()
    }

    /// The error for a connection that the server has closed.
    pub(crate) fn closed(&self, doing: &'static str) -> Error {
        let closed =
            io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
        Error::io(doing, &self.address, closed)
    }

    /// Reads once. `delayed` is whether a whole delay came before. `None` if there is nothing to
    /// read yet, 0 at the end.
    fn receive(&mut self, delayed: bool) -> Result<Option<usize>, Error> {
        let space = self.inbox.space();
        let offered = space.len();
        let read = retry(|| self.transport.read(space));
        match read {
            Ok(len) => {
                self.inbox.filled(len);
                self.received_at = Instant::now();
                self.read_delay.read(self.received_at, len, delayed);
                self.drained = len < offered;
                Ok(Some(len))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                self.read_delay.read(Instant::now(), 0, delayed);
                Ok(None)
            }
            Err(error) => Err(Error::io("reading from", &self.address, error)),
        }
    }

    fn send(&mut self) -> Result<(), Error> {
        self.writer.outbox().send()
    }

    /// Waits until then, so that data accumulates. True if a wake-up ended the wait. A signal may
    /// end it early.
    fn delay(&self, until: Instant) -> Result<bool, Error> {
        self.wake.wait(Some(until)).map_err(|error| Error::io("waiting for", &self.address, error))
    }

    /// Waits for the socket, a wake-up or the deadline. Consumes the wake-up.
    fn wait(&self, reading: bool, deadline: Option<Instant>) -> Result<WaitOutcome, Error> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, reading);
        events.set(PollFlags::OUT, self.writer.pending());
        loop {
            let mut fds =
                [PollFd::new(&self.transport, events), PollFd::new(&self.wake, PollFlags::IN)];
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match poll(&mut fds, left.map(timespec).as_ref()) {
                Ok(0) if left.is_some() => {
                    return Ok(WaitOutcome::TimedOut);
                }
                // A signal: check the deadline again.
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    let [socket, wake] = fds.map(|fd| fd.revents());
                    // The read or write reports an error or hang-up.
                    let broken = socket.intersects(PollFlags::ERR | PollFlags::HUP);
                    if wake.contains(PollFlags::IN) {
                        self.wake.drain();
                        return Ok(WaitOutcome::Woken);
                    }
                    return Ok(WaitOutcome::Ready {
                        readable: broken || socket.contains(PollFlags::IN),
                        writable: broken || socket.contains(PollFlags::OUT),
                    });
                }
                Err(error) => return Err(Error::io("waiting for", &self.address, error.into())),
            }
        }
    }
}

/// The result of `poll`.
enum WaitOutcome {
    TimedOut,
    Woken,
    Ready { readable: bool, writable: bool },
}

#[cfg(test)]
mod tests;
