//! A server that refuses to describe many tables at once.

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{Acknowledge, Reader};
use pgoutput_tests::{Fixture, InTime as _, after};

/// Returns how often the server has refused a query for the children of tables.
fn refusals(server: &Server) -> usize {
    // Before PostgreSQL 11, the server calls it a relation.
    let kinds = ["table", "relation"];
    let log = server.log();
    kinds.map(|kind| log.matches(&format!("denied for {kind} pg_inherits")).count()).iter().sum()
}

/// The list of published tables includes their children, which this role must not read. The
/// description of a single table does not need them.
#[test]
fn after_a_refused_batch_each_table_is_described_by_itself() {
    const COUNT: usize = 40;
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TYPE mood AS ENUM ('ok')");
        let role = fixture.database().slot_name("narrow");
        let for_each = |body: &str| {
            format!("DO $$ BEGIN FOR i IN 1..{COUNT} LOOP EXECUTE {body}; END LOOP; END $$")
        };
        fixture.run([
            &format!("CREATE ROLE {role} LOGIN REPLICATION"),
            "REVOKE SELECT ON pg_catalog.pg_inherits FROM PUBLIC",
            &for_each("format('CREATE TABLE t%s (id int NOT NULL, m mood)', i)"),
            // In one transaction: the reader lags from the first table to the last.
            &for_each("format('INSERT INTO t%s VALUES (%s, ''ok'')', i, i)"),
        ] as [&str; 4]);
        let before = refusals(server);
        let dsn = fixture.database().dsn().replace("user=postgres", &format!("user={role}"));
        let mut reader = Reader::builder(&dsn)
            .slot(fixture.slot_name())
            .publication(pgoutput_tests::PUBLICATION)
            .acknowledge(Acknowledge::Never)
            .until_lsn(fixture.end())
            .connect()
            .unwrap();
        let events: Vec<_> = reader.in_time().map(|event| event.unwrap()).collect();
        reader.stop().unwrap();
        assert_eq!(refusals(server) - before, 1, "PostgreSQL {}", server.major());
        assert_eq!(events.len(), COUNT);
        for (i, event) in (1..).zip(&events) {
            assert_eq!(after(event), format!(r#"{{"id":{i},"m":"ok"}}"#));
            let columns = event.table().unwrap().columns().iter();
            let columns: Vec<_> = columns.map(|c| (c.type_name(), c.is_optional())).collect();
            assert_eq!(columns, [("integer", false), ("mood", true)]);
        }
        fixture.run([&format!("DROP ROLE {role}") as &str]);
    }
}
