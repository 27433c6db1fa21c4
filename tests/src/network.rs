//! A network between a client and a server on 127.0.0.1 that fails on request.
//!
//! It passes bytes and does not know messages. [`Proxy`](crate::Proxy) changes messages.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The largest number of bytes that are passed at once.
const CHUNK_LIMIT: usize = 16 * 1024;

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// The condition of one direction, for all connections together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Passes everything.
    Clear,
    /// Cuts the connection in both directions after this number of bytes. Then the condition is
    /// `Clear` again.
    Cut(usize),
    /// Closes this direction of the connection after this number of bytes. Then the condition is
    /// `Clear` again for other connections.
    HalfClose(usize),
    /// Passes nothing after this number of bytes until the condition changes. Nothing is lost.
    Stall(usize),
    /// Delays everything by this duration.
    Delay(Duration),
}

/// Accepts connections until the process ends, with two threads for each.
#[derive(Debug)]
pub struct Network {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    to_server: Condition,
    to_client: Condition,
    /// Nothing arrives, in either direction.
    lost: bool,
    /// The number of further connections that are accepted, if limited.
    admitted: Option<usize>,
    /// The number of connections that were cut, closed in one direction or lost.
    faults: usize,
    /// The number of connections that were opened while nothing arrives, or beyond the limit.
    waiting: usize,
    /// Both ends of every current connection.
    open: Vec<(u64, TcpStream, TcpStream)>,
}

/// The decision about received bytes.
enum Decision {
    /// This number of bytes is passed.
    Pass(usize),
    /// This number of bytes is passed, then the connection is cut.
    Cut(usize),
    /// This number of bytes is passed, then this direction is closed.
    HalfClose(usize),
}

