//! Transactions in progress give the same events as transactions that are sent after their commit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgoutput_harness::{Server, StopMode};
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Op, Position, Reader, ReaderBuilder, SpillOptions, StreamOptions,
    Streaming,
};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, eventually, line};

use super::with_streaming_servers;
use super::workload::{Workload, seeds, setup, tables};

/// The settings of `streaming` of this server, other than off.
pub(crate) fn streaming(server: &Server) -> &'static [Streaming] {
    if server.major() >= 16 { &[Streaming::On, Streaming::Parallel] } else { &[Streaming::On] }
}

fn read(
    fixture: &Fixture<'_>,
    options: StreamOptions,
    set_up: impl FnOnce(ReaderBuilder) -> ReaderBuilder,
) -> Vec<ChangeEvent> {
    fixture.read_with(|builder| set_up(builder.options(options).acknowledge(Acknowledge::Never)))
}

pub(crate) fn lines(events: &[ChangeEvent]) -> Vec<String> {
    events.iter().map(line).collect()
}

/// Compares event by event, since all of them would be too much to print.
pub(crate) fn assert_same(got: &[String], expected: &[String], context: &str) {
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got, expected, "{context}");
    }
    assert_eq!(got.len(), expected.len(), "{context}");
}

/// The rows of each table that follow from the events.
fn content(events: &[ChangeEvent]) -> BTreeMap<String, BTreeMap<i32, String>> {
    let mut tables: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
    for event in events {
        let Some(table) = event.table() else { continue };
        let rows = tables.entry(table.name().to_owned()).or_default();
        match event.op() {
            Op::Truncate => rows.clear(),
            Op::Delete => {
                rows.remove(&event.before().unwrap().get("id").unwrap()).unwrap();
            }
            _ => {
                let row = event.after().unwrap();
                rows.insert(row.get("id").unwrap(), row.get("v").unwrap());
            }
        }
    }
    tables.retain(|_, rows| !rows.is_empty());
    tables
}

fn content_of_tables(fixture: &Fixture<'_>) -> BTreeMap<String, BTreeMap<i32, String>> {
    let mut client = fixture.client();
    let content = tables().map(|table| {
        let rows = client.query(&format!("SELECT id, v FROM {table}"), &[]).unwrap();
        (table, rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    });
    content.filter(|(_, rows): &(_, BTreeMap<_, _>)| !rows.is_empty()).collect()
}

/// Checks that the server did send transactions in progress.
pub(crate) fn assert_streamed(fixture: &Fixture<'_>, at_least: i64) {
    let slot = fixture.slot_name();
    let query = format!(
        "SELECT coalesce(sum(stream_txns), 0) FROM pg_stat_replication_slots
         WHERE slot_name = '{slot}'"
    );
    // The statistics arrive a moment later.
    eventually("streamed transactions", || (fixture.number(&query) >= at_least).then_some(()));
}

#[test]
fn random_sessions_give_the_same_events_with_streaming_off_on_and_parallel() {
    with_streaming_servers(|server| {
        for seed in 1..=seeds() {
            let fixture = Fixture::new(server, &setup());
            Workload::new(&fixture, seed).run(250);
            let off = StreamOptions::new().streaming(Streaming::Off);
            let ordinary = read(&fixture, off, |builder| builder);
            assert_eq!(content(&ordinary), content_of_tables(&fixture), "seed {seed}");
            let ordinary = lines(&ordinary);
            for streaming in streaming(server) {
                let context = format!("PostgreSQL {}, seed {seed}, {streaming:?}", server.major());
                for limit in [64 << 20, 0] {
                    let options = StreamOptions::new().streaming(*streaming);
                    let spill = SpillOptions::new().memory_limit(limit);
                    let streamed = read(&fixture, options, |builder| builder.spill(spill));
                    assert_same(&lines(&streamed), &ordinary, &format!("{context}, {limit}"));
                }
            }
            assert_streamed(&fixture, 5);
            let by_default = read(&fixture, StreamOptions::new(), |builder| builder);
            assert_same(&lines(&by_default), &ordinary, "by default");
            // With messages too, for which the reader turns streaming off.
            let messages = || StreamOptions::new().messages(true);
            let off = messages().streaming(Streaming::Off);
            let ordinary = lines(&read(&fixture, off, |builder| builder));
            let by_default = read(&fixture, messages(), |builder| builder);
            assert_same(&lines(&by_default), &ordinary, "with messages");
        }
    });
}

#[test]
fn a_position_resumes_with_streaming_on_or_off() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, &setup());
        Workload::new(&fixture, 4).run(150);
        let options = |streaming| StreamOptions::new().streaming(streaming);
        let all = read(&fixture, options(Streaming::Off), |builder| builder);
        let all_lines = lines(&all);
        // The positions are the same, so each of them was stored with either setting.
        let positions = |events: &[ChangeEvent]| {
            events.iter().map(|event| event.position().to_string()).collect::<Vec<_>>()
        };
        let streamed = read(&fixture, options(Streaming::On), |builder| builder);
        assert!(positions(&streamed) == positions(&all));
        let mut at = 3;
        while at < all.len() {
            // As a program that was started again would.
            let position: Position = all[at].position().to_string().parse().unwrap();
            for streaming in [Streaming::Off, Streaming::On] {
                let rest =
                    read(&fixture, options(streaming), |builder| builder.resume(position.clone()));
                let context = format!("PostgreSQL {}, after {at}, {streaming:?}", server.major());
                assert_same(&lines(&rest), &all_lines[at + 1..], &context);
            }
            at = at * 5 / 3;
        }
    });
}

