//! Whole transactions, their last events, and the events that end them.

use pgoutput_harness::servers;
use pgoutput_reader::{
    Acknowledge, Error, ErrorKind, Op, Position, Reader, StreamError, StreamOptions, Streaming,
};
use pgoutput_tests::{Fixture, InTime as _, json, line};

use super::with_streaming_servers;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

const WRITES: [&str; 4] = [
    "INSERT INTO t SELECT generate_series(1, 3)",
    "CREATE TABLE u (id int PRIMARY KEY)",
    "INSERT INTO t VALUES (4)",
    "BEGIN; INSERT INTO t SELECT generate_series(5, 104); COMMIT",
];

fn ids(reader: &mut Reader, take: usize) -> Vec<i32> {
    let mut transaction = reader.next_transaction().unwrap().unwrap();
    let events = transaction.by_ref().take(take).map(Result::unwrap);
    events.map(|event| event.after().unwrap().get("id").unwrap()).collect()
}

#[test]
fn transactions_are_lent_one_after_another_and_acknowledged_as_one() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(WRITES);
        let end = fixture.end();
        let mut reader = fixture.builder().until_lsn(end).connect().unwrap();
        assert_eq!(ids(&mut reader, 10), [1, 2, 3]);
        let confirmed = reader.health().acknowledged;
        assert_eq!(ids(&mut reader, 10), [4]);
        assert!(reader.health().acknowledged > confirmed, "the first is acknowledged");
        let third = reader.next_transaction().unwrap().unwrap();
        assert!(third.info().unwrap().end_lsn().is_none());
        // Only a part of it is read. The rest is skipped.
        assert_eq!(third.take(2).count(), 2);
        assert!(reader.next_transaction().is_none());
        reader.stop().unwrap();
        fixture.run(["INSERT INTO t VALUES (1000)"]);
        let mut reader = fixture.reader();
        assert_eq!(ids(&mut reader, 10), [1000]);
    }
}

#[test]
fn an_owned_transaction_that_is_too_large_is_an_error_that_loses_nothing() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(WRITES);
        let mut reader = fixture.builder().until_lsn(fixture.end()).connect().unwrap();
        let mut transactions = reader.transactions(10);
        for expected in [3, 1] {
            let transaction = transactions.next().unwrap().unwrap();
            assert_eq!(transaction.events.len(), expected);
            assert!(transaction.info.unwrap().end_lsn().is_some());
            assert!(transaction.events.last().unwrap().is_last());
        }
        for _ in 0..2 {
            let error = transactions.next().unwrap().unwrap_err().into_kind();
            assert!(
                matches!(
                    error,
                    ErrorKind::Stream(StreamError::TransactionTooLarge { max_events: 10, .. })
                ),
                "{error:?}"
            );
        }
        let whole = reader.transactions(100).next().unwrap().unwrap();
        assert_eq!(whole.events.len(), 100);
        assert_eq!(whole.events[0].after().unwrap().get::<i32>("id").unwrap(), 5);
        assert!(reader.transactions(100).next().is_none());
    }
}

