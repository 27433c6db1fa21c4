//! The `proxy` example between a real subscriber and its publisher.

use std::io::BufRead as _;

use pgoutput_harness::{TIMEOUT, Wait, eventually, servers};

use crate::running::Running;

#[test]
fn proxy_prints_what_a_subscriber_receives() {
    for server in servers() {
        let publisher = server.database("proxy_publisher");
        let subscriber = server.database("proxy_subscriber");
        let slot = publisher.slot_name("proxy");
        let table = "CREATE TABLE note (id int PRIMARY KEY, body text)";
        let (mut source, mut target) = (publisher.client(), subscriber.client());
        source.batch_execute(table).unwrap();
        target.batch_execute(table).unwrap();
        source.batch_execute("INSERT INTO note VALUES (0, 'copied')").unwrap();
        source.batch_execute("CREATE PUBLICATION p FOR TABLE note").unwrap();
        let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
        source.execute(create, &[&slot]).unwrap();

        let server_address = format!("127.0.0.1:{}", server.port());
        let mut proxy = Running::start("proxy", &["127.0.0.1:0", &server_address]);
        let mut line = String::new();
        let wait = Wait::new("the proxy to listen", TIMEOUT);
        proxy.stderr.read_line(&mut line).unwrap();
        wait.done();
        let port = line.trim().rsplit(':').next().unwrap();
        let dsn = format!("{} sslmode=prefer", publisher.dsn_tcp());
        let dsn = dsn.replace(&format!("port={}", server.port()), &format!("port={port}"));
        assert!(dsn.contains(&format!("port={port}")), "{dsn}");
        // In the same cluster, a subscription cannot create its slot itself.
        let subscription = format!(
            "CREATE SUBSCRIPTION {slot} CONNECTION '{}' PUBLICATION p
             WITH (create_slot = false, slot_name = '{slot}')",
            dsn.replace('\'', "''")
        );
        target.batch_execute(&subscription).unwrap();
        let mut has_row = |body: &str| {
            let count = format!("SELECT count(*) FROM note WHERE body = '{body}'");
            eventually("the subscriber to have the row", || {
                (target.query_one(&count, &[]).unwrap().get::<_, i64>(0) == 1).then_some(())
            });
        };
        has_row("copied");
        source.batch_execute("INSERT INTO note VALUES (1, 'streamed')").unwrap();
        has_row("streamed");
        source.batch_execute("UPDATE note SET body = 'changed' WHERE id = 1").unwrap();
        has_row("changed");
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains("public.note Update(")) {
            lines.push(proxy.line());
        }
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(has("public.note Insert(") && has("Text(\"streamed\")"), "{lines:?}");
        assert!(has("Text(\"changed\")") && has(" Relation(") && has(" Commit("), "{lines:?}");
        // The rows of the initial copy are not messages.
        assert!(!has("copied") && !has("error"), "{lines:?}");
        for end in ["DISABLE", "SET (slot_name = NONE)"] {
            target.batch_execute(&format!("ALTER SUBSCRIPTION {slot} {end}")).unwrap();
        }
        target.batch_execute(&format!("DROP SUBSCRIPTION {slot}")).unwrap();
        proxy.kill();
    }
}
