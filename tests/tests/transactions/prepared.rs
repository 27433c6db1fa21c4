//! Prepared transactions, when they are committed or when they are prepared.

use std::collections::{BTreeMap, BTreeSet};

use pgoutput_reader::{Acknowledge, ChangeEvent, Lsn, Op, Position, StreamOptions, Streaming};
use pgoutput_tests::{Fixture, InTime as _, line};

use super::streamed::streaming;
use super::with_streaming_servers;
use super::workload::{Workload, setup};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

fn read(
    fixture: &Fixture<'_>,
    options: StreamOptions,
    resume: Option<&Position>,
) -> Vec<ChangeEvent> {
    fixture.read_with(|builder| {
        let builder = builder.options(options).acknowledge(Acknowledge::Never);
        match resume {
            Some(position) => builder.resume(position.clone()),
            None => builder,
        }
    })
}

fn gid(event: &ChangeEvent) -> Option<String> {
    event.transaction()?.gid().map(str::to_owned)
}

fn ops(events: &[ChangeEvent]) -> String {
    events.iter().map(|event| event.op().code()).collect()
}

#[test]
fn by_default_they_are_delivered_when_they_are_committed() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, TABLE);
        fixture.run([
            "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'one'",
            "BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'two'",
            "INSERT INTO t VALUES (3)",
            "COMMIT PREPARED 'one'",
            "ROLLBACK PREPARED 'two'",
        ]);
        let events = fixture.read();
        let ids: Vec<i32> =
            events.iter().map(|event| event.after().unwrap().get("id").unwrap()).collect();
        assert_eq!(ids, [3, 1]);
        assert!(events.iter().all(|event| gid(event).is_none()));
    });
}

#[test]
fn on_request_they_are_delivered_when_they_are_prepared() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fixture = Fixture::new(server, TABLE);
        let two_phase = || StreamOptions::new().two_phase(true);
        // The slot keeps the option from here on.
        read(&fixture, two_phase(), None);
        fixture.run([
            "BEGIN; INSERT INTO t VALUES (1), (2); PREPARE TRANSACTION 'one'",
            "INSERT INTO t VALUES (3)",
            "BEGIN; INSERT INTO t VALUES (4); PREPARE TRANSACTION 'two'",
            "COMMIT PREPARED 'one'",
            "ROLLBACK PREPARED 'two'",
        ]);
        let all = read(&fixture, two_phase(), None);
        assert_eq!(ops(&all), "IIPIIPKA");
        let lines: Vec<_> = all.iter().map(line).collect();
        assert!(lines[0].contains(r#""gid":"one"}"#) && lines[7].contains(r#""gid":"two"}"#));
        let last: Vec<_> = all.iter().map(ChangeEvent::is_last).collect();
        assert_eq!(last, [false, false, true, true, false, true, true, true]);
        assert!(all.windows(2).all(|pair| pair[0].position() != pair[1].position()));
        // The slot's own flag is obeyed, and a position resumes anywhere.
        let obeyed = read(&fixture, StreamOptions::new(), None);
        assert_eq!(obeyed.iter().map(line).collect::<Vec<_>>(), lines);
        for at in 0..all.len() {
            let position: Position = all[at].position().to_string().parse().unwrap();
            let rest = read(&fixture, StreamOptions::new(), Some(&position));
            assert_eq!(rest.iter().map(line).collect::<Vec<_>>(), lines[at + 1..], "after {at}");
        }
    });
}

/// The order of the events of each prepared transaction is: rows, P, then K or A.
#[test]
fn random_sessions_with_prepared_transactions_give_the_same_events_with_streaming() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fixture = Fixture::new(server, &setup());
        let two_phase = |streaming| StreamOptions::new().two_phase(true).streaming(streaming);
        read(&fixture, two_phase(Streaming::Off), None);
        Workload::new(&fixture, 5).run(400);
        let ordinary = read(&fixture, two_phase(Streaming::Off), None);
        let mut prepared: BTreeMap<String, String> = BTreeMap::new();
        for event in &ordinary {
            if let Some(gid) = gid(event) {
                prepared.entry(gid).or_default().push(event.op().code());
            }
        }
        assert!(prepared.len() > 3, "{prepared:?}");
        for ops in prepared.values() {
            let rows = ops.trim_end_matches("PK").trim_end_matches("PA");
            assert_eq!(rows.len() + 2, ops.len(), "{ops}");
            assert!(rows.bytes().all(|op| b"IUDT".contains(&op)), "{ops}");
        }
        let ends = |op| ordinary.iter().filter(|event| event.op() == op).count();
        assert_eq!(ends(Op::Prepare), ends(Op::CommitPrepared) + ends(Op::RollbackPrepared));
        // Of a transaction that was rolled back before it is read, the server may leave out rows.
        let rolled_back: BTreeSet<_> = ordinary
            .iter()
            .filter(|event| event.op() == Op::RollbackPrepared)
            .filter_map(gid)
            .collect();
        let is_compared = |event: &&ChangeEvent| {
            let is_row = event.table().is_some();
            !is_row || gid(event).is_none_or(|gid| !rolled_back.contains(&gid))
        };
        let lines = |events: &[ChangeEvent]| {
            events.iter().filter(is_compared).map(line).collect::<Vec<_>>()
        };
        let ordinary = lines(&ordinary);
        for streaming in streaming(server) {
            let streamed = lines(&read(&fixture, two_phase(*streaming), None));
            for (got, expected) in streamed.iter().zip(&ordinary) {
                assert_eq!(got, expected, "PostgreSQL {}, {streaming:?}", server.major());
            }
            assert_eq!(streamed.len(), ordinary.len());
        }
    });
}

