//! A lost connection: the iterator continues without loss or repetition.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Server, StopMode, TIMEOUT, servers};
use pgoutput_reader::{
    Acknowledge, ChangeEvent, Config, Error, Next, Reader, ReaderBuilder, Reconnect, SslMode,
    StreamOptions,
};
use pgoutput_tests::{
    Fixture, Forward, InTime as _, PUBLICATION, Proxy, eventually, is_idle_at, line, within,
};

const SETUP: &str = "CREATE TABLE t (id int PRIMARY KEY, n int); \
                     CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (LIKE t)";

/// Returns a policy whose attempts take a test no time.
pub(crate) fn at_once() -> Reconnect {
    Reconnect::default().initial_delay(Duration::from_millis(1)).max_delay(Duration::from_secs(1))
}

/// Ends the walsender of the fixture's slot.
pub(crate) fn terminate(fixture: &Fixture<'_>) {
    let query = "SELECT pg_terminate_backend(active_pid)::int FROM pg_replication_slots";
    let ended = fixture.number(&format!("{query} WHERE slot_name = '{}'", fixture.slot_name()));
    assert_eq!(ended, 1);
}

pub(crate) fn id(event: &ChangeEvent) -> i64 {
    event.after().unwrap().get("id").unwrap()
}

/// Writes `rows` in one command, so that many of them share an LSN.
fn copy(fixture: &Fixture<'_>, ids: std::ops::RangeInclusive<i64>) {
    let mut client = fixture.client();
    let mut copy = client.copy_in("COPY t FROM STDIN").unwrap();
    for id in ids {
        writeln!(copy, "{id}\t0").unwrap();
    }
    copy.finish().unwrap();
}

/// Writes changes of every kind: rows of one LSN, several tables truncated at once, messages in and
/// outside of transactions.
fn write_everything(fixture: &Fixture<'_>) {
    fixture.run(["INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO u VALUES (1)"]);
    copy(fixture, 3..=9);
    if fixture.major() >= 14 {
        fixture.run([
            "SELECT pg_logical_emit_message(false, 'outside', 'one')",
            "BEGIN; SELECT pg_logical_emit_message(true, 'inside', 'two'); \
             UPDATE t SET n = 3 WHERE id = 1; \
             SELECT pg_logical_emit_message(false, 'outside', 'three'); \
             UPDATE u SET id = 4; COMMIT",
            "SELECT pg_logical_emit_message(false, 'outside', 'four')",
        ]);
    }
    fixture.run([
        "CREATE TABLE w (id int)",
        "INSERT INTO v SELECT * FROM t; DELETE FROM t WHERE id > 5",
    ]);
    if fixture.major() >= 11 {
        fixture.run(["TRUNCATE t, u, v"]);
    }
    fixture.run(["INSERT INTO u VALUES (7), (8)"]);
}

fn set_up(fixture: &Fixture<'_>, builder: ReaderBuilder) -> ReaderBuilder {
    let builder = builder.slot(fixture.slot_name()).publication(PUBLICATION);
    builder.options(StreamOptions::new().messages(fixture.major() >= 14)).reconnect(at_once())
}

fn read(builder: ReaderBuilder) -> (Vec<String>, u64) {
    let mut reader = builder.connect().unwrap();
    let events: Result<Vec<_>, Error> = reader.in_time().collect();
    let lines = events.unwrap_or_else(|e| panic!("{e}")).iter().map(line).collect();
    // The cut may be after the last event. Then there is nothing to confirm.
    (lines, reader.health().reconnects)
}

/// Cuts the connection at the `at`th CopyData message, in the middle of its bytes.
fn cut_at(server: &Server, at: usize) -> (Proxy, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let proxy = Proxy::before(server.port(), move |payload| {
        if counter.fetch_add(1, Ordering::SeqCst) != at {
            return Forward::Pass;
        }
        let length = u32::try_from(payload.len() + 4).unwrap().to_be_bytes();
        let whole = [&b"d"[..], &length, payload].concat();
        Forward::Close(whole[..whole.len() * (at % 4) / 4].to_vec())
    });
    (proxy, seen)
}

