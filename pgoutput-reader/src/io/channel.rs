//! A socket with what has arrived, what waits to be sent, and a way to end its waits.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::inbox::Inbox;
use super::read_delay::Gather;
use super::syscall::{retry, timespec};
#[cfg(feature = "tls")]
use super::tls::TlsSettings;
use super::transport::Transport;
use super::wake::{WakePipe, Waker};
use super::writer::{Outbox, Writer};
use crate::Error;
#[cfg(feature = "tls")]
use crate::error::TlsError;

/// Most bytes taken in while waiting for the server to read: enough for it to get on, and bounded.
const BACKLOG_LIMIT: usize = 1024 * 1024;

/// Writing never blocks: what the socket does not take is sent on the next wait. So the two sides cannot wait for each other
/// with all buffers full.
pub(crate) struct Channel {
    transport: Transport,
    address: String,
    wake: WakePipe,
    pub(crate) inbox: Inbox,
    writer: Writer,
    gather: Gather,
    heard_at: Instant,
    /// The last read left room, so the socket is probably empty: wait before the next one.
    drained: bool,
}

/// What a wait for bytes ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// At least one byte more.
    More,
    TimedOut,
    Woken,
    /// The server has closed the connection; nothing more will come.
    Closed,
}

/// The longest rest on a Unix socket. It holds some hundreds of changes, however short they are: behind them the server would wait for us.
const UNIX_REST: Duration = Duration::from_micros(300);

impl Channel {
    pub(crate) fn new(
        transport: Transport,
        address: String,
        limit: usize,
        rest: Duration,
    ) -> Result<Self, Error> {
        let is_unix = matches!(transport, Transport::Unix(_));
        let rest = if is_unix { rest.min(UNIX_REST) } else { rest };
        let wake = WakePipe::new()
            .map_err(|error| Error::io("making a wake pipe for", &address, error))?;
        Ok(Self {
            writer: Writer::new(transport.clone(), &address),
            transport,
            address,
            wake,
            inbox: Inbox::new(limit),
            gather: Gather::new(rest),
            heard_at: Instant::now(),
            drained: true,
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn waker(&self) -> Waker {
        self.wake.waker()
    }

    /// What wakes this channel.
    #[cfg(feature = "reader")]
    pub(crate) fn wake_pipe(&self) -> WakePipe {
        self.wake.clone()
    }

    /// Is woken by this from now on; wakers given out before wake it no more.
    #[cfg(feature = "reader")]
    pub(crate) fn set_wake_pipe(&mut self, wake: WakePipe) {
        self.wake = wake;
    }

    /// The writing side, for another thread.
    pub(crate) fn writer(&self) -> Writer {
        self.writer.clone()
    }

    /// When bytes came last.
    pub(crate) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Where messages to be sent are put together; [`flush`](Self::flush) or [`try_flush`](Self::try_flush) sends them.
    pub(crate) fn outbox(&mut self) -> Outbox<'_> {
        self.writer.outbox()
    }

    /// Sends what the socket takes now. The rest goes with the next wait, as long as it is little.
    pub(crate) fn try_flush(&mut self) -> Result<(), Error> {
        self.writer.outbox().try_flush()
    }

    /// Sends everything, waiting for the server to read where needed, until `deadline`.
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
            // A server that is itself stuck sending gets on when we take that in.
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

    /// Waits until at least one more byte is in the inbox, sending what still waits to be sent.
    ///
    /// A read is tried before this gives [`Fill::TimedOut`], also when `deadline` has passed.
    pub(crate) fn fill(&mut self, deadline: Option<Instant>) -> Result<Fill, Error> {
        // A stream that never pauses never waits, and what we have to say must go out all the same.
        self.send()?;
        if !self.drained
            && let Some(received) = self.receive(false)?
        {
            return Ok(if received == 0 { Fill::Closed } else { Fill::More });
        }
        let now = Instant::now();
        if let Some(rest) = self.gather.rest(now) {
            let end = now + rest;
            let until = deadline.map_or(end, |deadline| end.min(deadline));
            if until > now && self.rest(until)? {
                return Ok(Fill::Woken);
            }
            // A deadline only cuts the rest short: a caller that polls must read something too.
            let rested = rest.is_zero() || until == end;
            if let Some(received) = self.receive(rested)? {
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

    /// The same for an exchange that has to end: a server that never pauses is left at the deadline too.
    pub(crate) fn fill_by(&mut self, deadline: Option<Instant>) -> Result<Fill, Error> {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(Fill::TimedOut);
        }
        self.fill(deadline)
    }

    /// Protects the connection with TLS from here on: the handshake, until `deadline`. Nothing may have arrived that was not taken.
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
        // What comes right behind the handshake may have been read with its end.
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
            // A server that never pauses is left at the deadline too.
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

    /// The error for a connection the server has closed.
    pub(crate) fn closed(&self, doing: &'static str) -> Error {
        let closed =
            io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection");
        Error::io(doing, &self.address, closed)
    }

    /// One read, after a rest or without; `None` when there is nothing to read yet, 0 at the end.
    fn receive(&mut self, rested: bool) -> Result<Option<usize>, Error> {
        let room = self.inbox.room();
        let offered = room.len();
        let read = retry(|| self.transport.read(room));
        match read {
            Ok(len) => {
                self.inbox.filled(len);
                self.heard_at = Instant::now();
                self.gather.read(self.heard_at, len, rested);
                self.drained = len < offered;
                Ok(Some(len))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.drained = true;
                self.gather.read(Instant::now(), 0, rested);
                Ok(None)
            }
            Err(error) => Err(Error::io("reading from", &self.address, error)),
        }
    }

    fn send(&mut self) -> Result<(), Error> {
        self.writer.outbox().send()
    }

    /// Lets data gather until then; true when a wake-up cut it short. A signal only makes it shorter.
    fn rest(&self, until: Instant) -> Result<bool, Error> {
        self.wake.wait(Some(until)).map_err(|error| Error::io("waiting for", &self.address, error))
    }

    /// Waits for the socket, a wake-up or the deadline. A wake-up is taken here.
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
                // A signal: the deadline is looked at again.
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => {
                    let [socket, wake] = fds.map(|fd| fd.revents());
                    // An error or hang-up shows itself in the read or write.
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

/// What `poll` came back with.
enum WaitOutcome {
    TimedOut,
    Woken,
    Ready { readable: bool, writable: bool },
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