#[test]
fn a_message_outside_of_transactions_is_delivered_while_one_is_in_progress() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        let mut writer = fixture.client();
        let options = StreamOptions::new().messages(true);
        let mut reader = fixture.builder().options(options).connect().unwrap();
        let rows = "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 300) n";
        writer.batch_execute("BEGIN").unwrap();
        writer.batch_execute(rows).unwrap();
        let end = fixture.write_message();
        let message = reader.in_time().next().unwrap().unwrap();
        assert_eq!((message.op(), message.lsn()), (Op::Message, end));
        assert!(message.is_last());
        fixture.run(["INSERT INTO t VALUES (0, 'ordinary')"]);
        let ordinary = reader.in_time().next().unwrap().unwrap();
        assert_eq!(ordinary.after().unwrap().get::<i32>("id").unwrap(), 0);
        writer.batch_execute("COMMIT").unwrap();
        let streamed: Vec<_> = reader.in_time().take(300).map(Result::unwrap).collect();
        assert!(streamed.iter().all(|event| event.lsn() < end || event.lsn() > ordinary.lsn()));
        assert!(streamed[0].lsn() < message.lsn(), "it was in progress before");
        reader.stop().unwrap();
    });
}

/// The server ends a connection that reports nothing for ten seconds.
#[test]
fn status_updates_continue_while_a_transaction_is_replayed() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        fixture.run(["INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 300) n"]);
        for heartbeat in [true, false] {
            let dsn = format!("{} options='-c wal_sender_timeout=10s'", fixture.database().dsn());
            let mut reader = Reader::builder(&dsn)
                .slot(fixture.slot_name())
                .publication(PUBLICATION)
                .spill(SpillOptions::new().memory_limit(0))
                .acknowledge(Acknowledge::Never)
                .heartbeat(heartbeat)
                .until_lsn(fixture.end())
                .connect()
                .unwrap();
            let mut events = 0;
            for event in reader.in_time() {
                event.unwrap();
                events += 1;
                if events % 10 == 0 {
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
            assert_eq!((events, reader.health().reconnects), (300, 0), "heartbeat {heartbeat}");
            reader.stop().unwrap();
        }
    });
}

#[test]
fn a_replicated_transaction_has_its_origin() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        let origin = fixture.database().slot_name("origin");
        let mut client = fixture.client();
        client
            .batch_execute(&format!(
                "SELECT pg_replication_origin_create('{origin}');
                 SELECT pg_replication_origin_session_setup('{origin}')"
            ))
            .unwrap();
        for (rows, lsn) in [(300, "0/777"), (1, "0/888")] {
            client.batch_execute("BEGIN").unwrap();
            client
                .batch_execute(&format!(
                    "SELECT pg_replication_origin_xact_setup('{lsn}', now());
                     INSERT INTO t SELECT n * 10 + {rows}, repeat('x', 300)
                     FROM generate_series(1, {rows}) n"
                ))
                .unwrap();
            client.batch_execute("COMMIT").unwrap();
        }
        let off = StreamOptions::new().streaming(Streaming::Off);
        let ordinary = lines(&read(&fixture, off, |builder| builder));
        assert_eq!(ordinary.len(), 301);
        assert!(ordinary[0].contains(&origin) && ordinary[300].contains(&origin));
        for streaming in streaming(server) {
            let options = StreamOptions::new().streaming(*streaming);
            let streamed = lines(&read(&fixture, options, |builder| builder));
            // The server does not send it for a transaction in progress.
            let expected: Vec<_> = ordinary
                .iter()
                .map(|line| line.replace(&format!(",\"commit_lsn\":{}", 0x777), ""))
                .collect();
            assert_ne!(expected, ordinary);
            assert_same(&streamed, &expected, &format!("{streaming:?}"));
        }
        client.batch_execute("SELECT pg_replication_origin_session_reset()").unwrap();
        fixture.run([&format!("SELECT pg_replication_origin_drop('{origin}')")]);
    });
}

/// The transaction is replayed when the connections are lost. Its second table must still be looked
/// up, which fails until the server is back.
#[test]
fn a_server_that_restarts_during_a_replay_repeats_the_transaction() {
    with_streaming_servers(|server| {
        let tables = "CREATE TABLE t (id int PRIMARY KEY, v text);
                      CREATE TABLE u (id int PRIMARY KEY, v text)";
        for heartbeat in [true, false] {
            let fixture = Fixture::new(server, tables);
            let mut client = fixture.client();
            client
                .batch_execute(
                    "BEGIN;
                     INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 300) n;
                     INSERT INTO u SELECT n, repeat('x', 1000) FROM generate_series(301, 600) n;
                     COMMIT",
                )
                .unwrap();
            drop(client);
            let reported = Arc::new(AtomicUsize::new(0));
            let attempts = Arc::clone(&reported);
            let mut reader = fixture
                .builder()
                .heartbeat(heartbeat)
                .on_reconnect(move |_| {
                    attempts.fetch_add(1, Ordering::Relaxed);
                })
                .connect()
                .unwrap();
            let id = |event: ChangeEvent| event.after().unwrap().get::<i32>("id").unwrap();
            let mut ids = vec![id(reader.in_time().next().unwrap().unwrap())];
            // A fast shutdown would wait for the reader.
            server.restart(StopMode::Immediate).unwrap();
            fixture.run(["INSERT INTO t VALUES (601, 'after')"]);
            ids.extend(reader.in_time().take(600).map(|event| id(event.unwrap())));
            assert!(ids.iter().copied().eq(1..=601), "{ids:?}");
            let attempts = reported.load(Ordering::Relaxed);
            assert!((1..100).contains(&attempts), "{attempts} attempts");
            assert!(reader.health().reconnects >= 1);
            reader.stop().unwrap();
        }
    });
}
