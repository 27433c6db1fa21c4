//! The envelope `debezium`, compared with files that were checked against Debezium's documentation.

mod golden;
mod keys;
mod records;
mod types;

use std::time::{Duration, SystemTime};

use pgoutput_harness::servers_from;
use pgoutput_tests::Fixture;
use serde_json::Value;

use golden::assert_golden;
use records::Records;

/// The table of Debezium's documentation.
const CUSTOMERS: &str = "
    CREATE TABLE customers (
        id serial PRIMARY KEY, first_name varchar(255) NOT NULL, last_name varchar(255) NOT NULL,
        email varchar(255) NOT NULL);";

const CHANGES: [&str; 9] = [
    "INSERT INTO customers VALUES (1, 'Anne', 'Kretchmar', 'annek@noanswer.org')",
    "UPDATE customers SET first_name = 'Anne Marie' WHERE id = 1",
    "UPDATE customers SET id = 2 WHERE id = 1",
    "DELETE FROM customers WHERE id = 2",
    "TRUNCATE customers",
    "INSERT INTO logs VALUES ('a \"line\"', NULL)",
    "INSERT INTO items VALUES (7, 'b', 1); UPDATE items SET n = 2; DELETE FROM items",
    "INSERT INTO whole VALUES (1, 'x'); UPDATE whole SET name = 'y'; DELETE FROM whole",
    "INSERT INTO \"Odd \"\"Schema\"\"\".\"Ta.ble\" VALUES (1)",
];

const OTHERS: &str = "
    CREATE TABLE logs (line text, level int);
    CREATE TABLE items (b int, a text, n int, PRIMARY KEY (a, b));
    CREATE TABLE whole (id int PRIMARY KEY, name text);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE SCHEMA \"Odd \"\"Schema\"\"\";
    CREATE TABLE \"Odd \"\"Schema\"\"\".\"Ta.ble\" (\"Id \"\"x\"\"\" int PRIMARY KEY);";

#[test]
fn changes_are_as_documented() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, &[CUSTOMERS, OTHERS].concat());
        let records = Records::before(&fixture, ["text", "binary", "no_tombstones"]);
        fixture.run(CHANGES);
        fixture.run([
            "SELECT pg_logical_emit_message(true, 'foo', 'bar')",
            "SELECT pg_logical_emit_message(false, 'foo', 'bar')",
        ]);
        let text = records.read("text", &["--messages"]);
        assert_golden("changes", include_str!("debezium/golden/changes.jsonl"), &text);
        assert_eq!(records.read("binary", &["--messages", "--binary"]), text);
        let without = records.read("no_tombstones", &["--messages", "--no-tombstones"]);
        let kept: Vec<_> = text.iter().filter(|line| !line.ends_with("\"value\":null}")).collect();
        assert_eq!(without.iter().collect::<Vec<_>>(), kept);
        assert_eq!(text.len() - kept.len(), 3);
    }
}

#[test]
fn rows_of_a_copy_are_reads_with_their_place() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, &[CUSTOMERS, OTHERS].concat());
        fixture.run([
            "INSERT INTO customers SELECT g, 'f', 'l', 'e' FROM generate_series(1, 3) g",
            "INSERT INTO items VALUES (1, 'x', 1), (2, 'x', 1), (3, 'x', 1)",
        ]);
        let records = Records::before(&fixture, []);
        let copied = records.read("copy", &["--create-slot", "--snapshot", "initial"]);
        assert_golden("copy", include_str!("debezium/golden/copy.jsonl"), &copied);
    }
}

#[test]
fn unchanged_toast_values_are_a_placeholder() {
    for server in servers_from(14) {
        let fixture = Fixture::new(
            server,
            "CREATE EXTENSION hstore;
             CREATE TABLE large (
                id int PRIMARY KEY, n int, t text, b bytea, ta text[], ia int[], h hstore, j jsonb);
             DO $$ DECLARE name text; BEGIN
                FOREACH name IN ARRAY '{t,b,ta,ia,h,j}'::text[] LOOP
                    EXECUTE format('ALTER TABLE large ALTER %I SET STORAGE EXTERNAL', name);
                END LOOP;
             END $$;
             CREATE TABLE whole (LIKE large INCLUDING STORAGE);
             ALTER TABLE whole REPLICA IDENTITY FULL;
             INSERT INTO large SELECT 1, 1, x, x::bytea, ARRAY[x],
                (SELECT array_agg(g) FROM generate_series(1, 5000) g), hstore('k', x),
                to_jsonb(x) FROM repeat('x', 9000) x;
             INSERT INTO whole SELECT * FROM large;",
        );
        let records = Records::before(&fixture, ["text", "binary", "other", "whole"]);
        fixture.run(["UPDATE large SET n = 2", "UPDATE whole SET n = 2"]);
        let table = ["--table", "public.large"];
        let text = records.read("text", &table);
        assert_golden("toast", include_str!("debezium/golden/toast.jsonl"), &text);
        assert_eq!(records.read("binary", &[&table[..], &["--binary"]].concat()), text);
        let other = records.read("other", &[&table[..], &["--unavailable-value", "?"]].concat());
        assert_eq!(
            other[0].matches("\"t\":\"?\",\"b\":\"Pw==\",\"ta\":[\"?\"],\"ia\":[63]").count(),
            1
        );
        // The old row has the values.
        let whole = records.read("whole", &["--table", "public.whole"]);
        assert!(!whole[0].contains("unavailable"));
        assert_eq!(whole[0].matches(&format!("\"t\":\"{}\"", "x".repeat(9000))).count(), 2);
    }
}

