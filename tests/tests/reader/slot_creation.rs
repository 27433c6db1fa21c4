//! Slot creation while transactions are open: which sessions it waits for, how long, and what
//! remains.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use pgoutput_harness::{Server, TIMEOUT, servers};
use pgoutput_reader::{
    BlockingSession, Config, Connection, CreateSlot, Error, ErrorKind, Position, ReaderBuilder,
    SetupError, SlotCreation,
};
use pgoutput_tests::{Fixture, eventually, waiting};
use postgres::Client;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

/// Opens a session with an open transaction, and returns its process id.
fn open(fixture: &Fixture<'_>) -> (Client, i32) {
    let mut client = fixture.client();
    client.batch_execute("BEGIN; INSERT INTO t VALUES (1)").unwrap();
    let pid = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    (client, pid)
}

/// The reported blocking sessions, and the creating process.
type Reports = Arc<Mutex<Vec<(Vec<BlockingSession>, Option<i32>, String)>>>;

fn reported(builder: ReaderBuilder) -> (ReaderBuilder, Reports) {
    let reports = Reports::default();
    let recorder = Arc::clone(&reports);
    let builder = builder.on_slot_wait(move |wait| {
        recorder.lock().unwrap().push((wait.sessions.to_vec(), wait.creator, wait.to_string()));
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
fn blocking_sessions_are_reported_and_the_limit_leaves_no_slot() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("blocked");
        let (mut client, pid) = open(&fixture);
        let limit = Duration::from_secs(4);
        let builder = fixture
            .builder()
            .slot(&slot)
            .slot_creation(SlotCreation::IfMissing)
            .slot_wait_limit(limit);
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

        // The limit of the creation does not persist: the slot is created and read.
        client.batch_execute("ROLLBACK").unwrap();
        let mut reader =
            fixture.builder().slot(&slot).slot_creation(SlotCreation::IfMissing).connect().unwrap();
        fixture.run(["INSERT INTO t VALUES (2)"]);
        assert!(reader.next_timeout(TIMEOUT).is_ok());
        reader.stop().unwrap();
    }
}

#[test]
fn a_slot_under_creation_elsewhere_is_an_error_or_waited_for() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("halfway");
        fixture.run(["INSERT INTO t VALUES (0)"]);
        let position = fixture.read()[0].position().to_string();
        let position: Position = position.replace(fixture.slot_name(), &slot).parse().unwrap();
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
            let named = SetupError::SlotBeingCreated { slot: slot.clone(), pid: creator };
            // Long enough for a report.
            let limit = Duration::from_secs(4);
            for create in [SlotCreation::Never, SlotCreation::IfMissing] {
                let builder = fixture.builder().slot(&slot).slot_creation(create);
                let (builder, reports) = reported(builder.slot_wait_limit(limit));
                let since = Instant::now();
                let error = setup_error(builder.connect().unwrap_err());
                assert_eq!(error, named);
                assert!(since.elapsed() >= limit, "given up after {:?}", since.elapsed());
                let text = error.to_string();
                assert!(text.contains(&format!("pg_cancel_backend({creator})")), "{text}");
                let (sessions, by, text) = reports.lock().unwrap().pop().expect("a report");
                assert_eq!((by, sessions.len()), (Some(creator), 1), "{text}");
                assert!(text.contains(&format!("is being created by process {creator}")), "{text}");
            }

            // Problems that a wait cannot solve are found before it: each wait would take five
            // minutes.
            let at_once = |builder: ReaderBuilder| {
                let (builder, reports) = reported(builder.slot(&slot));
                let error = setup_error(builder.connect().unwrap_err());
                assert!(reports.lock().unwrap().is_empty(), "{error}");
                error
            };
            assert_eq!(at_once(fixture.builder().resume(position)), named);
            let error = at_once(fixture.builder().publication("absent"));
            let SetupError::PublicationMissing { missing, .. } = &error else { panic!("{error}") };
            assert_eq!(*missing, ["absent"]);

            let waits = [SlotCreation::Never, SlotCreation::IfMissing].map(|create| {
                let (builder, reports) =
                    reported(fixture.builder().slot(&slot).slot_creation(create));
                let connecting = scope.spawn(move || builder.connect());
                eventually("a report", || reports.lock().unwrap().pop());
                connecting
            });
            client.batch_execute("ROLLBACK").unwrap();
            waiting("the first creation", || creating.join()).unwrap().unwrap();
            // Each waits until the process that created the slot releases it. One of them then gets
            // it.
            let [first, second] = waits.map(|waits| waiting("a start", || waits.join()).unwrap());
            let (reader, late) = match (first, second) {
                (Ok(reader), Err(late)) | (Err(late), Ok(reader)) => (reader, late),
                (Ok(_), Ok(_)) => panic!("both read the slot"),
                (Err(first), Err(second)) => panic!("{first}; {second}"),
            };
            assert_eq!(late.sqlstate(), Some("55006"), "{late}");
            reader.stop().unwrap();
        });
    }
}

/// As for any slot in use, and without waiting for the creator any longer.
#[test]
fn a_slot_that_its_creator_keeps_is_in_use() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("kept");
        let (mut client, _) = open(&fixture);
        let config: Config = fixture.database().dsn().parse().unwrap();
        let mut first = Connection::connect(&config).unwrap();
        thread::scope(|scope| {
            let create = CreateSlot::new(&slot).temporary(true);
            let creating = scope.spawn(move || {
                first.create_slot(&create).unwrap();
                first
            });
            eventually("the slot to be begun", || (slots(&fixture, &slot) == 1).then_some(()));
            let (builder, reports) = reported(fixture.builder().slot(&slot));
            let waits = scope.spawn(|| builder.connect());
            eventually("a report", || reports.lock().unwrap().pop());
            client.batch_execute("ROLLBACK").unwrap();
            let first = waiting("the creation", || creating.join()).unwrap();
            let error = waiting("the start", || waits.join()).unwrap().unwrap_err();
            assert_eq!(error.sqlstate(), Some("55006"), "{error}");
            first.close().unwrap();
        });
    }
}

#[test]
fn a_stop_ends_the_wait_and_leaves_no_slot() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let slot = fixture.database().slot_name("stopped");
        let (mut client, _) = open(&fixture);
        let mut builder = fixture.builder().slot(&slot).slot_creation(SlotCreation::IfMissing);
        let stop = builder.stop_handle().unwrap();
        thread::scope(|scope| {
            let connecting = scope.spawn(|| builder.connect());
            eventually("the slot to be begun", || (slots(&fixture, &slot) == 1).then_some(()));
            stop.stop();
            let error = waiting("the end", || connecting.join()).unwrap().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Stopped { .. }), "{error}");
        });
        eventually("the slot to be dropped", || (slots(&fixture, &slot) == 0).then_some(()));
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
fn a_blocking_prepared_transaction_is_named() {
    for shared in servers() {
        let server = Server::builder()
            .setting("max_prepared_transactions", "2")
            .start(shared.major())
            .unwrap();
        let fixture = Fixture::new(&server, TABLE);
        fixture.run(["BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'it''s \u{1b}here'"]);
        let slot = fixture.database().slot_name("prepared");
        let builder = fixture.builder().slot(&slot).slot_creation(SlotCreation::IfMissing);
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
