//! The `threads` example: changes finish in any order, and the slot advances in order.

use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Database, eventually, servers};
use postgres::Client;

use crate::running::Running;

fn lsn(database: &Database<'_>, query: &str) -> Lsn {
    database.client().query_one(query, &[]).unwrap().get::<_, &str>(0).parse().unwrap()
}

fn confirmed(database: &Database<'_>, slot: &str) -> Lsn {
    let query = format!(
        "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{slot}'"
    );
    lsn(database, &query)
}

const END: &str = "SELECT pg_current_wal_flush_lsn()::text";

fn set_up(client: &mut Client, slot: &str) {
    client
        .batch_execute(
            "CREATE TABLE job (id bigint PRIMARY KEY, milliseconds integer NOT NULL);
             CREATE PUBLICATION p FOR TABLE job",
        )
        .unwrap();
    let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
    client.execute(create, &[&slot]).unwrap();
}

#[test]
fn threads_confirms_only_what_is_done_without_a_gap() {
    for server in servers() {
        let database = server.database("threads");
        let slot = database.slot_name("threads");
        let mut client = database.client();
        set_up(&mut client, &slot);
        let mut add = |id: i64, milliseconds: i32| {
            client.execute("INSERT INTO job VALUES ($1, $2)", &[&id, &milliseconds]).unwrap();
        };
        let before = lsn(&database, END);
        add(0, 0);
        add(1, 8_000);
        let after = lsn(&database, END);
        (2..=20).for_each(|id| add(id, 1));
        let all = lsn(&database, END);

        let mut threads = Running::start("threads", &[&database.uri(), &slot, "p"]);
        let mut done: Vec<String> = (0..20).map(|_| threads.line()).collect();
        done.sort();
        let mut expected: Vec<String> =
            (0..=20).filter(|id| *id != 1).map(|id| format!("job {id} done")).collect();
        expected.sort();
        assert_eq!(done, expected);
        // The others are done while job 1 is not, and what was done before it is confirmed.
        eventually("the first job to be confirmed", || {
            (confirmed(&database, &slot) > before).then_some(())
        });
        std::thread::sleep(Duration::from_millis(1_500));
        let now = confirmed(&database, &slot);
        assert!(now < after, "job 1 is not done: {before} {now} {after} {all}");
        assert_eq!(threads.line(), "job 1 done");
        // The confirmed LSN identifies the last event, so it lags by some bytes.
        eventually("every job to be confirmed", || {
            (confirmed(&database, &slot).as_u64() + 1024 >= all.as_u64()).then_some(())
        });
        threads.kill();
    }
}

#[test]
fn threads_ends_with_the_error_of_a_worker() {
    for server in servers() {
        let database = server.database("threads_error");
        let slot = database.slot_name("threads_error");
        let mut client = database.client();
        set_up(&mut client, &slot);
        client.batch_execute("INSERT INTO job VALUES (1, 0), (2, -1), (3, 0)").unwrap();
        let (status, stderr) = Running::start("threads", &[&database.uri(), &slot, "p"]).end();
        assert_eq!(status, Some(1), "{stderr}");
        assert!(stderr.contains("change at ") && stderr.contains("out of range"), "{stderr}");
    }
}