#[test]
fn tables_that_would_share_a_topic_are_refused() {
    for server in servers_from(14).into_iter().take(1) {
        let fixture = Fixture::new(
            server,
            "CREATE SCHEMA a; CREATE SCHEMA \"a.b\";
             CREATE TABLE \"a.b\".c (id int); CREATE TABLE a.\"b.c\" (id int);",
        );
        let records = Records::before(&fixture, ["refused", "later", "one"]);
        fixture.run(["INSERT INTO \"a.b\".c VALUES (1)", "INSERT INTO a.\"b.c\" VALUES (1)"]);
        let (printed, error) = records.try_read("refused", &["--batch-count", "1"]);
        assert_eq!(printed, [""; 0], "{error}");
        assert!(error.contains("have the same topic \"shop.a.b.c\": rename one"), "{error}");
        // A table that is gone has its changes all the same.
        fixture.run(["DROP TABLE a.\"b.c\""]);
        let (printed, error) = records.try_read("later", &["--batch-count", "1"]);
        assert_eq!(printed.len(), 1, "{printed:?}");
        assert!(error.contains("have the same topic \"shop.a.b.c\""), "{error}");
        // One topic for everything is meant.
        let one = records.read("one", &["--topic", "{name}"]);
        assert!(one.iter().all(|line| line.starts_with("{\"topic\":\"shop\",")), "{one:?}");
    }
}

#[test]
fn the_source_names_the_transaction() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, CUSTOMERS);
        let records = Records::before(&fixture, ["raw"]);
        fixture.run([
            "INSERT INTO customers VALUES (1, 'f', 'l', 'e')",
            "BEGIN; INSERT INTO customers VALUES (2, 'f', 'l', 'e');
             INSERT INTO customers VALUES (3, 'f', 'l', 'e'); COMMIT",
        ]);
        let before = SystemTime::now();
        let lines = records.raw("raw", &[]);
        let values: Vec<Value> = lines.iter().map(|line| parse(line)["value"].take()).collect();
        let number = |value: &Value| value.as_i64().unwrap();
        let mut end_before = None;
        for (index, value) in values.iter().enumerate() {
            let source = &value["source"];
            let id = index + 1;
            assert_eq!(source["db"], fixture.database().name());
            let of_row = |what: &str| {
                fixture.number(&format!("SELECT {what} FROM customers WHERE id = {id}"))
            };
            assert_eq!(source["txId"], of_row("xmin::text::bigint"));
            let lsn = number(&source["lsn"]);
            let [micros, millis, nanos] =
                ["ts_us", "ts_ms", "ts_ns"].map(|unit| number(&source[unit]));
            assert_eq!((millis, nanos), (micros / 1000, micros * 1000));
            let processed = u64::try_from(number(&value["ts_ns"])).unwrap();
            assert!(SystemTime::UNIX_EPOCH + Duration::from_nanos(processed) >= before);
            let sequence: Vec<Option<String>> =
                serde_json::from_str(source["sequence"].as_str().unwrap()).unwrap();
            assert_eq!(sequence[1], Some(lsn.to_string()));
            match (index, &sequence[0]) {
                (0, None) => {}
                (1, Some(end)) => end_before = Some(end.clone()),
                (2, end) => assert_eq!(*end, end_before),
                _ => panic!("{sequence:?}"),
            }
        }
        let end: i64 = end_before.unwrap().parse().unwrap();
        let lsn = |index: usize| number(&values[index]["source"]["lsn"]);
        assert!(lsn(0) < end && end <= lsn(1) && lsn(1) < lsn(2));
    }
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

#[test]
fn prepared_transactions_are_refused() {
    for server in servers_from(14).into_iter().take(1) {
        let fixture = Fixture::new(server, "");
        let records = Records::before(&fixture, []);
        let (printed, error) = records.try_read("none", &["--two-phase"]);
        assert!(printed.is_empty());
        assert!(error.contains("leave out --two-phase"), "{error}");
    }
}
