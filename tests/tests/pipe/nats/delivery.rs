//! Each event is in the stream exactly once.

use pgoutput_harness::engine::NatsServer;
use pgoutput_harness::{Server, eventually, servers, stage};
use pgoutput_tests::{Condition, Direction, Fixture, Network, Random};
use serde_json::json;

use super::running::{
    Batches, Running, STREAM, continuous, create, ids, messages, run, server, to_end, wait_for,
};
use crate::destination::Destination as _;
use crate::program::pipe;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, body text)";

/// Runs a test with each PostgreSQL server and each kind of stream.
fn with_each(test: impl Fn(&Server, Batches)) {
    for batches in [Batches::Atomic, Batches::Single] {
        for postgres in servers() {
            stage(format!("{batches:?}, PostgreSQL {}", postgres.major()));
            test(postgres, batches);
        }
    }
}

#[test]
fn events_are_stored_once_over_restarts() {
    with_each(|postgres, batches| {
        let Some(nats) = server(batches) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let mut expected = Vec::new();
        for first in (0..5000).step_by(1000) {
            fixture.run([
                &format!("INSERT INTO t SELECT i FROM generate_series({first}, {first} + 9) i"),
                &format!("INSERT INTO t VALUES ({first} + 10, E'ü\\n')"),
            ]);
            expected.extend(first..=first + 10);
            run(&mut to_end(&fixture, &nats));
            run(&mut to_end(&fixture, &nats));
        }
        let stored = messages(&nats);
        assert_eq!(ids(&stored), expected);
        assert!(stored.iter().all(|message| message.subject == "t.public.t"));
        let in_batches = stored.iter().filter(|m| m.header("Nats-Batch-Id").is_some()).count();
        // A transaction of one record needs no batch.
        assert_eq!(in_batches, if batches == Batches::Atomic { 50 } else { 0 });
        let mut identifiers: Vec<_> =
            stored.iter().filter_map(|message| message.header("Nats-Msg-Id")).collect();
        identifiers.sort_unstable();
        identifiers.dedup();
        assert_eq!(identifiers.len(), expected.len());
    });
}

#[test]
fn killed_programs_and_servers_leave_nothing_out_and_repeat_nothing() {
    with_each(|postgres, batches| {
        let Some(nats) = server(batches) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let (mut random, mut next, mut client) = (Random::new(7), 0, fixture.client());
        for round in 0..10 {
            let before = nats.client().messages(STREAM).len() as u64;
            let running = Running::start(&mut continuous(&fixture, &nats));
            for _ in 0..20 {
                let count = 1 + i64::try_from(random.below(120)).unwrap();
                let statement = format!(
                    "INSERT INTO t SELECT i, repeat('x', 300) FROM generate_series({next}, {}) i",
                    next + count - 1
                );
                client.batch_execute(&statement).unwrap();
                next += count;
            }
            // One of the moments at which something is being stored.
            wait_for(&mut nats.client(), before + random.below(600) as u64);
            if round % 2 == 0 {
                running.kill();
            } else {
                // A program that starts while the server is away ends.
                Running::connected(&fixture);
                nats.kill();
                nats.restart();
                wait_for(&mut nats.client(), u64::try_from(next).unwrap());
                running.kill();
            }
            fixture.wait_until_free();
        }
        run(&mut to_end(&fixture, &nats));
        assert!(ids(&messages(&nats)).into_iter().eq(0..next), "{next} rows");
    });
}

#[test]
fn a_cut_network_leaves_nothing_out_and_repeats_nothing() {
    with_each(|postgres, batches| {
        let Some(nats) = server(batches) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let network = Network::before(nats.port());
        let mut command = pipe(&fixture, &nats.url(network.port()));
        command.args(["--topic", "t.{schema}.{table}", "--quiet"]);
        let running = Running::start(&mut command);
        Running::connected(&fixture);
        let mut next = 0_i64;
        let mut random = Random::new(3);
        for round in 1..=12 {
            // A part of what is sent arrives, or answers do not.
            if round % 2 == 0 {
                network.set(Direction::ToServer, Condition::Cut(random.below(120_000)));
            } else {
                network.set(Direction::ToClient, Condition::Cut(random.below(200)));
            }
            let last = 250 * round - 1;
            fixture
                .run([&format!("INSERT INTO t SELECT i FROM generate_series({next}, {last}) i")]);
            next = last + 1;
            wait_for(&mut nats.client(), next.unsigned_abs());
        }
        wait_for(&mut nats.client(), next.unsigned_abs());
        running.kill();
        fixture.wait_until_free();
        run(&mut to_end(&fixture, &nats));
        assert!(ids(&messages(&nats)).into_iter().eq(0..next));
    });
}

