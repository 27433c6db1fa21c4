//! Connections that are cut, servers that are slow, and stops.

use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::servers;
use pgoutput_reader::{Acknowledge, Config, ErrorKind, Next, ReaderBuilder, Reconnect};
use pgoutput_tests::{Fixture, InTime as _, Network, PUBLICATION, Random, eventually};

use crate::{INTERVAL, polling};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn at_once() -> Reconnect {
    Reconnect::default().initial_delay(Duration::from_millis(1)).max_delay(Duration::from_secs(1))
}

fn over(network: &Network, fixture: &Fixture<'_>) -> ReaderBuilder {
    let server = fixture.database().server();
    let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
    let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
    ReaderBuilder::from(config)
        .slot(fixture.slot_name())
        .publication(PUBLICATION)
        .reconnect(at_once())
        .poll(INTERVAL)
}

#[test]
fn every_event_is_delivered_once_while_connections_are_cut() {
    const ROWS: i32 = 20;
    const TRANSACTIONS: i32 = 300;
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let mut reader = over(&network, &fixture).connect().unwrap();
        let stop = reader.stop_handle();
        let mut random = Random::new(7);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = fixture.client();
                for number in 0..TRANSACTIONS {
                    let first = number * ROWS + 1;
                    let last = first + ROWS - 1;
                    let insert = format!("INSERT INTO t SELECT generate_series({first}, {last})");
                    client.batch_execute(&insert).unwrap();
                    if number % 15 == 0 {
                        thread::sleep(Duration::from_millis(random.below(40) as u64));
                        network.cut();
                    }
                }
            });
            let mut expected = 0;
            while let Some(event) = reader.next_in_time() {
                let event = event.unwrap();
                expected += 1;
                assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), expected);
                if expected == ROWS * TRANSACTIONS {
                    stop.stop();
                }
            }
            assert_eq!(expected, ROWS * TRANSACTIONS);
        });
        let health = reader.health();
        assert!(health.reconnects > 0, "{health:?}");
        println!("PostgreSQL {}: {} reconnections", server.major(), health.reconnects);
        reader.stop().unwrap();
    }
}

/// The slot is held by another process, which is retried like any outage.
#[test]
fn a_slot_in_use_is_retried() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut other = fixture.builder().connect().unwrap();
        let (sender, attempts) = std::sync::mpsc::channel();
        let mut reader = polling(&fixture)
            .reconnect(at_once())
            .acknowledge(Acknowledge::Manual)
            .on_reconnect(move |attempt| {
                let _ = sender.send(attempt.cause.sqlstate().map(str::to_owned));
            })
            .connect()
            .unwrap();
        thread::scope(|scope| {
            let fixture = &fixture;
            scope.spawn(move || {
                let cause = attempts.recv_timeout(Duration::from_secs(60)).unwrap();
                assert_eq!(cause.as_deref(), Some("55006"));
                // The slot moves before it is free.
                fixture.run(["INSERT INTO t VALUES (0)"]);
                other.next_in_time().unwrap().unwrap();
                let next = other.next_timeout(Duration::from_secs(1)).unwrap();
                assert!(matches!(next, Next::TimedOut), "{next:?}");
                other.stop().unwrap();
                fixture.run(["INSERT INTO t VALUES (1)"]);
            });
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), 1);
        });
    }
}

#[test]
fn a_stop_ends_a_wait_at_once_and_a_running_query_soon() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut reader = fixture.builder().poll(Duration::from_secs(3600)).connect().unwrap();
        let stop = reader.stop_handle();
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                stop.stop();
            });
            assert!(reader.next_in_time().is_none());
        });
        assert!(begun.elapsed() < Duration::from_secs(30));
        reader.stop().unwrap();

        // Decoding takes seconds, and the slot is free soon after the stop.
        fixture.run(["INSERT INTO t SELECT generate_series(1, 500000)", "UPDATE t SET id = -id"]);
        let mut reader = polling(&fixture).connect().unwrap();
        let stop = reader.stop_handle();
        thread::scope(|scope| {
            scope.spawn(|| {
                eventually("the slot to be read", || fixture.slot().active.then_some(()));
                stop.stop();
            });
            let next = reader.next_in_time();
            assert!(next.is_none(), "{next:?}");
        });
        reader.stop().unwrap();
        let begun = Instant::now();
        fixture.wait_until_free();
        println!("PostgreSQL {}: free after {:?}", server.major(), begun.elapsed());
    }
}

/// A server that is silent because it decodes is at work; one that is gone is not.
#[test]
fn a_long_silence_is_not_a_loss_while_the_server_decodes() {
    const LIMIT: Duration = Duration::from_millis(250);
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t SELECT generate_series(1, 600000)", "UPDATE t SET id = -id"]);
        let config: Config = fixture.database().dsn().parse().unwrap();
        let mut reader = ReaderBuilder::from(config.wal_receiver_timeout(LIMIT))
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .reconnect(Reconnect::never())
            .poll(INTERVAL)
            .connect()
            .unwrap();
        let begun = Instant::now();
        let event = reader.next_in_time().unwrap().unwrap();
        assert_eq!(event.after().unwrap().get::<i32>("id").unwrap(), 1);
        println!("PostgreSQL {}: the first event after {:?}", server.major(), begun.elapsed());
    }
}

#[test]
fn a_silent_server_is_noticed() {
    const LIMIT: Duration = Duration::from_secs(1);
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let network = Network::before(server.port());
        let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
        let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
        let mut reader = ReaderBuilder::from(config.wal_receiver_timeout(LIMIT))
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .reconnect(Reconnect::never())
            .poll(INTERVAL)
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert!(reader.next_in_time().unwrap().is_ok());
        network.discard();
        let error = reader.next_in_time().unwrap().unwrap_err();
        let is_silent =
            matches!(error.kind(), ErrorKind::ServerSilent { .. } | ErrorKind::Timeout { .. });
        assert!(is_silent, "{error}");
        network.restore();
    }
}

/// The timeouts of the role would end a poll that takes long, before the next statement resets
/// them.
#[test]
fn no_timeout_of_the_database_ends_a_poll() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO t SELECT generate_series(1, 400000)", "UPDATE t SET id = -id"]);
        let mut timeouts = vec!["statement_timeout", "idle_in_transaction_session_timeout"];
        timeouts.extend((server.major() >= 17).then_some("transaction_timeout"));
        for timeout in timeouts {
            let name = fixture.database().name();
            fixture.run([&format!("ALTER DATABASE \"{name}\" SET {timeout} = '100ms'") as &str]);
        }
        let mut reader = polling(&fixture).reconnect(Reconnect::never()).connect().unwrap();
        let mut events = 0;
        for event in reader.in_time().take(800_000) {
            event.unwrap();
            events += 1;
            if events == 1 {
                // The rest waits, idle for the server.
                thread::sleep(Duration::from_millis(300));
            }
        }
        assert_eq!(events, 800_000);
    }
}
