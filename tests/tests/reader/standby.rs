//! A standby as the source, its promotion, and slots that survive a failover.

use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, StopMode, servers_before, servers_from};
use pgoutput_reader::{
    Acknowledge, ChangeEvent, ErrorKind, HistoryError, Idle, Position, Reader, ReaderBuilder,
    SlotCreation,
};
use pgoutput_tests::{InTime as _, eventually};

const SLOT: &str = "s";

/// A primary with a table and a publication, and its standby.
struct Pair {
    primary: Server,
    standby: Server,
}

impl Pair {
    fn of_major(major: u32) -> Self {
        // Vacuum could remove rows that a slot of the standby needs before the primary knows about
        // it, and so invalidate the slot.
        let primary = Server::builder().setting("autovacuum", "off").start(major).unwrap();
        let setup = "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES;
                     SELECT pg_create_physical_replication_slot('standby', true)";
        primary.client().batch_execute(setup).unwrap();
        primary.stop(StopMode::Fast).unwrap();
        let mut standby = Server::builder()
            .copy_of(&primary)
            .data_file("standby.signal", "")
            .setting("primary_conninfo", &primary.dsn("postgres"))
            .setting("primary_slot_name", "standby")
            .setting("hot_standby_feedback", "on")
            .setting("wal_retrieve_retry_interval", "100ms");
        if major >= 17 {
            standby = standby.setting("sync_replication_slots", "off");
        }
        let standby = standby.start(major).unwrap();
        primary.start().unwrap();
        Self { primary, standby }
    }

    fn run(&self, statement: &str) {
        self.primary.client().batch_execute(statement).unwrap();
    }

    /// Runs `work` while the primary logs its running transactions, which a standby needs to create
    /// a slot or to start reading one.
    fn while_primary_logs_transactions<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let working = scope.spawn(work);
            eventually("the standby to be through", || {
                self.run("SELECT pg_log_standby_snapshot()");
                working.is_finished().then_some(())
            });
            working.join().unwrap()
        })
    }

    fn promote(&self) {
        self.standby.client().batch_execute("SELECT pg_promote()").unwrap();
    }
}

fn builder(server: &Server) -> ReaderBuilder {
    Reader::builder(&server.dsn("postgres"))
        .slot(SLOT)
        .publication("p")
        .acknowledge(Acknowledge::Manual)
        .idle(Idle::Never)
}

fn id(event: &ChangeEvent) -> i32 {
    event.after().unwrap().get("id").unwrap()
}