pub(crate) fn proxied(proxy: &Proxy, fixture: &Fixture<'_>) -> ReaderBuilder {
    let own = format!("port={}", fixture.database().server().port());
    let dsn = fixture.database().dsn_tcp().replace(&own, &format!("port={}", proxy.port()));
    let config: Config = dsn.parse().unwrap();
    // The proxy reads frames, so the client must not request TLS first.
    let config = config.ssl_mode(SslMode::Disable);
    set_up(fixture, config.into())
}

#[test]
fn reading_continues_after_a_cut_at_any_message() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        write_everything(&fixture);
        let end = fixture.end();
        // The slot does not advance, so that each run starts from the beginning.
        let never = |builder: ReaderBuilder| builder.acknowledge(Acknowledge::Never).until_lsn(end);
        let (uncut, seen) = cut_at(server, usize::MAX);
        let (expected, reconnects) = read(never(proxied(&uncut, &fixture)));
        assert_eq!(reconnects, 0);
        let messages = seen.load(Ordering::SeqCst);
        assert!(messages > expected.len() && expected.len() > 20);
        let mut cut = 0;
        for at in 0..messages {
            fixture.wait_until_free();
            let (proxy, _) = cut_at(server, at);
            let (lines, reconnects) = read(never(proxied(&proxy, &fixture)));
            assert_eq!(lines, expected, "PostgreSQL {}, cut at message {at}", fixture.major());
            cut += reconnects;
        }
        // The number of keepalives differs between runs. All but the last few messages are always
        // sent.
        assert!(cut > expected.len() as u64, "{cut} of {messages}");
    }
}

#[test]
fn reading_survives_repeated_termination_in_one_large_transaction() {
    const ROWS: i64 = 6000;
    for server in servers() {
        let fixture =
            Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, n int, filler text)");
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::clone(&attempts);
        let mut reader = set_up(&fixture, fixture.builder())
            .on_reconnect(move |attempt| {
                recorder
                    .lock()
                    .unwrap()
                    .push((attempt.attempt, attempt.cause.sqlstate().map(String::from)));
            })
            .connect()
            .unwrap();
        // More than the buffers of both sides hold, so that the transaction is still being sent
        // when the connection is cut.
        fixture.run([&format!(
            "INSERT INTO t SELECT n, n, repeat('x', 2000) FROM generate_series(1, {ROWS}) n"
        ) as &str]);
        for expected in 1..=ROWS {
            if [1, ROWS / 3, ROWS * 2 / 3].contains(&expected) {
                terminate(&fixture);
            }
            let event = reader.next_in_time().unwrap().unwrap();
            assert_eq!(id(&event), expected);
            assert_eq!(event.position().index().unwrap() + 1, u64::try_from(expected).unwrap());
        }
        assert_eq!(reader.health().reconnects, 3);
        assert!(reader.health().connected);
        let attempts = attempts.lock().unwrap();
        assert_eq!(attempts[0], (1, Some("57P01".into())));
        reader.stop().unwrap();
        fixture.wait_until_free();
        // The event after the last one was not requested.
        assert_eq!(fixture.read().len(), usize::try_from(ROWS).unwrap());
    }
}