#[test]
fn large_transactions_are_divided_into_batches() {
    for postgres in servers() {
        let Some(nats) = server(Batches::Atomic) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        fixture.run([
            "INSERT INTO t SELECT i FROM generate_series(0, 2499) i",
            "INSERT INTO t SELECT i FROM generate_series(2500, 2599) i",
        ]);
        run(&mut to_end(&fixture, &nats));
        let stored = messages(&nats);
        assert!(ids(&stored).into_iter().eq(0..2600));
        let commits = stored.iter().filter(|m| m.header("Nats-Batch-Commit").is_some());
        let ends: Vec<_> = commits.map(|message| message.sequence).collect();
        // The second transaction may have a batch of its own.
        assert!(matches!(ends[..], [1000, 2000, 2600] | [1000, 2000, 2500, 2600]), "{ends:?}");
        assert!(stored.iter().all(|message| message.header("Pgoutput-Position").is_some()));
    }
}

#[test]
fn the_position_is_stored_if_all_events_are_left_out() {
    with_each(|postgres, batches| {
        let Some(nats) = server(batches) else { return };
        let fixture =
            Fixture::new(postgres, "CREATE TABLE t (id int); CREATE TABLE other (id int)");
        let pipe = || {
            let mut command = to_end(&fixture, &nats);
            command.args(["--table", "public.t"]);
            command
        };
        fixture.run(["BEGIN; INSERT INTO t VALUES (1); INSERT INTO other VALUES (2); COMMIT"]);
        run(&mut pipe());
        // The last record has the position of what was left out after it.
        assert_eq!(messages(&nats).len(), 1);
        fixture.run(["INSERT INTO other VALUES (3)"]);
        run(&mut pipe());
        let stored = messages(&nats);
        assert_eq!(stored.len(), 2);
        assert_eq!(stored[1].subject, "t.pgoutput.position");
        assert_eq!(stored[1].header("Pgoutput-Type"), Some("position"));
        assert_eq!(stored[1].payload, "");
        fixture.run(["INSERT INTO t VALUES (4)"]);
        run(&mut pipe());
        assert_eq!(ids(&messages(&nats)), [1, 4]);
        assert_eq!(nats.values("t.public.t").len(), 2);
    });
}

#[test]
fn an_initial_copy_comes_first() {
    with_each(|postgres, batches| {
        let Some(nats) = server(batches) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let slot = fixture.slot_name();
        fixture.run([
            "INSERT INTO t SELECT i FROM generate_series(0, 299) i",
            &format!("SELECT pg_drop_replication_slot('{slot}')"),
        ]);
        let mut command = continuous(&fixture, &nats);
        command.args(["--create-slot", "--snapshot", "initial", "--batch-count", "100"]);
        let running = Running::start(&mut command);
        // The rows, and the end of the copy.
        wait_for(&mut nats.client(), 301);
        fixture.run(["INSERT INTO t SELECT i FROM generate_series(300, 309) i"]);
        wait_for(&mut nats.client(), 311);
        running.kill();
        fixture.wait_until_free();
        let mut command = to_end(&fixture, &nats);
        command.args(["--snapshot", "initial"]);
        run(&mut command);
        assert!(ids(&messages(&nats)).into_iter().eq(0..310));
    });
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_replaced_silently() {
    // It closes a connection that does not answer, and reports that.
    const SETTINGS: &str = "ping_interval: \"1s\"\nping_max: 1\ndebug: true\n";
    let Some(nats) = NatsServer::with_settings(SETTINGS) else {
        return;
    };
    for postgres in servers() {
        let stale = || nats.engine().log().matches("Stale Client Connection").count();
        create(&nats, Batches::Atomic);
        let fixture = Fixture::new(postgres, TABLE);
        let mut command = pipe(&fixture, &nats.url(nats.port()));
        command.args(["--topic", "t.{schema}.{table}"]);
        let running = Running::start(&mut command);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        wait_for(&mut nats.client(), 1);
        let before = stale();
        eventually("a connection that is closed", || (stale() > before).then_some(()));
        fixture.run(["INSERT INTO t VALUES (2)"]);
        wait_for(&mut nats.client(), 2);
        running.stop();
        let (code, report) = running.ended();
        assert_eq!(code, Some(0), "{report}");
        assert!(!report.contains("attempt"), "{report}");
        assert_eq!(ids(&messages(&nats)), [1, 2]);
        nats.client().api("STREAM.DELETE.CHANGES", &json!({}));
    }
}
