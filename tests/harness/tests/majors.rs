//! Every major starts, creates a pgoutput slot and stops. Missing majors are fetched.

use std::time::Instant;

use pgoutput_harness::{Server, StopMode, servers};

/// `PGOUTPUT_TEST_SERVERS` chooses the majors.
#[test]
fn every_major_starts_creates_a_slot_and_stops() {
    for chosen in servers() {
        let begin = Instant::now();
        let server = Server::of_major(chosen.major()).unwrap();
        let started = begin.elapsed();
        let database = server.database("majors");
        let slot = database.slot_name("s");
        let mut client = database.client();
        client
            .query_one("SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text", &[&slot])
            .unwrap();
        let number: i32 = client
            .query_one("SELECT current_setting('server_version_num')::int", &[])
            .unwrap()
            .get(0);
        assert_eq!(number / 10000, i32::try_from(server.major()).unwrap());
        assert_eq!(number % 10000, i32::try_from(server.version().minor).unwrap());
        for extension in ["hstore", "citext"] {
            let sql = format!("CREATE EXTENSION {extension}");
            client
                .batch_execute(&sql)
                .unwrap_or_else(|e| panic!("{}: {sql}: {e}", server.install()));
        }
        drop((client, database));
        server.stop(StopMode::Fast).unwrap();
        assert!(!server.is_running());
        // Shown with --nocapture.
        eprintln!("{}: started in {} ms", server.install(), started.as_millis());
    }
}
