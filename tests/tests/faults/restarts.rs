//! Restarts of the server while it is read.

use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, StopMode};
use pgoutput_tests::Fixture;

use crate::reading::disturbed;
use crate::transactions::setup;
use crate::with_each_server;

fn run(shared: &'static Server, seed: u64, faults: usize) {
    let server = Server::of_major(shared.major()).unwrap();
    let fixture = Fixture::new(&server, &setup(&server));
    let dsn = fixture.database().dsn_tcp();
    let reconnects = disturbed(&fixture, &dsn, seed, false, |reading, random| {
        for number in 0..faults {
            thread::sleep(Duration::from_millis(random.below(150) as u64));
            let mode = *random.one_of(&[StopMode::Fast, StopMode::Immediate]);
            server.restart(mode).unwrap();
            if !random.one_in(4) {
                reading.catch_up(&(number, mode));
            }
        }
    });
    assert!(reconnects >= faults / 2, "{reconnects} times is not often");
}

#[test]
fn reading_continues_across_restarts_of_the_server() {
    with_each_server(7, run);
}
