//! Timeouts of the role or the database that would end a session in the middle of its work.

use std::thread;
use std::time::Duration;

use pgoutput_harness::{Database, servers};
use pgoutput_reader::{Connection, Reader, Reconnect};
use pgoutput_tests::InTime as _;
use postgres::Client;

/// More rows than the buffers of two sockets hold, so that the server waits for the reader within
/// the transaction.
const ROWS: i32 = 20_000;

const TIMEOUT: Duration = Duration::from_millis(200);

/// Returns the timeouts that a server of this major knows.
fn timeouts(major: u32) -> Vec<&'static str> {
    let mut all = vec!["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    all.extend((major >= 14).then_some("idle_session_timeout"));
    all.extend((major >= 17).then_some("transaction_timeout"));
    all
}

/// Returns the process of the reader's catalogue queries.
fn catalogue_session(database: &Database<'_>, client: &mut Client, role: &str) -> Option<i32> {
    let query =
        "SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname OPERATOR(pg_catalog.=) $1
        AND usename OPERATOR(pg_catalog.=) $2::pg_catalog.text::pg_catalog.name
        AND backend_type OPERATOR(pg_catalog.=) 'client backend'";
    client.query_opt(query, &[&database.name(), &role]).unwrap().map(|row| row.get(0))
}

#[test]
fn no_timeout_of_the_role_or_the_database_ends_a_session() {
    for server in servers() {
        for target in ["ROLE {role}", "DATABASE \"{database}\""] {
            let database = server.database("timeouts");
            let (role, slot) = (database.slot_name("reader"), database.slot_name("slot"));
            let mut client = database.client();
            client
                .batch_execute(&format!(
                    "CREATE ROLE {role} LOGIN SUPERUSER; CREATE TABLE t (id int, v text);
                     CREATE TABLE late (id int); CREATE PUBLICATION p FOR TABLE t, late"
                ))
                .unwrap();
            let create =
                "SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')::text";
            client.query_one(create, &[&slot]).unwrap();
            let insert = "INSERT INTO t SELECT n, pg_catalog.repeat('x', 1000)
                          FROM pg_catalog.generate_series(1, $1::int4) AS n";
            client.execute(insert, &[&ROWS]).unwrap();
            let target = target.replace("{role}", &role).replace("{database}", database.name());
            for timeout in timeouts(server.major()) {
                let millis = TIMEOUT.as_millis();
                client
                    .batch_execute(&format!("ALTER {target} SET {timeout} = '{millis}ms'"))
                    .unwrap();
            }
            let context = format!("PostgreSQL {}, {target}", server.major());
            let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));

            let mut connection = Connection::connect(&dsn.parse().unwrap()).unwrap();
            thread::sleep(2 * TIMEOUT);
            for timeout in timeouts(server.major()) {
                let rows = connection.simple_query(&format!("SHOW {timeout}")).unwrap();
                assert_eq!(
                    rows[0].rows[0].values().next(),
                    Some(Some("0")),
                    "{context}: {timeout}"
                );
            }
            connection.close().unwrap();

            let reader = Reader::builder(&dsn).slot(&slot).publication("p");
            let mut reader = reader.reconnect(Reconnect::never()).connect().unwrap();
            reader.next_in_time().unwrap().unwrap();
            let session = catalogue_session(&database, &mut client, &role);
            assert!(session.is_some(), "{context}");
            thread::sleep(3 * TIMEOUT);
            for _ in 1..ROWS {
                reader.next_in_time().unwrap().unwrap_or_else(|error| panic!("{context}: {error}"));
            }
            client.batch_execute("INSERT INTO late VALUES (1)").unwrap();
            reader.next_in_time().unwrap().unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(catalogue_session(&database, &mut client, &role), session, "{context}");
            reader.stop().unwrap();
            drop(database);
            server.client().batch_execute(&format!("DROP ROLE {role}")).unwrap();
        }
    }
}

/// With `error`, PostgreSQL 18 would not report that it leaves a publication out.
#[test]
fn warnings_arrive_regardless_of_the_roles_settings() {
    for server in servers() {
        let database = server.database("messages");
        let role = database.slot_name("reader");
        let create = format!(
            "CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET client_min_messages = error"
        );
        database.client().batch_execute(&create).unwrap();
        let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
        let mut connection = Connection::connect(&dsn.parse().unwrap()).unwrap();
        connection.take_notices();
        connection.simple_query("DO $$ BEGIN RAISE WARNING 'careful'; END $$").unwrap();
        let notices = connection.take_notices();
        assert!(notices.iter().any(|notice| notice.to_string().contains("careful")), "{notices:?}");
        connection.close().unwrap();
        drop(database);
        server.client().batch_execute(&format!("DROP ROLE {role}")).unwrap();
    }
}