fn refusal(builder: ReaderBuilder) -> HistoryError {
    match builder.connect().unwrap_err().into_kind() {
        ErrorKind::History(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn reading_a_standby_continues_after_its_promotion() {
    for shared in servers_from(16) {
        let pair = Pair::of_major(shared.major());
        let mut reader = pair.while_primary_logs_transactions(|| {
            builder(&pair.standby).slot_creation(SlotCreation::IfMissing).connect().unwrap()
        });
        pair.run("INSERT INTO t VALUES (1)");
        let event = reader.next_in_time().unwrap().unwrap();
        assert_eq!(id(&event), 1);
        assert_eq!(event.position().timeline(), 1);
        assert!(reader.slot_status().unwrap().active);
        let position: Position = event.position().to_string().parse().unwrap();
        reader.acknowledger().acknowledge(event.position()).unwrap();
        reader.stop().unwrap();

        // Later changes of the primary reach the standby, or are lost with the primary.
        pair.run("INSERT INTO t VALUES (2)");
        eventually("the standby to have the row", || {
            let count = pair.standby.client().query("SELECT FROM t", &[]).unwrap().len();
            (count == 2).then_some(())
        });
        pair.promote();
        pair.standby.client().batch_execute("INSERT INTO t VALUES (3)").unwrap();
        let mut reader = builder(&pair.standby).resume(position.clone()).connect().unwrap();
        let events: Vec<_> = reader.in_time().take(2).map(Result::unwrap).collect();
        assert_eq!(events.iter().map(id).collect::<Vec<_>>(), [2, 3]);
        let promoted = events[1].position();
        assert_eq!(promoted.timeline(), 2);
        reader.stop().unwrap();

        // The old primary does not know what was read.
        pair.primary
            .client()
            .query_one("SELECT pg_create_logical_replication_slot('s', 'pgoutput')::text", &[])
            .unwrap();
        let after = promoted.to_string().parse::<Position>().unwrap();
        assert_eq!(
            refusal(builder(&pair.primary).resume(after)),
            HistoryError::TimelineBehind { expected: 2, found: 1 }
        );
        // The commits of the old primary after that are not in the WAL of the new one.
        let fork = promoted.to_string().replacen(":2:s:", ":1:s:", 1).parse::<Position>().unwrap();
        match refusal(builder(&pair.standby).resume(fork)) {
            HistoryError::TimelineForked { switch: Some(switch), lsn, .. } => {
                assert!(position.commit_lsn() < switch && switch <= lsn);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn reading_a_failover_slot_continues_on_the_promoted_standby() {
    for shared in servers_from(17) {
        let pair = Pair::of_major(shared.major());
        let mut reader =
            builder(&pair.primary).slot_creation(SlotCreation::Failover).connect().unwrap();
        assert_eq!(reader.slot_status().unwrap().failover, Some(true));
        pair.run("INSERT INTO t VALUES (1)");
        let event = reader.next_in_time().unwrap().unwrap();
        let mut position = event.position();
        reader.acknowledger().acknowledge(&position).unwrap();
        // The copy persists once the slot needs nothing from before the standby began to keep it.
        eventually("the slot to be copied", || {
            pair.run("SELECT pg_log_standby_snapshot()");
            assert!(reader.try_next().unwrap().is_none());
            if let Some(idle) = reader.idle_position() {
                reader.acknowledger().acknowledge(&idle).unwrap();
                position = idle;
            }
            let mut standby = pair.standby.client();
            standby.batch_execute("SELECT pg_sync_replication_slots()").ok()?;
            let copied = "SELECT FROM pg_replication_slots
                          WHERE slot_name = 's' AND synced AND NOT temporary";
            (standby.query(copied, &[]).unwrap().len() == 1).then_some(())
        });
        reader.stop().unwrap();
        pair.run("INSERT INTO t VALUES (2)");
        eventually("the standby to have the row", || {
            let count = pair.standby.client().query("SELECT FROM t", &[]).unwrap().len();
            (count == 2).then_some(())
        });
        pair.primary.stop(StopMode::Immediate).unwrap();
        pair.promote();
        let mut reader = builder(&pair.standby).resume(position).connect().unwrap();
        assert_eq!(id(&reader.next_in_time().unwrap().unwrap()), 2);
        reader.stop().unwrap();
    }
}

#[test]
fn failover_slots_need_a_server_that_supports_them() {
    for server in servers_before(17) {
        let database = server.database("failover");
        let slot = database.slot_name("slot");
        database.client().batch_execute("CREATE PUBLICATION p FOR ALL TABLES").unwrap();
        let builder = Reader::builder(&database.dsn())
            .slot(slot)
            .publication("p")
            .slot_creation(SlotCreation::Failover);
        let error = builder.connect().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported { needed: 17, .. }), "{error}");
    }
}

/// SQL has no history of timelines, so only a replication connection resumes after a promotion.
#[test]
fn a_standby_is_polled_and_its_promotion_is_noticed() {
    let polling = |server: &Server| builder(server).poll(Duration::from_millis(20));
    for server in servers_from(16) {
        let pair = Pair::of_major(server.major());
        let mut reader = pair.while_primary_logs_transactions(|| {
            let builder = polling(&pair.standby).slot_creation(SlotCreation::IfMissing);
            builder.connect().unwrap_or_else(|error| panic!("{error}"))
        });
        assert_eq!(reader.started().timeline, 1);
        pair.run("INSERT INTO t VALUES (1)");
        let event = pair.while_primary_logs_transactions(|| reader.next_in_time());
        let event = event.unwrap().unwrap();
        assert_eq!(id(&event), 1);
        reader.acknowledger().acknowledge(event.position()).unwrap();
        reader.stop().unwrap();
        let position: Position = event.position().to_string().parse().unwrap();
        let resumed = pair.while_primary_logs_transactions(|| {
            polling(&pair.standby).resume(position.clone()).connect()
        });
        drop(resumed.unwrap_or_else(|error| panic!("{error}")));
        pair.promote();
        eventually("the promotion", || {
            let row = pair.standby.client().query_one("SELECT pg_is_in_recovery()", &[]).unwrap();
            (!row.get::<_, bool>(0)).then_some(())
        });
        let refused = refusal(polling(&pair.standby).resume(position.clone()));
        assert_eq!(refused, HistoryError::TimelineUnknown { expected: 1, found: 2 });
        drop(builder(&pair.standby).resume(position).connect().unwrap());
    }
}
