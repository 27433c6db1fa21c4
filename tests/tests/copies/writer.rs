//! What is written to the tables meanwhile: the transactions of pgbench, and alterations.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::Database;
use pgoutput_tests::Random;
use postgres::Client;

/// A table, and the columns that are compared: the first one is the key, except that of `history`,
/// which has none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) has_key: bool,
}

const fn table(name: &'static str, columns: &'static [&'static str]) -> Table {
    Table { name, columns, has_key: true }
}

/// The tables. Columns that are added and dropped again are not compared: a row that exists has the
/// default of a new column, which is not a change.
pub(crate) const TABLES: [Table; 6] = [
    table("accounts", &["aid", "bid", "abalance", "filler"]),
    table("tellers", &["tid", "bid", "tbalance", "filler"]),
    table("branches", &["bid", "bbalance"]),
    Table { has_key: false, ..table("history", &["tid", "bid", "aid", "delta"]) },
    table("archive", &["id", "v"]),
    table("extra", &["id", "v"]),
];

/// The number of accounts, of which there are three quarters of all rows.
fn accounts(rows: u32) -> u32 {
    rows / 4 * 3
}

pub(crate) fn set_up(client: &mut Client, rows: u32) {
    let (accounts, eighth) = (accounts(rows), rows / 8);
    client
        .batch_execute(&format!(
            "CREATE TABLE archive (id int PRIMARY KEY, v text);
            CREATE TABLE tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
            CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
            CREATE TABLE branches (bid int PRIMARY KEY, bbalance int, filler char(88));
            CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamp);
            CREATE TABLE extra (id int PRIMARY KEY, v text);
            ALTER TABLE extra REPLICA IDENTITY FULL;
            INSERT INTO accounts SELECT i, i % 10 + 1, 0, CASE i % 3 WHEN 0 THEN '' END
                FROM pg_catalog.generate_series(1, {accounts}) AS i;
            INSERT INTO tellers SELECT i, i % 10 + 1, 0 FROM pg_catalog.generate_series(1, 100) i;
            INSERT INTO branches SELECT i, 0 FROM pg_catalog.generate_series(1, 10) i;
            INSERT INTO archive SELECT i, 'row ' || i
                FROM pg_catalog.generate_series(1, {eighth}) i;
            INSERT INTO extra SELECT i, NULL FROM pg_catalog.generate_series(1, {eighth}) i;
            CREATE PUBLICATION p FOR ALL TABLES;
            ANALYZE"
        ))
        .unwrap();
}

/// Runs pgbench's transactions and others until `ended`.
pub(crate) fn transactions(database: &Database<'_>, ended: &AtomicBool) {
    let mut random = Random::new(3);
    let mut client = database.client();
    let count = client.query_one("SELECT count(*) FROM accounts", &[]).unwrap();
    let accounts = usize::try_from(count.get::<_, i64>(0)).unwrap();
    let mut new = accounts;
    while !ended.load(Ordering::Acquire) {
        let (aid, tid, bid) =
            (random.below(accounts) + 1, random.below(100) + 1, random.below(10) + 1);
        let (delta, id) = (random.below(10_000), random.below(accounts / 6) + 1);
        new += 1;
        let text = match random.below(8) {
            0 => format!("INSERT INTO archive VALUES ({new}, 'new {delta}')"),
            1 => format!("DELETE FROM archive WHERE id IN ({id}, {})", new - 7),
            2 => format!("UPDATE archive SET id = {new} WHERE id = {id}"),
            3 => format!("UPDATE extra SET v = '{delta}' WHERE id = {id}"),
            4 => format!(
                "BEGIN; DELETE FROM extra WHERE id = {id};
                          INSERT INTO extra (id, v) VALUES ({new}, NULL); ROLLBACK"
            ),
            _ => format!(
                "BEGIN;
                 UPDATE accounts SET abalance = abalance + {delta} WHERE aid = {aid};
                 UPDATE tellers SET tbalance = tbalance + {delta} WHERE tid = {tid};
                 UPDATE branches SET bbalance = bbalance + {delta} WHERE bid = {bid};
                 INSERT INTO history VALUES ({tid}, {bid}, {aid}, {delta}, CURRENT_TIMESTAMP);
                 COMMIT"
            ),
        };
        client.batch_execute(&text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        thread::sleep(Duration::from_millis(1));
    }
}

/// Alters and truncates tables until `ended`. While a copy has locked them, most of it fails, and
/// is tried again.
pub(crate) fn alterations(database: &Database<'_>, ended: &AtomicBool) {
    let mut client = database.client();
    client.batch_execute("SET lock_timeout = '50ms'").unwrap();
    let steps = [
        "ALTER TABLE archive ADD COLUMN added int DEFAULT 7",
        "UPDATE archive SET added = id WHERE id % 100 = 0",
        "ALTER TABLE extra ADD COLUMN added text",
        "ALTER TABLE archive ALTER COLUMN added TYPE bigint",
        "ALTER TABLE extra RENAME COLUMN added TO renamed",
        "TRUNCATE history",
        "INSERT INTO history SELECT 1, 2, 3, i FROM pg_catalog.generate_series(1, 50) AS i",
        "ALTER TABLE archive DROP COLUMN added",
        "VACUUM FULL tellers",
        "ALTER TABLE extra DROP COLUMN renamed",
        "CLUSTER branches USING branches_pkey",
    ];
    // PostgreSQL 10 does not publish TRUNCATE.
    let publishes_truncate = database.server().major() >= 11;
    let steps = steps.iter().filter(|step| publishes_truncate || !step.starts_with("TRUNCATE"));
    let mut steps = steps.cycle().peekable();
    while !ended.load(Ordering::Acquire)
        && let Some(step) = steps.peek()
    {
        match client.batch_execute(step) {
            Ok(()) => drop(steps.next()),
            Err(error) => {
                let code = error.as_db_error().map(|error| error.code().code());
                // The lock is not available, or it is a deadlock with the copy.
                assert!(matches!(code, Some("55P03" | "40P01")), "{step}: {error:?}");
            }
        }
        thread::sleep(Duration::from_millis(100));
    }
}
