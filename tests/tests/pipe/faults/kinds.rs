//! Kinds of faults.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{Server, StopMode};
use pgoutput_tests::{Condition, Direction, Network, Random};
use rustix::process::Signal;

use super::program::Program;
use crate::destination::Destination;

/// The time limit of a fault that depends on passing bytes.
const LIMIT: Duration = Duration::from_millis(400);

/// Everything that a fault can strike.
pub(super) struct Victims<'a> {
    pub(super) program: &'a Program<'a>,
    pub(super) server: &'a Server,
    pub(super) destination: &'a (dyn Destination + Sync),
    /// Between the program and PostgreSQL.
    pub(super) source: &'a Network,
    /// Between the program and the engine, of runs with even and with odd numbers.
    pub(super) engine: Option<&'a [Network; 2]>,
    /// Held while PostgreSQL, or the engine, is restarted.
    pub(super) restart: Mutex<()>,
}

/// A network between the program and a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Engine,
}

#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// `kill -9` of the program.
    Kill,
    /// SIGTERM of the program.
    Term,
    /// `kill -9` of the engine, which is down for this time.
    Engine(Duration),
    /// An immediate stop of PostgreSQL.
    Crash,
    /// Every connection is cut at once.
    CutNow(Side),
    /// A connection is cut after this number of bytes.
    Cut(Side, Direction, usize),
    HalfClose(Side, Direction, usize),
    Stall(Side, Direction, usize, Duration),
    Delay(Side, Direction, Duration),
    /// The network loses everything for this time.
    Lose(Side, Duration),
    /// The program is killed while bytes of it are on the way to the engine. They arrive after the
    /// next run has connected.
    Late(usize, Duration),
    /// The second fault begins this long after the first.
    Both(Box<Fault>, Duration, Box<Fault>),
}

fn millis(random: &mut Random, below: usize) -> Duration {
    Duration::from_millis(random.below(below) as u64)
}

impl Fault {
    pub(super) fn any(random: &mut Random, has_engine: bool) -> Self {
        if random.one_in(4) {
            let (one, other) = (Self::one(random, has_engine), Self::one(random, has_engine));
            return Self::Both(Box::new(one), millis(random, 120), Box::new(other));
        }
        Self::one(random, has_engine)
    }

    fn one(random: &mut Random, has_engine: bool) -> Self {
        let direction = *random.one_of(&[Direction::ToClient, Direction::ToServer]);
        let side = if has_engine && !random.one_in(3) { Side::Engine } else { Side::Source };
        let range = *random.one_of(&match direction {
            Direction::ToServer if side == Side::Source => [45, 400, 2000],
            // Answers are short.
            Direction::ToClient if side == Side::Engine => [10, 60, 400],
            _ => [300, 5000, 200_000],
        });
        let bytes = random.below(range);
        match random.below(20) {
            0..5 => Self::Kill,
            5 => Self::Term,
            6..9 if has_engine => Self::Engine(millis(random, 400)),
            9 | 10 => Self::Crash,
            11 => Self::CutNow(side),
            6..9 | 12..15 => Self::Cut(side, direction, bytes),
            15 => Self::HalfClose(side, direction, bytes),
            16 => Self::Stall(side, direction, bytes, millis(random, 600)),
            17 => Self::Delay(side, direction, millis(random, 20)),
            18 => Self::Lose(side, millis(random, 500)),
            _ if has_engine => Self::Late(bytes, millis(random, 800)),
            _ => Self::Term,
        }
    }

    /// Causes the fault, and repairs everything that it broke. Returns false if the bytes that it
    /// depends on did not pass.
    pub(super) fn happen(&self, victims: &Victims<'_>) -> bool {
        match self {
            Self::Kill => victims.program.signal(Signal::KILL),
            Self::Term => victims.program.signal(Signal::TERM),
            Self::Engine(time) => {
                let _one_at_a_time = victims.restart.lock().unwrap();
                victims.destination.kill();
                thread::sleep(*time);
                victims.destination.restart();
            }
            Self::Crash => {
                let _one_at_a_time = victims.restart.lock().unwrap();
                victims.server.restart(StopMode::Immediate).unwrap();
            }
            Self::CutNow(side) => victims.each(*side, Network::cut),
            Self::Cut(side, direction, bytes) => {
                return victims.strike(*side, *direction, Condition::Cut(*bytes));
            }
            Self::HalfClose(side, direction, bytes) => {
                return victims.strike(*side, *direction, Condition::HalfClose(*bytes));
            }
            Self::Stall(side, direction, bytes, time) => {
                victims.each(*side, |network| network.set(*direction, Condition::Stall(*bytes)));
                thread::sleep(*time);
                victims.each(*side, Network::restore);
            }
            Self::Delay(side, direction, time) => {
                victims.each(*side, |network| network.set(*direction, Condition::Delay(*time)));
                thread::sleep(20 * *time);
                victims.each(*side, Network::restore);
            }
            Self::Lose(side, time) => {
                victims.each(*side, Network::discard);
                thread::sleep(*time);
                victims.each(*side, Network::restore);
            }
            Self::Late(bytes, time) => {
                let Some(networks) = victims.engine else { return false };
                let network = &networks[victims.program.runs() % 2];
                network.set(Direction::ToServer, Condition::Stall(*bytes));
                thread::sleep(*time / 2);
                victims.program.signal(Signal::KILL);
                thread::sleep(*time);
                network.restore();
            }
            Self::Both(one, pause, other) => {
                return thread::scope(|scope| {
                    let one = scope.spawn(|| one.happen(victims));
                    thread::sleep(*pause);
                    let other = other.happen(victims);
                    one.join().unwrap() || other
                });
            }
        }
        true
    }
}

impl Victims<'_> {
    fn networks(&self, side: Side) -> &[Network] {
        match (side, self.engine) {
            (Side::Source, _) | (_, None) => std::slice::from_ref(self.source),
            (Side::Engine, Some(networks)) => networks,
        }
    }

    fn each(&self, side: Side, act: impl Fn(&Network)) {
        self.networks(side).iter().for_each(act);
    }

    /// Sets a condition that ends by itself, and returns whether it did in time.
    fn strike(&self, side: Side, direction: Direction, condition: Condition) -> bool {
        self.each(side, |network| network.set(direction, condition));
        let deadline = Instant::now() + LIMIT;
        let is_clear = |network: &Network| network.condition(direction) == Condition::Clear;
        let happened = loop {
            if self.networks(side).iter().any(is_clear) {
                break true;
            }
            if Instant::now() >= deadline {
                break false;
            }
            thread::sleep(Duration::from_millis(1));
        };
        self.each(side, Network::restore);
        happened
    }
}
