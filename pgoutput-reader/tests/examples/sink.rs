//! The `sink` example killed again and again: each change is stored once and in order.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use pgoutput_harness::{eventually, servers};
use serde_json::Value;

use crate::running::Running;

/// The number of times that the program is killed.
const ROUNDS: u32 = 8;

#[test]
fn sink_stores_each_change_once_however_often_it_is_killed() {
    for server in servers() {
        let database = server.database("sink");
        let slot = database.slot_name("sink");
        let mut client = database.client();
        client.batch_execute("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t").unwrap();
        client
            .execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot])
            .unwrap();
        let name = format!("sink-{}-{}.db", std::process::id(), server.major());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let uri = database.uri();
        let arguments = [uri.as_str(), &slot, "p", file.to_str().unwrap()];
        let ids = || -> Vec<i64> {
            let db = rusqlite::Connection::open(&file).unwrap();
            let Ok(mut events) = db.prepare("SELECT event FROM change ORDER BY number") else {
                return Vec::new();
            };
            let Ok(events) = events.query_map([], |row| row.get::<_, String>(0)) else {
                return Vec::new();
            };
            let id = |text: String| -> i64 {
                serde_json::from_str::<Value>(&text).unwrap()["after"]["id"].as_i64().unwrap()
            };
            events.map_while(Result::ok).map(id).collect()
        };
        let mut last = 0;
        for round in 0..ROUNDS {
            database.wait_until_free(&slot);
            let running = Running::start("sink", &arguments);
            for _ in 0..20 {
                let insert =
                    format!("INSERT INTO t SELECT generate_series({}, {})", last + 1, last + 30);
                client.batch_execute(&insert).unwrap();
                last += 30;
            }
            let before = ids().len();
            if round % 2 == 0 {
                eventually("more changes", || {
                    (ids().len() > before || ids().len() == last).then_some(())
                });
            }
            sleep(Duration::from_millis(u64::from(round) * 17 % 50));
            running.kill();
        }
        database.wait_until_free(&slot);
        let running = Running::start("sink", &arguments);
        eventually("every change", || (ids().len() >= last).then_some(()));
        running.kill();
        assert!(ids().into_iter().eq(1..=i64::try_from(last).unwrap()));
        std::fs::remove_file(&file).unwrap();
    }
}