/// Reads ids while the server is restarted in the middle of transactions. Manual acknowledgements
/// are two transactions late.
fn survives(mode: StopMode, acknowledge: Acknowledge) {
    const ROWS: i64 = 300;
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::of_major(major).unwrap();
        let fixture = Fixture::new(&server, "CREATE TABLE t (id int PRIMARY KEY, n int)");
        let mut reader =
            set_up(&fixture, fixture.builder()).acknowledge(acknowledge).connect().unwrap();
        let acknowledger = reader.acknowledger();
        let insert = |batch: i64| {
            let (from, to) = (batch * ROWS, batch * ROWS + ROWS - 1);
            let insert = format!("INSERT INTO t SELECT n, n FROM generate_series({from}, {to}) n");
            fixture.run([&insert as &str]);
        };
        let mut waiting = Vec::new();
        for batch in 0..4 {
            insert(batch);
            thread::scope(|scope| {
                for index in 0..ROWS {
                    if index == ROWS / 3 {
                        // A fast shutdown waits until the reader has read everything.
                        scope.spawn(|| server.restart(mode).unwrap());
                    }
                    let event = reader.next_in_time().unwrap().unwrap();
                    assert_eq!(id(&event), batch * ROWS + index);
                    waiting.push(event.position());
                }
                // Notices that the server is gone if all events arrived before.
                within(TIMEOUT, "the reader to reconnect", || {
                    let next = reader.next_timeout(Duration::from_millis(20));
                    assert!(matches!(next, Ok(Next::TimedOut)), "{next:?}");
                    (reader.health().reconnects > batch.cast_unsigned()).then_some(())
                });
            });
            // Events delivered before a restart are acknowledged after it.
            if batch > 1 {
                let late = waiting.split_off(usize::try_from(ROWS).unwrap());
                for position in std::mem::replace(&mut waiting, late).into_iter().rev() {
                    acknowledger.acknowledge(position).unwrap();
                }
            }
        }
        for position in waiting {
            acknowledger.acknowledge(position).unwrap();
        }
        eventually("the slot to come to the end", || {
            assert!(matches!(reader.next_timeout(Duration::from_millis(20)), Ok(Next::TimedOut)));
            is_idle_at(acknowledger.acknowledged(), fixture.end()).then_some(())
        });
        reader.stop().unwrap();
        assert!(fixture.read().is_empty());
    }
}

#[test]
fn reading_survives_fast_restarts() {
    // The server waits until its reader has confirmed everything.
    survives(StopMode::Fast, Acknowledge::Automatic);
}

#[test]
fn reading_survives_immediate_restarts() {
    survives(StopMode::Immediate, Acknowledge::Manual);
}

#[test]
fn a_held_slot_is_waited_for_and_its_holder_named() {
    for server in servers() {
        let fixture = Arc::new(Fixture::new(server, SETUP));
        let there = Arc::clone(&fixture);
        // Takes the slot as soon as the reader has lost it, and releases it after the reader has
        // noticed.
        let mut holder = None;
        let named = Arc::new(Mutex::new(0));
        let recorder = Arc::clone(&named);
        let mut reader = set_up(&fixture, fixture.builder())
            .on_reconnect(move |attempt| {
                if attempt.cause.sqlstate() == Some("57P01") {
                    there.wait_until_free();
                    let other = there.builder().acknowledge(Acknowledge::Never).connect().unwrap();
                    let pid = "SELECT active_pid FROM pg_replication_slots WHERE active";
                    let own = format!("{pid} AND slot_name = '{}'", there.slot_name());
                    holder = Some((other, there.number(&own)));
                } else if let Some((other, pid)) = holder.take() {
                    assert_eq!(attempt.cause.sqlstate(), Some("55006"));
                    let cause = attempt.cause.to_string();
                    assert!(cause.contains(&pid.to_string()), "{cause}");
                    *recorder.lock().unwrap() += 1;
                    other.stop().unwrap();
                }
            })
            .connect()
            .unwrap();
        fixture.run(["INSERT INTO u VALUES (1)"]);
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 1);
        terminate(&fixture);
        fixture.run(["INSERT INTO u VALUES (2)"]);
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 2);
        assert_eq!(*named.lock().unwrap(), 1);
        reader.stop().unwrap();
    }
}

