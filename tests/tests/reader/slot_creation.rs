//! Creating a slot while transactions are open: who is waited for, for how long, and what is left of it.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{PATIENCE, Server, servers};
use pgoutput_reader::{
    BlockingSession, Config, Connection, CreateSlot, Error, ErrorKind, ReaderBuilder, SetupError,
};
use pgoutput_tests::{Fixture, eventually, waiting};
use postgres::Client;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

/// A session with an open transaction, and its process.
fn open(fixture: &Fixture<'_>) -> (Client, i32) {
    let mut client = fixture.client();
    client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    (client, pid)
}

/// Who was reported to be waited for, and which creator.
type Reports = Arc<Mutex<Vec<(Vec<BlockingSession>, Option<i32>, String)>>>;

fn reported(builder: ReaderBuilder) -> (ReaderBuilder, Reports) {
    let reports = Reports::default();
    let told = Arc::clone(&reports);
    let builder = builder.on_slot_wait(move |wait| {
        told.lock().unwrap().push((wait.sessions.to_vec(), wait.creator, wait.to_string()));
    });
    (builder, reports)
}

fn slots(fixture: &Fixture<'_>, slot: &str) -> i64 {
    let query = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
    fixture.number(&query)
}

fn setup_error(error: Error) -> SetupError {
    match error.into_kind() {
        ErrorKind::Setup(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn who_is_waited_for_is_reported_and_after_the_limit_no_slot_is_left() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("blocked");
        let (mut client, pid) = open(&fixture);
        let limit = Duration::from_secs(4);
        let builder = fixture.builder().slot(&slot).create_slot(true).slot_wait_limit(limit);
        let (builder, reports) = reported(builder);
        let error = setup_error(builder.connect().unwrap_err());
        let SetupError::SlotCreationBlocked { slot: named, limit: waited, sessions } = &error
        else {
            panic!("{error}")
        };
        assert_eq!((named.as_str(), *waited), (slot.as_str(), limit));
        let is_it = |session: &BlockingSession| {
            session.pid == Some(pid)
                && session.state.as_deref() == Some("idle in transaction")
                && session.since.is_some()
        };
        assert!(sessions.iter().any(is_it), "{error}");
        assert!(error.to_string().contains(&format!("pid {pid}")), "{error}");
        let reports = reports.lock().unwrap();
        let (sessions, creator, text) = &reports[0];
        assert!(sessions.iter().any(is_it) && creator.is_none(), "{text}");
        assert!(text.contains(&format!("pid {pid} (idle in transaction, since ")), "{text}");
        assert_eq!(slots(&fixture, &slot), 0);

        // What was set for the creation alone is not kept: the slot is created and read.
        client.batch_execute("ROLLBACK").unwrap();
        let mut reader = fixture.builder().slot(&slot).create_slot(true).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (2)"]);
        assert!(reader.next_timeout(PATIENCE).is_ok());
        reader.stop().unwrap();
    }
}

#[test]
fn a_slot_that_another_process_creates_is_an_error_of_its_own_or_waited_for() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("halfway");
        let (mut client, _) = open(&fixture);
        let config: Config = fixture.database().dsn().parse().unwrap();
        let mut first = Connection::connect(&config).unwrap();
        thread::scope(|scope| {
            let creating = scope.spawn(|| {
                let created = first.create_slot(&CreateSlot::new(&slot));
                first.close().unwrap();
                created
            });
            let creator = eventually("the slot to be begun", || {
                let query = "SELECT active_pid FROM pg_replication_slots \
                             WHERE slot_name = $1 AND confirmed_flush_lsn IS NULL";
                Some(fixture.client().query_opt(query, &[&slot]).unwrap()?.get::<_, i32>(0))
            });
            let error = setup_error(fixture.builder().slot(&slot).connect().unwrap_err());
            assert_eq!(error, SetupError::SlotBeingCreated { slot: slot.clone(), pid: creator });
            let text = error.to_string();
            assert!(text.contains(&format!("pg_cancel_backend({creator})")), "{text}");

            let (builder, reports) = reported(fixture.builder().slot(&slot).create_slot(true));
            let waits = scope.spawn(|| builder.connect());
            let (sessions, named, _) = eventually("a report", || reports.lock().unwrap().pop());
            assert_eq!((named, sessions.len()), (Some(creator), 1));
            client.batch_execute("ROLLBACK").unwrap();
            waiting("the first creation", || creating.join()).unwrap().unwrap();
            // Its process may still hold the slot for a moment.
            match waiting("the second start", || waits.join()).unwrap() {
                Ok(reader) => reader.stop().unwrap(),
                Err(error) => assert_eq!(error.sqlstate(), Some("55006"), "{error}"),
            }
        });
    }
}

#[test]
fn a_stop_ends_the_wait_and_leaves_no_slot() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("stopped");
        let (mut client, _) = open(&fixture);
        let mut builder = fixture.builder().slot(&slot).create_slot(true);
        let stop = builder.stop_handle().unwrap();
        thread::scope(|scope| {
            let connecting = scope.spawn(|| builder.connect());
            eventually("the slot to be begun", || (slots(&fixture, &slot) == 1).then_some(()));
            stop.stop();
            let error = waiting("the end", || connecting.join()).unwrap().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
        });
        eventually("the slot to be gone", || (slots(&fixture, &slot) == 0).then_some(()));
        client.batch_execute("ROLLBACK").unwrap();
        // The same kind of handle stops the reader too.
        let mut builder = fixture.builder();
        let stop = builder.stop_handle().unwrap();
        let mut reader = builder.connect().unwrap();
        thread::scope(|scope| {
            let reading = scope.spawn(move || {
                assert!(reader.next().is_none());
                reader.stop().unwrap();
            });
            stop.stop();
            waiting("the reader", || reading.join()).unwrap();
        });
    }
}

#[test]
fn a_prepared_transaction_is_named() {
    for shared in servers() {
        let server = Server::builder()
            .setting("max_prepared_transactions", "2")
            .start(shared.major())
            .unwrap();
        let fixture = Fixture::new(&server, TABLE);
        fixture.run(["BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'it''s \u{1b}here'"]);
        let slot = fixture.database().slot_name("prepared");
        let builder = fixture.builder().slot(&slot).create_slot(true);
        let error = builder.slot_wait_limit(Duration::from_secs(3)).connect().unwrap_err();
        let text = error.to_string();
        let error = setup_error(error);
        let SetupError::SlotCreationBlocked { sessions, .. } = &error else { panic!("{error}") };
        let [session] = &sessions[..] else { panic!("{error}") };
        assert_eq!((session.pid, session.gid.as_deref()), (None, Some("it's \u{1b}here")));
        assert!(session.since.is_some() && session.user.is_some() && session.database.is_some());
        assert!(text.contains("ROLLBACK PREPARED") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(slots(&fixture, &slot), 0);
        fixture.run(["ROLLBACK PREPARED 'it''s \u{1b}here'"]);
    }
}
