//! The `outbox` example: typed messages, in the order of their commits.

use pgoutput_harness::{eventually, servers_from};

use crate::running::Running;

const EMIT: &str = "SELECT pg_logical_emit_message(true, $1, $2::text)";

#[test]
fn outbox_prints_committed_messages_of_its_prefix_and_stops_at_an_unknown_one() {
    for server in servers_from(14) {
        let database = server.database("outbox");
        let slot = database.slot_name("outbox");
        let mut client = database.client();
        client.batch_execute("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t").unwrap();
        let arguments = [&database.uri()[..], &slot, "p"];
        let mut outbox = Running::start("outbox", &arguments);
        // It creates the slot.
        let exists = "SELECT FROM pg_replication_slots
                      WHERE slot_name = $1 AND confirmed_flush_lsn IS NOT NULL";
        eventually("the slot", || client.query_opt(exists, &[&slot]).unwrap());
        let mut emit = |prefix: &str, message: &str, is_committed: bool| {
            let mut transaction = client.transaction().unwrap();
            transaction.execute("INSERT INTO t VALUES (1)", &[]).unwrap();
            transaction.execute(EMIT, &[&prefix, &message]).unwrap();
            if is_committed {
                transaction.commit().unwrap();
            }
        };
        emit("orders", r#"{"event": "placed", "order": 7, "items": ["tea", "milk"]}"#, true);
        emit("orders", r#"{"event": "cancelled", "order": 7}"#, false);
        emit("other", "not JSON", true);
        emit("orders", r#"{"event": "shipped", "order": 7, "carrier": "post"}"#, true);
        let lines = [outbox.line(), outbox.line()];
        let [placed, shipped] = lines.each_ref().map(|line| line.split_once(' ').unwrap());
        assert_eq!((placed.1, shipped.1), ("order 7: tea, milk", "order 7: sent by post"));
        assert_ne!(placed.0, shipped.0);
        // A message that this version does not know ends the program, and is not acknowledged.
        emit("orders", r#"{"event": "returned", "order": 7}"#, true);
        let is_unknown = |outbox: Running| {
            let (status, stderr) = outbox.end();
            assert_eq!(status, Some(1), "{stderr}");
            assert!(stderr.contains("unknown variant `returned`"), "{stderr}");
            assert!(stderr.contains("message at "), "{stderr}");
        };
        is_unknown(outbox);
        database.wait_until_free(&slot);
        is_unknown(Running::start("outbox", &arguments));
    }
}