impl Network {
    /// Listens in front of the server at `port` of 127.0.0.1, and is clear.
    ///
    /// # Panics
    /// If no port is free.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let state = State {
            to_server: Condition::Clear,
            to_client: Condition::Clear,
            lost: false,
            admitted: None,
            faults: 0,
            waiting: 0,
            open: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let network = Self { port: own, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for (number, client) in (0..).zip(listener.incoming().map_while(Result::ok)) {
                let shared = Arc::clone(&shared);
                // Either side may close at any time.
                thread::spawn(move || drop(shared.connect(number, &client, port)));
            }
        });
        network
    }

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets the condition of one direction.
    pub fn set(&self, direction: Direction, condition: Condition) {
        *self.shared.lock().condition(direction) = condition;
        self.shared.changed.notify_all();
    }

    /// Returns the condition of one direction: [`Clear`](Condition::Clear) again after a cut.
    pub fn condition(&self, direction: Direction) -> Condition {
        *self.shared.lock().condition(direction)
    }

    /// Silently drops everything from now on. [`restore`](Self::restore) closes the connections that
    /// would have lost data.
    pub fn discard(&self) {
        self.shared.lock().lost = true;
    }

    /// Accepts this number of further connections. All others wait for [`restore`](Self::restore).
    pub fn accept(&self, connections: usize) {
        self.shared.lock().admitted = Some(connections);
    }

    /// Passes everything again.
    pub fn restore(&self) {
        let mut state = self.shared.lock();
        (state.to_server, state.to_client) = (Condition::Clear, Condition::Clear);
        (state.lost, state.admitted) = (false, None);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Cuts every current connection.
    pub fn cut(&self) {
        let mut state = self.shared.lock();
        state.faults += state.open.len();
        for (_, client, server) in state.open.drain(..) {
            close(&client, &server);
        }
    }

    /// Returns how many connections wait for a lost answer, or to be accepted.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting
    }

    /// Returns how many connections have been cut, closed in one direction or lost so far.
    pub fn faults(&self) -> usize {
        self.shared.lock().faults
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic in the middle of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self, number: u64, client: &TcpStream, port: u16) -> io::Result<()> {
        self.lock().waiting += 1;
        self.wait_until_accepted();
        let lost = self.discards_until_restored();
        self.lock().waiting -= 1;
        if lost {
            return Ok(());
        }
        let server = TcpStream::connect(("127.0.0.1", port))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ends = (client.try_clone()?, server.try_clone()?);
        self.lock().open.push((number, ends.0, ends.1));
        thread::scope(|scope| {
            scope.spawn(|| self.forward(Direction::ToServer, client, &server));
            scope.spawn(|| self.forward(Direction::ToClient, &server, client));
        });
        self.lock().open.retain(|(open, ..)| *open != number);
        Ok(())
    }

    /// Passes bytes until one side or the network ends it.
    fn forward(&self, direction: Direction, from: &TcpStream, to: &TcpStream) {
        if self.forward_chunks(direction, from, to).is_err() {
            close(from, to);
        }
        // Closes only this direction. The other one ends by itself.
        let _ = to.shutdown(Shutdown::Write);
    }

    /// Passes bytes in one direction. An error ends both directions.
    fn forward_chunks(
        &self,
        direction: Direction,
        mut from: &TcpStream,
        mut to: &TcpStream,
    ) -> io::Result<()> {
        let cut = || Err(io::ErrorKind::ConnectionAborted.into());
        let mut buffer = vec![0; CHUNK_LIMIT];
        loop {
            let len = from.read(&mut buffer)?;
            if self.discards_until_restored() {
                return cut();
            }
            if len == 0 {
                return Ok(());
            }
            let mut rest = &buffer[..len];
            while !rest.is_empty() {
                let (pass, end) = match self.decide(direction, rest.len())? {
                    Decision::Pass(pass) => (pass, None),
                    Decision::Cut(pass) => (pass, Some(cut())),
                    Decision::HalfClose(pass) => (pass, Some(Ok(()))),
                };
                let (now, later) = rest.split_at(pass);
                to.write_all(now)?;
                match end {
                    Some(Ok(())) => {
                        to.shutdown(Shutdown::Write)?;
                        // The rest is discarded.
                        return io::copy(&mut from, &mut io::sink()).map(drop);
                    }
                    Some(cut) => return cut,
                    None => rest = later,
                }
            }
        }
    }

    fn wait_until_accepted(&self) {
        let mut state = self.lock();
        while state.admitted == Some(0) {
            state = self.wait(state);
        }
        state.admitted = state.admitted.map(|left| left - 1);
    }

    /// Returns whether the network was lost. A connection that had data to pass is then closed.
    fn discards_until_restored(&self) -> bool {
        let mut state = self.lock();
        let lost = state.lost;
        state.faults += usize::from(lost);
        while state.lost {
            state = self.wait(state);
        }
        lost
    }

    fn decide(&self, direction: Direction, len: usize) -> io::Result<Decision> {
        let mut state = self.lock();
        loop {
            if state.lost {
                drop(state);
                self.discards_until_restored();
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let condition = state.condition(direction);
            match condition {
                Condition::Clear => return Ok(Decision::Pass(len)),
                Condition::Delay(time) => {
                    let time = *time;
                    drop(state);
                    thread::sleep(time);
                    return Ok(Decision::Pass(len));
                }
                Condition::Stall(0) => state = self.wait(state),
                Condition::Cut(left) | Condition::HalfClose(left) if *left <= len => {
                    let (left, is_cut) = (*left, matches!(condition, Condition::Cut(_)));
                    *condition = Condition::Clear;
                    state.faults += 1;
                    return Ok(if is_cut {
                        Decision::Cut(left)
                    } else {
                        Decision::HalfClose(left)
                    });
                }
                Condition::Cut(left) | Condition::HalfClose(left) | Condition::Stall(left) => {
                    let pass = len.min(*left);
                    *left -= pass;
                    return Ok(Decision::Pass(pass));
                }
            }
        }
    }
}

impl State {
    fn condition(&mut self, direction: Direction) -> &mut Condition {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// Closes both directions. They may be closed already.
fn close(one: &TcpStream, other: &TcpStream) {
    let _ = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests;
