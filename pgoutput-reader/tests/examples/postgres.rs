//! The `postgres` example killed again and again: the target equals the source.

use std::thread::sleep;
use std::time::Duration;

use pgoutput_harness::{Database, eventually, servers};
use postgres::Client;

use crate::running::Running;

/// The number of times that the program is killed.
const ROUNDS: u64 = 10;

/// Tables with a key, with a chosen index, with all columns as identity, without identity and
/// without columns. Their names and types need care.
const TABLES: &str = r#"
    CREATE SCHEMA "Odd ""schema";
    CREATE TYPE "Odd ""schema".mood AS ENUM ('sad', 'ok');
    CREATE TYPE pair AS (a int, b text);
    CREATE TABLE "Odd ""schema"."select" (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "a ""b" text, big text,
        feeling "Odd ""schema".mood, n numeric, flag bool, padded char(6), pairs pair[],
        data bytea, doc jsonb, moment timestamptz, span interval, price money);
    ALTER TABLE "Odd ""schema"."select" ALTER big SET STORAGE EXTERNAL;
    CREATE TABLE by_index (a int NOT NULL, b text NOT NULL, v int);
    CREATE UNIQUE INDEX by_index_key ON by_index (a, b);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_key;
    CREATE TABLE full_row (a int, flag bool, padded char(4), doc json);
    ALTER TABLE full_row REPLICA IDENTITY FULL;
    CREATE TABLE no_key (v int);
    CREATE TABLE no_column ();
"#;

const WRITE: &str = r#"
    INSERT INTO "Odd ""schema"."select" ("a ""b", big, feeling, n, flag, padded, pairs, data, doc,
            moment, span, price)
        VALUES (E'tab\tit''s \\', pg_catalog.repeat('x', 5000), 'ok', 'NaN', true, 'ab',
            ARRAY[ROW(1, 'a,"b')::pair, NULL], '\x00ff', '{"a": 1e400}', 'infinity',
            '-1 days +02:03:04', '-12.34'),
        (NULL, NULL, NULL, 1e30, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    UPDATE "Odd ""schema"."select" SET n = n + 1 WHERE id % 3 = 0;
    UPDATE "Odd ""schema"."select" SET big = big || 'y' WHERE id % 5 = 0;
    DELETE FROM "Odd ""schema"."select" WHERE id % 7 = 0;
    INSERT INTO by_index SELECT coalesce(pg_catalog.max(a), 0) + 1, 'b', 0 FROM by_index;
    UPDATE by_index SET a = a + 1000, v = v + 1 WHERE a % 2 = 0;
    INSERT INTO full_row VALUES (1, true, 'a', '{"b":  1}'), (1, true, 'a', '{"b":  1}'),
        (NULL, NULL, NULL, NULL), (2, false, 'bc', '[]');
    UPDATE full_row SET a = a + 1 WHERE ctid IN (SELECT ctid FROM full_row WHERE a > 0 LIMIT 3);
    DELETE FROM full_row WHERE ctid IN (SELECT ctid FROM full_row WHERE a IS NULL OR a > 3 LIMIT 1);
    INSERT INTO no_key VALUES (1), (2);
    INSERT INTO no_column DEFAULT VALUES;
"#;

/// The whole content of a database, as text.
fn content(client: &mut Client) -> Vec<String> {
    let mut all = Vec::new();
    for table in [r#""Odd ""schema"."select""#, "by_index", "full_row", "no_key", "no_column"] {
        let query = format!("SELECT t::text FROM {table} t ORDER BY t::text");
        let rows = client.query(&query, &[]).unwrap();
        all.extend(rows.iter().map(|row| format!("{table}: {}", row.get::<_, &str>(0))));
    }
    all
}

fn client(database: &Database<'_>) -> Client {
    let mut client = database.client();
    client.batch_execute("SET TimeZone = 'UTC'; SET lc_monetary = 'C'").unwrap();
    client
}

#[test]
fn postgres_applies_each_transaction_once_however_often_it_is_killed() {
    for server in servers() {
        let (source, target) = (server.database("source"), server.database("target"));
        let slot = source.slot_name("postgres");
        let (mut from, mut to) = (client(&source), client(&target));
        from.batch_execute(TABLES).unwrap();
        to.batch_execute(TABLES).unwrap();
        // Rows of the initial copy, many enough that it is killed in the middle.
        (0..30).for_each(|_| from.batch_execute(WRITE).unwrap());
        // Tables without an identity are published too, and have only INSERT.
        from.batch_execute("CREATE PUBLICATION p FOR ALL TABLES").unwrap();
        let start = || {
            source.wait_until_free(&slot);
            Running::start("postgres", &[&source.uri(), &slot, "p", &target.uri()])
        };
        let is_equal = |from: &mut Client, to: &mut Client| {
            let expected = content(from);
            assert!(expected.len() > 100);
            let mut last = Vec::new();
            eventually("the target to equal the source", || {
                last = content(to);
                (last == expected).then_some(())
            });
        };
        for round in 0..ROUNDS {
            let running = start();
            sleep(Duration::from_millis(60 * round));
            from.batch_execute(WRITE).unwrap();
            if round % 4 == 3 && server.major() >= 11 {
                from.batch_execute("TRUNCATE no_key, by_index").unwrap();
            }
            sleep(Duration::from_millis(37 * (round % 5)));
            running.kill();
            from.batch_execute(WRITE).unwrap();
        }
        let running = start();
        is_equal(&mut from, &mut to);
        // What is missing in the target is an error, also after another start.
        from.batch_execute("ALTER TABLE no_key ADD added int; INSERT INTO no_key VALUES (1, 2)")
            .unwrap();
        let is_missing = |running: Running| {
            let (status, stderr) = running.end();
            assert_eq!(status, Some(1), "{stderr}");
            assert!(stderr.contains("column") && stderr.contains("added"), "{stderr}");
        };
        is_missing(running);
        is_missing(start());
        to.batch_execute("ALTER TABLE no_key ADD added int").unwrap();
        let running = start();
        is_equal(&mut from, &mut to);
        running.kill();
    }
}
