//! A proxy that cuts idle connections before the reader sends anything on them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgoutput_harness::servers;
use pgoutput_reader::{Config, Next, ReaderBuilder, Reconnect};
use pgoutput_tests::{Fixture, InTime as _, Network, PUBLICATION, eventually};

use super::reconnect::id;

const CUTS: usize = 4;

/// Longer than a connection must last.
const IDLE: Duration = Duration::from_millis(1200);

#[test]
fn an_idle_stream_continues_after_repeated_cuts() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let network = Network::before(server.port());
        let (own, port) = (format!("port={}", server.port()), format!("port={}", network.port()));
        let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&attempts);
        // A slot that is still held needs several attempts, but far fewer than all cuts together.
        let reconnect = Reconnect::default()
            .initial_delay(Duration::from_millis(200))
            .max_delay(Duration::from_secs(60))
            .max_elapsed(Some(IDLE * 3));
        let mut reader = ReaderBuilder::from(config)
            .slot(fixture.slot_name())
            .publication(PUBLICATION)
            .reconnect(reconnect)
            .on_reconnect(move |attempt| recorder.lock().unwrap().push(attempt.attempt))
            .connect()
            .unwrap();
        for cut in 0..=CUTS {
            let mut connected_since = None;
            eventually("a connection that is idle", || {
                let next = reader.next_timeout(Duration::from_millis(50)).unwrap();
                assert!(matches!(next, Next::TimedOut), "{next:?}");
                let health = reader.health();
                if !health.connected || health.reconnects < cut as u64 {
                    connected_since = None;
                    return None;
                }
                // The connection is stable only if the server passes the WAL that it had at first.
                let (since, wal_end) = *connected_since
                    .get_or_insert_with(|| (Instant::now(), fixture.write_message()));
                let is_idle = health.idle && health.server_wal_end >= wal_end;
                (is_idle && since.elapsed() >= IDLE).then_some(())
            });
            if cut < CUTS {
                network.cut();
            }
        }
        let attempts = std::mem::take(&mut *attempts.lock().unwrap());
        assert_eq!(attempts.iter().filter(|attempt| **attempt == 1).count(), CUTS, "{attempts:?}");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
        reader.stop().unwrap();
    }
}
