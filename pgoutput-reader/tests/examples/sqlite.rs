//! The `sqlite` example killed again and again: each change is stored once and in order, and the
//! slot retains no WAL.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use pgoutput_decode::Lsn;
use pgoutput_harness::{Database, Server, eventually, servers};
use postgres::Client;
use serde_json::{Value, json};

use crate::example;
use crate::running::Running;

/// The number of times that the program is killed.
const ROUNDS: u64 = 12;

/// The largest lag of an idle slot's confirmed position, in bytes.
const IDLE_LAG: u64 = 1024;

/// A source database, a file to write to, and the program while it runs.
struct Run<'s> {
    database: Database<'s>,
    client: Client,
    other_database: Client,
    slot: String,
    file: PathBuf,
    child: Option<Child>,
    /// The number of rows written so far. Their ids count up.
    rows: i64,
    /// The state of a simple random number generator (Knuth's MMIX).
    random: u64,
}

impl<'s> Run<'s> {
    fn new(server: &'s Server, other: &Database<'s>) -> Self {
        let database = server.database("sqlite");
        let slot = database.slot_name("sqlite");
        let mut client = database.client();
        client
            .batch_execute("CREATE TABLE t (id bigint); CREATE PUBLICATION p FOR TABLE t")
            .unwrap();
        client
            .execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", &[&slot])
            .unwrap();
        let name = format!("sqlite-{}-{}.db", std::process::id(), server.major());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let other_database = other.client();
        let random = 2026 + u64::from(server.major());
        Self { database, client, other_database, slot, file, child: None, rows: 0, random }
    }