#[test]
fn what_was_given_back_is_read_again_as_events() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        fixture.run(["INSERT INTO t SELECT generate_series(1, 5)", "INSERT INTO t VALUES (6)"]);
        let mut reader = fixture.builder().until_lsn(fixture.end()).connect().unwrap();
        reader.transactions(2).next().unwrap().unwrap_err();
        let ids: Vec<i32> = reader
            .by_ref()
            .map(|event| event.unwrap().after().unwrap().get("id").unwrap())
            .collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn each_transaction_ends_with_a_commit_on_request() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.builder().commits(true).connect().unwrap();
        fixture.run(WRITES);
        // Also the last one, while nothing follows.
        let events: Vec<_> = reader.in_time().take(107).map(Result::unwrap).collect();
        let ops: String = events.iter().map(|event| event.op().code()).collect();
        let expected = format!("IIICIC{}C", "I".repeat(100));
        assert_eq!(ops, expected);
        for (index, commit) in
            events.iter().enumerate().filter(|(_, event)| event.op() == Op::Commit)
        {
            let transaction = commit.transaction().unwrap();
            assert_eq!(commit.lsn(), transaction.commit_lsn());
            assert!(transaction.end_lsn().unwrap() > commit.lsn() && commit.is_last());
            assert!(!events[index - 1].is_last());
            let keys = ["op", "message_id", "lsn", "transaction"];
            let json = json(commit);
            assert_eq!(json.as_object().unwrap().len(), keys.len(), "{json}");
            assert!(keys.iter().all(|key| json.get(key).is_some()), "{json}");
            assert_eq!(json["transaction"], self::json(&events[index - 1])["transaction"]);
        }
        reader.stop().unwrap();
    }
}

#[test]
fn a_position_resumes_after_a_commit_with_and_without_commits() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        fixture.run(["INSERT INTO t SELECT generate_series(1, 3)", "INSERT INTO t VALUES (4)"]);
        fixture.run(["INSERT INTO t SELECT n, repeat('x', 3000) FROM generate_series(5, 104) n"]);
        for streaming in [Streaming::Off, Streaming::On] {
            let read = |commits, resume: Option<&Position>| {
                fixture.read_with(|builder| {
                    let builder = builder
                        .options(StreamOptions::new().streaming(streaming))
                        .acknowledge(Acknowledge::Never)
                        .commits(commits);
                    match resume {
                        Some(position) => builder.resume(position.clone()),
                        None => builder,
                    }
                })
            };
            let all = read(true, None);
            let all_lines: Vec<_> = all.iter().map(line).collect();
            for at in [0, 2, 3, 4, 5, 50, 105] {
                let position: Position = all[at].position().to_string().parse().unwrap();
                let rest: Vec<_> = read(true, Some(&position)).iter().map(line).collect();
                assert_eq!(rest, all_lines[at + 1..], "after {at}");
                let rest: Vec<_> = read(false, Some(&position)).iter().map(line).collect();
                let rows: Vec<_> = all_lines[at + 1..]
                    .iter()
                    .filter(|line| !line.starts_with(r#"{"op":"C""#))
                    .cloned()
                    .collect();
                assert_eq!(rest, rows, "after {at}, without commits");
            }
        }
    });
}

#[test]
fn a_transaction_that_a_stop_cuts_off_is_not_taken_for_a_whole_one() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        fixture.run(["INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 20000) n"]);
        let is_stopped = |error: Error| matches!(error.kind(), ErrorKind::Stopped { .. });
        for streaming in [Streaming::Off, Streaming::On] {
            let options = StreamOptions::new().streaming(streaming);
            let connect = || fixture.builder().options(options.clone()).connect().unwrap();
            let mut reader = connect();
            let stop = reader.stop_handle();
            let mut transaction = reader.next_transaction().unwrap().unwrap();
            transaction.next().unwrap().unwrap();
            stop.stop();
            let rest: Vec<_> = transaction.by_ref().collect();
            assert!(rest.len() < 20_000, "it was stopped");
            let (last, before) = rest.split_last().unwrap();
            assert!(before.iter().all(Result::is_ok));
            assert!(matches!(last.as_ref().unwrap_err().kind(), ErrorKind::Stopped { .. }));
            assert!(transaction.next().is_none());
            assert!(reader.next_transaction().is_none());
            drop(reader);
            fixture.wait_until_free();
            let mut reader = connect();
            reader.stop_handle().stop();
            let all: Vec<_> = reader.transactions(100_000).collect();
            assert!(all.is_empty() || is_stopped(all.into_iter().next().unwrap().unwrap_err()));
            drop(reader);
            fixture.wait_until_free();
        }
        assert_eq!(fixture.read().len(), 20_000);
    });
}
