//! Descriptions of tables inside and outside of transactions in progress.

use pgoutput_harness::Server;
use pgoutput_tests::{Fixture, InTime as _};

use super::with_streaming_servers;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

fn rows(first: u32) -> String {
    let last = first + 299;
    format!(
        "INSERT INTO t (id, v) SELECT n, repeat('x', 1000) FROM generate_series({first}, {last}) n"
    )
}

fn widths(server: &Server, between: &[&str], after: &[&str]) -> Vec<(i32, usize)> {
    let fixture = Fixture::new(server, TABLE);
    let mut writer = fixture.client();
    let mut reader = fixture.reader();
    writer.batch_execute("BEGIN").unwrap();
    writer.batch_execute(&rows(1000)).unwrap();
    for statement in between {
        fixture.run([statement]);
    }
    writer.batch_execute(&rows(2000)).unwrap();
    writer.batch_execute("COMMIT").unwrap();
    for statement in after {
        fixture.run([statement]);
    }
    fixture.run(["INSERT INTO t (id) VALUES (9999)"]);
    let mut widths = Vec::new();
    for event in reader.in_time() {
        let event = event.unwrap();
        let id = event.after().unwrap().get("id").unwrap();
        widths.push((id, event.table().unwrap().columns().len()));
        if id == 9999 {
            break;
        }
    }
    reader.stop().unwrap();
    widths
}

/// The server describes the table once for the ordinary transaction, while the one in progress has
/// described it otherwise before.
#[test]
fn a_description_in_a_chunk_does_not_replace_one_that_arrived_later() {
    with_streaming_servers(|server| {
        if server.major() < 15 {
            return;
        }
        let fewer = "ALTER PUBLICATION everything SET TABLE t (id)";
        let publication = "DROP PUBLICATION everything; CREATE PUBLICATION everything FOR TABLE t";
        let ordinary = "INSERT INTO t VALUES (1, 'one')";
        let widths = widths(server, &[publication, fewer, ordinary], &[]);
        let (first, rest) = widths.split_first().unwrap();
        assert_eq!(*first, (1, 1), "the ordinary transaction committed first");
        let (last, streamed) = rest.split_last().unwrap();
        assert_eq!(*last, (9999, 1));
        assert_eq!(streamed.len(), 600);
        assert!(streamed.iter().all(|(id, _)| (1000..2300).contains(id)));
        // The server decides which columns a row in a chunk has. It must describe them.
        assert!(streamed.iter().all(|(_, width)| (1..=2).contains(width)));
    });
}

/// The server does not repeat it.
#[test]
fn a_description_in_a_chunk_counts_for_what_follows_the_commit() {
    with_streaming_servers(|server| {
        let widths = widths(server, &[], &[]);
        assert_eq!(widths.len(), 601);
        assert!(widths.iter().all(|(_, width)| *width == 2));
    });
}

#[test]
fn a_table_that_is_altered_inside_the_transaction_has_the_columns_of_each_moment() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, TABLE);
        let mut reader = fixture.reader();
        let mut writer = fixture.client();
        let (one, two, three) = (rows(1), rows(1001), rows(2001));
        for statement in [
            "BEGIN",
            &one,
            "ALTER TABLE t ADD COLUMN w int DEFAULT 7",
            &two,
            "SAVEPOINT s; ALTER TABLE t DROP COLUMN w",
            &three,
            "ROLLBACK TO SAVEPOINT s",
            "INSERT INTO t (id) VALUES (5000)",
            "COMMIT",
        ] {
            writer.batch_execute(statement).unwrap();
        }
        let events: Vec<_> = reader.in_time().take(601).map(Result::unwrap).collect();
        for (index, event) in events.iter().enumerate() {
            let width = event.table().unwrap().columns().len();
            assert_eq!(width, if index < 300 { 2 } else { 3 }, "event {index}");
        }
        // One description for each version of the table, however often the server repeats it.
        let schemas = [&events[300], &events[600]].map(|event| event.table().unwrap());
        assert_eq!(schemas[0].columns(), schemas[1].columns());
        for (one, other) in [(0, 299), (300, 599), (300, 600)] {
            let [one, other] = [one, other].map(|index: usize| events[index].table().unwrap());
            assert!(std::sync::Arc::ptr_eq(one, other), "no other description");
        }
        reader.stop().unwrap();
    });
}