#[test]
fn until_lsn_and_positions_hold_across_connections() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        fixture.run(["INSERT INTO u VALUES (1), (2), (3), (4)", "INSERT INTO u VALUES (5)"]);
        let end = fixture.end();
        fixture.run(["INSERT INTO u VALUES (6)"]);
        // At least a Begin, a Relation and a row come before it.
        let (proxy, _) = cut_at(server, 4);
        let mut reader = proxied(&proxy, &fixture).until_lsn(end).connect().unwrap();
        let first = reader.next_in_time().unwrap().unwrap();
        let rest: Vec<_> = reader.in_time().map(Result::unwrap).collect();
        assert_eq!(rest.iter().map(id).collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(reader.health().reconnects, 1);
        // The beginning and the end of the transaction were sent on different connections.
        let end_lsn = first.transaction().unwrap().end_lsn();
        assert!(end_lsn.is_some_and(|end_lsn| end_lsn > first.position().commit_lsn()));
        assert_eq!(rest[1].position().index(), Some(2));
        reader.stop().unwrap();
        assert_eq!(fixture.read().iter().map(id).collect::<Vec<_>>(), [6]);
    }
}

#[test]
fn an_unavailable_catalogue_loses_no_event() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let role = fixture.database().slot_name("limited");
        let database = fixture.database().name().to_owned();
        fixture.run([&format!("CREATE ROLE {role} LOGIN REPLICATION") as &str]);
        let limit = |to: i32| format!("ALTER DATABASE {database} CONNECTION LIMIT {to}");
        let config: Config = fixture.database().dsn().parse().unwrap();
        let config = config.user(&*role);
        let causes = Arc::new(Mutex::new(Vec::new()));
        let (recorder, unlimit) = (Arc::clone(&causes), limit(-1));
        let mut reader = set_up(&fixture, config.into())
            .on_reconnect(move |attempt| {
                recorder.lock().unwrap().push(attempt.cause.sqlstate().map(String::from));
                if attempt.attempt == 2 {
                    server.client().batch_execute(&unlimit).unwrap();
                }
            })
            .connect()
            .unwrap();
        let session = format!(
            "pg_stat_activity WHERE usename = '{role}' AND backend_type = 'client backend'"
        );
        let (there, ended) = ("SELECT count(*)", "SELECT count(pg_terminate_backend(pid))");
        let of_session = |what: &str| fixture.number(&format!("{what} FROM {session}"));
        eventually("the ordinary connection", || (of_session(there) == 1).then_some(()));
        // The SQL connection ends and cannot be replaced, and the stream continues.
        fixture.run([&limit(0) as &str]);
        assert_eq!(of_session(ended), 1);
        fixture.run(["INSERT INTO t VALUES (1, 1), (2, 2)"]);
        for expected in [1, 2] {
            assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), expected);
        }
        assert!(causes.lock().unwrap().len() >= 2);
        // A connection that is only lost causes no report.
        assert_eq!(of_session(ended), 1);
        let reconnects = reader.health().reconnects;
        fixture.run(["INSERT INTO u VALUES (3)"]);
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 3);
        assert_eq!(reader.health().reconnects, reconnects);
        reader.stop().unwrap();
        fixture.run([&format!("DROP ROLE {role}") as &str]);
    }
}

#[test]
fn tables_are_described_again_on_each_connection() {
    for server in servers() {
        let fixture = Fixture::new(server, SETUP);
        let mut reader: Reader = set_up(&fixture, fixture.builder()).connect().unwrap();
        fixture.run(["INSERT INTO u VALUES (1)"]);
        assert_eq!(reader.next_in_time().unwrap().unwrap().table().unwrap().columns().len(), 1);
        terminate(&fixture);
        fixture.run(["ALTER TABLE u ADD COLUMN more text", "INSERT INTO u VALUES (2, 'x')"]);
        let event = reader.next_in_time().unwrap().unwrap();
        assert_eq!(event.table().unwrap().columns().len(), 2);
        assert_eq!(event.after().unwrap().get::<&str>("more").unwrap(), "x");
        assert!(reader.server_wal_end() > Lsn::ZERO);
        reader.stop().unwrap();
    }
}
