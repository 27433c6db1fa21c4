//! Keys, in both envelopes.

use pgoutput_harness::servers_from;
use pgoutput_tests::Fixture;
use serde_json::{Value, json};

use super::records::Records;

const TABLES: &str = "
    CREATE TABLE by_id (tenant int, name text, id bigint PRIMARY KEY, t text);
    CREATE TABLE by_both (tenant int, id numeric(4,2), PRIMARY KEY (id, tenant));
    CREATE TABLE whole (id int, tenant int NOT NULL);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE bare (tenant int, n int);
    CREATE TABLE by_index (a int, b int NOT NULL);
    CREATE UNIQUE INDEX by_index_b ON by_index (b);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b;";

const CHANGES: [&str; 5] = [
    "INSERT INTO by_id VALUES (1, 'a', 7, 'x'); UPDATE by_id SET t = 'y'; DELETE FROM by_id",
    "INSERT INTO by_both VALUES (1, 1.5); DELETE FROM by_both",
    "INSERT INTO whole VALUES (1, 2); UPDATE whole SET id = 3; DELETE FROM whole",
    "INSERT INTO bare VALUES (5, 6)",
    "INSERT INTO by_index VALUES (1, 2); UPDATE by_index SET b = 3; TRUNCATE by_index",
];

fn keys(lines: &[String]) -> Vec<Value> {
    let key = |line: &String| serde_json::from_str::<Value>(line).unwrap()["key"].take();
    lines.iter().map(key).collect()
}

#[test]
fn keys_are_the_identity_or_the_columns_that_every_old_row_has() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, TABLES);
        let records = Records::before(&fixture, ["identity", "none", "tenant", "id", "debezium"]);
        fixture.run(CHANGES);
        let seed = |slot, arguments: &[&str]| {
            keys(&records.read(slot, &[&["--envelope", "seed"], arguments].concat()))
        };
        let by_id = json!({"id": 7});
        let both = json!({"tenant": 1, "id": 1.5});
        let index = |b: i32| json!({"b": b});
        let none = Value::Null;
        let [id, n] = [&by_id, &none];
        assert_eq!(
            seed("identity", &[]).iter().collect::<Vec<_>>(),
            [id, id, id, &both, &both, n, n, n, n, &index(2), &index(3), n]
        );
        assert!(seed("none", &["--key", "none"]).iter().all(Value::is_null));
        // Old rows of by_id do not have the tenant.
        let [tenant, five] = [2, 5].map(|tenant| json!({"tenant": tenant}));
        let one = json!({"tenant": 1});
        assert_eq!(
            seed("tenant", &["--key", "tenant"]).iter().collect::<Vec<_>>(),
            [id, id, id, &one, &one, &tenant, &tenant, &tenant, &five, &index(2), &index(3), n]
        );
        let [first, third] = [1, 3].map(|id| json!({"id": id}));
        let number = json!({"id": 1.5});
        assert_eq!(
            seed("id", &["--key", "id"]).iter().collect::<Vec<_>>(),
            [id, id, id, &number, &number, &first, &third, &third, n, &index(2), &index(3), n]
        );
        // Deletes have tombstones, and a changed key is a delete and a create. 150 is 0x96.
        let both = json!({"tenant": 1, "id": "AJY="});
        let id_tenant = |id: i32| json!({"id": id, "tenant": 2});
        assert_eq!(
            keys(&records.read("debezium", &["--key", "tenant,id"])).iter().collect::<Vec<_>>(),
            [
                id,
                id,
                id,
                id,
                &both,
                &both,
                &both,
                &id_tenant(1),
                &id_tenant(1),
                &id_tenant(1),
                &id_tenant(3),
                &id_tenant(3),
                &id_tenant(3),
                n,
                &index(2),
                &index(2),
                &index(2),
                &index(3),
                n
            ]
        );
    }
}