/// The server sends it again without some of its rows, or without any.
#[test]
fn a_transaction_that_is_rolled_back_between_two_runs_ends_with_its_rollback() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fixture = Fixture::new(server, TABLE);
        let two_phase = || StreamOptions::new().two_phase(true);
        read(&fixture, two_phase(), None);
        fixture.run([
            "INSERT INTO t VALUES (1)",
            "BEGIN; INSERT INTO t VALUES (2), (3), (4); PREPARE TRANSACTION 'one'",
        ]);
        let before = read(&fixture, two_phase(), None);
        assert_eq!(ops(&before), "IIIIP");
        fixture.run(["ROLLBACK PREPARED 'one'", "INSERT INTO t VALUES (5)"]);
        for (at, event) in before.iter().enumerate() {
            let position: Position = event.position().to_string().parse().unwrap();
            let rest = ops(&read(&fixture, two_phase(), Some(&position)));
            assert!(rest.ends_with("AI"), "after {at}: {rest}");
            let again = rest.strip_suffix("AI").unwrap();
            assert_eq!(again.ends_with('P'), at < 4, "after {at}: {rest}");
            assert!(again.len() < 5 - at, "after {at}: {rest}");
        }
    });
}

/// The server sends such a transaction when it is committed, with an LSN from before the start.
#[test]
fn one_that_was_prepared_before_the_slot_had_the_option_is_delivered_when_it_is_committed() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        fixture.run([
            "BEGIN; INSERT INTO t VALUES (1), (2); PREPARE TRANSACTION 'small'",
            "BEGIN; INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1001, 1300) n;
             PREPARE TRANSACTION 'large'",
            "BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION 'never'",
            "INSERT INTO t VALUES (4)",
        ]);
        assert_eq!(ops(&fixture.read()), "I");
        let two_phase = || StreamOptions::new().two_phase(true);
        let read_on = || fixture.read_with(|builder| builder.options(two_phase()));
        assert!(read_on().is_empty());
        fixture.run([
            "INSERT INTO t VALUES (5)",
            "COMMIT PREPARED 'small'",
            "INSERT INTO t VALUES (6)",
            "COMMIT PREPARED 'large'",
            "ROLLBACK PREPARED 'never'",
            "INSERT INTO t VALUES (7)",
        ]);
        let all = read(&fixture, two_phase(), None);
        let ids: Vec<i32> =
            all.iter().filter_map(|event| Some(event.after()?.get("id").unwrap())).collect();
        let expected = [5, 1, 2, 6].into_iter().chain(1001..=1300).chain([7]);
        assert!(ids.into_iter().eq(expected));
        // Only the rollback is an event of its own: nothing of that transaction was delivered.
        let without_rows: Vec<_> = all.iter().filter(|event| event.table().is_none()).collect();
        assert_eq!(without_rows.len(), 1);
        assert_eq!(without_rows[0].op(), Op::RollbackPrepared);
        let lines: Vec<_> = all.iter().map(line).collect();
        for at in [0, 1, 2, 3, 4, 200, all.len() - 2] {
            let position: Position = all[at].position().to_string().parse().unwrap();
            let rest = read(&fixture, two_phase(), Some(&position));
            assert!(rest.iter().map(line).eq(lines[at + 1..].iter().cloned()), "after {at}");
        }
        assert_eq!(read_on().len(), all.len());
        assert!(read_on().is_empty());
    });
}

/// The commit of the next transaction starts where the record of the rollback ends.
#[test]
fn an_acknowledged_rollback_confirms_nothing_that_follows() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fixture = Fixture::new(server, TABLE);
        let two_phase = || StreamOptions::new().two_phase(true);
        let read_on = |until: Option<Lsn>| {
            let builder = fixture.builder().options(two_phase());
            let mut reader =
                builder.until_lsn(until.unwrap_or_else(|| fixture.end())).connect().unwrap();
            let events: Vec<_> = reader.in_time().map(Result::unwrap).collect();
            reader.stop().unwrap();
            fixture.wait_until_free();
            events
        };
        assert!(read_on(None).is_empty());
        for n in 0..10 {
            let mut other = fixture.client();
            other.batch_execute(&format!("BEGIN; INSERT INTO t VALUES ({n})")).unwrap();
            fixture.run([
                &format!("BEGIN; INSERT INTO t VALUES ({n} + 100); PREPARE TRANSACTION 'g{n}'"),
                &format!("ROLLBACK PREPARED 'g{n}'"),
            ]);
            let end = fixture.end();
            other.batch_execute("COMMIT").unwrap();
            // Everything before the commit is acknowledged.
            let before = ops(&read_on(Some(end)));
            assert!(before.ends_with("PA"), "{before}");
            let after = read_on(None);
            assert_eq!(ops(&after), "I", "round {n}");
            assert_eq!(after[0].after().unwrap().get::<i32>("id").unwrap(), n);
        }
    });
}