    fn random(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn start(&mut self) {
        // The walsender needs a moment to notice that its client was killed.
        self.database.wait_until_free(&self.slot);
        let child = example("sqlite")
            .args([&self.database.uri(), &self.slot, "p", self.file.to_str().unwrap()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Ends the program with SIGKILL.
    fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Writes some transactions of some rows each.
    fn write(&mut self) {
        for _ in 0..=self.random(3) {
            let (first, last) =
                (self.rows + 1, self.rows + 1 + i64::try_from(self.random(7)).unwrap());
            let insert = "INSERT INTO t SELECT generate_series($1::bigint, $2)";
            self.client.execute(insert, &[&first, &last]).unwrap();
            self.rows = last;
        }
    }

    fn stored(&self) -> i64 {
        // The program may not have created the table yet.
        let db = rusqlite::Connection::open(&self.file).unwrap();
        db.query_row("SELECT count(*) FROM row", [], |row| row.get(0)).unwrap_or(0)
    }

    fn wait_until_stored(&self) {
        eventually("every row to be stored", || (self.stored() >= self.rows).then_some(()));
    }

    /// Returns `confirmed_flush_lsn` and `restart_lsn`.
    fn slot(&mut self) -> [Lsn; 2] {
        let query = "SELECT confirmed_flush_lsn::text, restart_lsn::text FROM pg_replication_slots \
                     WHERE slot_name = $1";
        let row = self.client.query_one(query, &[&self.slot]).unwrap();
        [0, 1].map(|place| row.get::<_, &str>(place).parse().unwrap())
    }

    /// Writes unpublished changes until the slot retains no WAL from before them.
    fn idle(&mut self) {
        self.wait_until_stored();
        let end = |client: &mut Client| -> Lsn {
            let row = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).unwrap();
            row.get::<_, &str>(0).parse().unwrap()
        };
        let before = end(&mut self.client);
        self.other_database.batch_execute("INSERT INTO u SELECT generate_series(1, 5000)").unwrap();
        let after = end(&mut self.client);
        eventually("the idle slot to advance", || {
            // A checkpoint logs the running transactions, which a slot needs to release WAL.
            self.other_database.batch_execute("INSERT INTO u VALUES (1); CHECKPOINT").unwrap();
            sleep(Duration::from_millis(100));
            let [confirmed, restart] = self.slot();
            let is_close = confirmed.as_u64() + IDLE_LAG >= after.as_u64();
            (is_close && restart >= before).then_some(())
        });
    }

    /// Checks that each change was stored once and in order.
    fn check(&self) {
        let db = rusqlite::Connection::open(&self.file).unwrap();
        let mut lines = db.prepare("SELECT columns FROM row ORDER BY rowid").unwrap();
        let ids: Vec<i64> = lines
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .map(|columns| columns["id"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> = (1..=self.rows).collect();
        assert_eq!(ids, expected, "PostgreSQL {}", self.database.server().major());
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(&self.file);
        let _ = std::fs::remove_file(self.file.with_extension("db-journal"));
    }
}

#[test]
fn sqlite_stores_each_change_once_however_often_it_is_killed() {
    for server in servers() {
        let other = server.database("other_database");
        other.client().batch_execute("CREATE TABLE u (id int)").unwrap();
        let mut run = Run::new(server, &other);
        for round in 0..ROUNDS {
            run.start();
            // Every fourth round has no changes for long enough that only idle moments advance the
            // slot.
            match round % 4 {
                0 => run.write(),
                1 => {
                    run.write();
                    run.idle();
                }
                2 => {
                    run.idle();
                    run.write();
                }
                _ => {}
            }
            let moment = run.random(150);
            sleep(Duration::from_millis(moment));
            run.kill();
            // Writes while no program reads.
            if round % 3 == 0 {
                run.write();
                run.other_database.batch_execute("INSERT INTO u VALUES (1); CHECKPOINT").unwrap();
            }
        }
        run.start();
        run.wait_until_stored();
        run.idle();
        run.kill();
        run.start();
        run.write();
        run.wait_until_stored();
        run.kill();
        run.check();
    }
}

/// Changes of every kind, after an initial copy.
const CHANGES: &str = "
    INSERT INTO k VALUES (3, 'c', pg_catalog.repeat('c', 5000)), (4, NULL, NULL);
    UPDATE k SET body = 'b2' WHERE id = 2;
    UPDATE k SET id = 10, body = NULL WHERE id = 1;
    UPDATE k SET large = 'short' WHERE id = 3;
    DELETE FROM k WHERE id = 4;
    UPDATE k SET id = 4 WHERE id = 3;
    INSERT INTO emptied VALUES (1)";

#[test]
fn sqlite_copies_the_existing_rows_and_applies_every_kind_of_change() {
    for server in servers() {
        let database = server.database("sqlite_apply");
        let slot = database.slot_name("sqlite_apply");
        let mut client = database.client();
        client
            .batch_execute(
                "CREATE TABLE k (id int PRIMARY KEY, body text, large text);
                 ALTER TABLE k ALTER large SET STORAGE EXTERNAL;
                 CREATE TABLE emptied (id int PRIMARY KEY);
                 INSERT INTO k VALUES (1, 'a', pg_catalog.repeat('a', 5000)), (2, 'b', NULL);
                 INSERT INTO emptied VALUES (7);
                 CREATE PUBLICATION p FOR ALL TABLES",
            )
            .unwrap();
        let name = format!("sqlite-apply-{}-{}.db", std::process::id(), server.major());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let arguments = [&database.uri(), &slot, "p", file.to_str().unwrap()];
        let running = Running::start("sqlite", &arguments);
        let stored = |relation: &str| -> Option<Vec<Value>> {
            let db = rusqlite::Connection::open(&file).unwrap();
            let query = "SELECT columns FROM row WHERE relation = ?1 ORDER BY key";
            let mut rows = db.prepare(query).ok()?;
            let rows = rows.query_map([relation], |row| row.get::<_, String>(0)).ok()?;
            rows.map(|row| Some(serde_json::from_str(&row.ok()?).unwrap())).collect()
        };
        let is = |relation: &str, rows: &Value| {
            eventually("the rows to be stored", || {
                (stored(relation)? == *rows.as_array().unwrap()).then_some(())
            });
        };
        let a = "a".repeat(5000);
        let copied = json!([
            { "id": 1, "body": "a", "large": a },
            { "id": 2, "body": "b", "large": null },
        ]);
        is("public.emptied", &json!([{ "id": 7 }]));
        is("public.k", &copied);
        client.batch_execute(CHANGES).unwrap();
        // The unchanged TOAST value of the first row is kept.
        let changed = json!([
            { "id": 10, "body": null, "large": a },
            { "id": 2, "body": "b2", "large": null },
            { "id": 4, "body": "c", "large": "short" },
        ]);
        is("public.k", &changed);
        if server.major() >= 11 {
            client.batch_execute("TRUNCATE emptied; INSERT INTO emptied VALUES (2)").unwrap();
            is("public.emptied", &json!([{ "id": 2 }]));
        }
        running.kill();
        std::fs::remove_file(&file).unwrap();
    }
}
