//! Faults of the network, terminated walsenders, and other readers of the slot.

use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::Server;
use pgoutput_reader::{Config, Connection, StartReplication};
use pgoutput_tests::{Condition, Direction, Fixture, Network, PUBLICATION, Random, eventually};

use crate::reading::{Reading, SILENCE_LIMIT, disturbed};
use crate::transactions::setup;
use crate::with_each_server;

/// The largest number of faults in one database.
const FAULTS_PER_DATABASE: usize = 30;

/// The time limit of a fault that depends on passing bytes.
const FAULT_TIMEOUT: Duration = Duration::from_millis(150);

/// The number of times that each fault may fail to happen, on average.
const TRIES_PER_FAULT: usize = 10;

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `pg_terminate_backend` for the walsender.
    Terminate,
    /// Every connection is cut at once.
    CutNow,
    /// A connection is cut after this number of bytes.
    Cut(Direction, usize),
    /// Every connection is cut at once, and the next one after this number of bytes.
    CutTwice(Direction, usize),
    HalfClose(Direction, usize),
    Stall(Direction, usize, Duration),
    Delay(Direction, Duration),
    /// The network loses everything, for longer than the limit of a silence.
    Lose,
    /// Another reader takes the slot and keeps it for this duration.
    Taken(Duration),
}

impl Fault {
    fn any(random: &mut Random) -> Self {
        let direction = *random.one_of(&[Direction::ToClient, Direction::ToServer]);
        // A status update has some forty bytes, the set-up of a connection some hundred, a
        // transaction up to some hundred thousand.
        let range = *random.one_of(&match direction {
            Direction::ToServer => [45, 400, 2000],
            Direction::ToClient => [300, 5000, 200_000],
        });
        let bytes = random.below(range);
        let time = Duration::from_millis(random.below(80) as u64);
        match random.below(40) {
            0..6 => Self::Terminate,
            6..12 => Self::CutNow,
            12..20 => Self::Cut(direction, bytes),
            20..28 => Self::CutTwice(direction, bytes),
            28..32 => Self::HalfClose(direction, bytes),
            32..34 => Self::Stall(direction, bytes, time),
            34..36 => Self::Delay(direction, time / 8),
            36 => Self::Lose,
            _ => Self::Taken(time),
        }
    }

    /// Causes the fault. Returns false if the bytes that it depends on did not pass.
    fn happen(self, network: &Network, fixture: &Fixture<'_>) -> bool {
        let mut happened = true;
        match self {
            Self::Terminate => terminate(fixture),
            Self::CutNow => network.cut(),
            Self::Cut(direction, bytes) => {
                network.set(direction, Condition::Cut(bytes));
                happened = has_happened(network, direction);
            }
            Self::CutTwice(direction, bytes) => {
                network.set(direction, Condition::Cut(bytes));
                network.cut();
                happened = has_happened(network, direction);
            }
            Self::HalfClose(direction, bytes) => {
                network.set(direction, Condition::HalfClose(bytes));
                happened = has_happened(network, direction);
            }
            Self::Stall(direction, bytes, time) => {
                network.set(direction, Condition::Stall(bytes));
                thread::sleep(time);
            }
            Self::Delay(direction, time) => {
                network.set(direction, Condition::Delay(time));
                thread::sleep(time * 20);
            }
            Self::Lose => {
                network.discard();
                thread::sleep(SILENCE_LIMIT + SILENCE_LIMIT / 2);
            }
            Self::Taken(time) => {
                // The owner of the slot cannot come back meanwhile.
                network.discard();
                let start = StartReplication::new(fixture.slot_name(), [PUBLICATION]);
                let config: Config = fixture.database().dsn().parse().unwrap();
                let other = eventually("the slot to be taken by another", || {
                    terminate(fixture);
                    Connection::connect(&config).unwrap().stream(&start).ok()
                });
                network.restore();
                thread::sleep(time);
                drop(other);
            }
        }
        network.restore();
        happened
    }
}

fn terminate(fixture: &Fixture<'_>) {
    let query = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots \
                 WHERE slot_name = $1 AND active_pid IS NOT NULL";
    fixture.client().execute(query, &[&fixture.slot_name()]).unwrap();
}

/// Returns whether the fault happens within the time limit.
fn has_happened(network: &Network, direction: Direction) -> bool {
    let deadline = Instant::now() + FAULT_TIMEOUT;
    loop {
        if network.condition(direction) == Condition::Clear {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn disturb(reading: &Reading<'_>, random: &mut Random, network: &Network, faults: usize) {
    let (mut happened, mut tried) = (0, 0);
    while happened < faults {
        let fault = Fault::any(random);
        happened += usize::from(fault.happen(network, reading.fixture));
        tried += 1;
        assert!(tried <= faults * TRIES_PER_FAULT, "{happened} of {tried} faults have happened");
        // Sometimes the next fault comes before everything is in order again.
        if !random.one_in(4) {
            reading.catch_up(&(tried, fault));
        }
    }
    assert!(reading.reconnects() > faults / 3, "{} times is not often", reading.reconnects());
}

fn run(server: &'static Server, seed: u64, faults: usize) {
    for (round, first) in (0..).zip((0..faults).step_by(FAULTS_PER_DATABASE)) {
        let fixture = Fixture::new(server, &setup(server));
        let network = Network::before(server.port());
        let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
        let dsn = fixture.database().dsn_tcp().replace(&own, &port);
        let seed = seed.wrapping_mul(1000) + round;
        let manual = round % 2 == 1;
        disturbed(&fixture, &dsn, seed, manual, |reading, random| {
            disturb(reading, random, &network, FAULTS_PER_DATABASE.min(faults - first));
        });
    }
}

#[test]
fn faults_of_the_network_lose_and_repeat_nothing() {
    with_each_server(65, run);
}
