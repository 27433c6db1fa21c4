//! Clear messages for what cannot work.

use std::net::TcpListener;
use std::process::Stdio;

use pgoutput_harness::{Wait, eventually, servers};
use pgoutput_tests::Fixture;

use super::broker::{ADD_PARTITIONS, Fault, INIT_PRODUCER, Settings};
use super::{Broker, TOPIC, consumer, error, everything, pipe, run};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, text text)";
const STATE: &str = "pgoutput.positions";

fn fixture() -> Fixture<'static> {
    let fixture = Fixture::new(servers()[0], TABLE);
    fixture.run(["INSERT INTO t VALUES (1, 'a')"]);
    fixture
}

#[track_caller]
fn refused(fixture: &Fixture<'_>, port: u16, options: &str, parts: &[&str]) {
    let text = error(&mut everything(fixture, &format!("kafka://127.0.0.1:{port}?{options}")));
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn brokers_that_cannot_be_used() {
    let fixture = fixture();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    refused(&fixture, free, "", &["127.0.0.1", "refused"]);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    refused(&fixture, port, "timeout=2", &[&port.to_string()]);

    let broker = Broker::with(Settings { password: Some("s3cret"), ..Settings::default() });
    let to = |user: &str| {
        let port = broker.port();
        everything(&fixture, &format!("kafka://{user}127.0.0.1:{port}?security=sasl_plaintext"))
    };
    let text = error(&mut to("me:wr0ng@"));
    assert!(text.contains("authentication failed") && !text.contains("wr0ng"), "{text}");
    let text = error(&mut to("me@"));
    assert!(text.contains("PGOUTPUT_KAFKA_PASSWORD"), "{text}");
    run(&mut to("me:s3cret@"));
    run(to("").env("PGOUTPUT_KAFKA_USER", "me").env("PGOUTPUT_KAFKA_PASSWORD", "s3cret"));
}

#[test]
fn topics_that_cannot_be_used() {
    let fixture = fixture();
    let broker = Broker::start();
    let port = broker.port();
    let create = "kafka-topics.sh --bootstrap-server";
    refused(&fixture, port, "create=false", &[STATE, create, "cleanup.policy=compact"]);
    broker.create("two", 2, "compact");
    refused(&fixture, port, "state=two", &["two has 2 partitions"]);
    broker.create("deleted", 1, "delete");
    refused(&fixture, port, "state=deleted", &["cleanup.policy=delete", "kafka-configs.sh"]);

    let settings = Settings { creates_no_topics: true, ..Settings::default() };
    let broker = Broker::with(settings);
    refused(&fixture, broker.port(), "timeout=6", &[TOPIC, "does not exist", "auto.create"]);
    let broker = Broker::with(Settings { has_no_transactions: true, ..Settings::default() });
    refused(&fixture, broker.port(), "timeout=3", &["mode=idempotent"]);
}

#[test]
fn records_that_are_too_large() {
    let fixture = fixture();
    let broker = Broker::start();
    fixture.run(["INSERT INTO t VALUES (2, repeat('x', 3000000))"]);
    let parts = ["record of 3000", "too large", TOPIC, "max.message.bytes", "max_message"];
    refused(&fixture, broker.port(), "", &parts);
    // The transaction before it may have been a batch of its own.
    assert!(consumer::values(broker.port(), TOPIC).len() <= 1);
    let url = format!("kafka://127.0.0.1:{}?max_message=4000000", broker.port());
    run(&mut everything(&fixture, &url));
    assert_eq!(consumer::values(broker.port(), TOPIC).len(), 2);

    let broker = Broker::with(Settings { max_message: Some(1000), ..Settings::default() });
    fixture.run(["INSERT INTO t VALUES (3, repeat('x', 3000))"]);
    let url = format!("kafka://127.0.0.1:{}", broker.port());
    let text = error(everything(&fixture, &url).arg("--trust-slot"));
    assert!(text.contains("too large") && text.contains("record of 3"), "{text}");
}

#[test]
fn missing_rights() {
    let fixture = fixture();
    let broker = Broker::start();
    broker.disturb(INIT_PRODUCER, Fault::Error(53));
    refused(&fixture, broker.port(), "transactional_id=me", &["write and describe", "id me"]);
    broker.disturb(ADD_PARTITIONS, Fault::Error(29));
    refused(&fixture, broker.port(), "", &["grant", "topic"]);
    assert!(broker.is_undisturbed());
}

#[test]
fn lost_topics() {
    let fixture = fixture();
    let broker = Broker::start();
    let url = format!("kafka://127.0.0.1:{}", broker.port());
    run(&mut everything(&fixture, &url));
    broker.delete(TOPIC);
    fixture.run(["INSERT INTO t VALUES (2, 'b')"]);
    refused(&fixture, broker.port(), "", &[TOPIC, "lost records", "--trust-slot"]);
    broker.create(TOPIC, 1, "delete");
    refused(&fixture, broker.port(), "", &[TOPIC, "ends at 0", "--trust-slot"]);
    run(everything(&fixture, &url).arg("--trust-slot"));
    fixture.run(["INSERT INTO t VALUES (3, 'c')"]);
    run(&mut everything(&fixture, &url));
    assert_eq!(consumer::values(broker.port(), TOPIC).len(), 2);

    broker.delete(STATE);
    refused(&fixture, broker.port(), "", &["nothing is stored", "was read"]);
}

#[test]
fn second_pipe_takes_over() {
    let (fixture, other) = (fixture(), fixture());
    let broker = Broker::start();
    let url = format!("kafka://127.0.0.1:{}?transactional_id=same", broker.port());
    let mut command = pipe(&fixture, &url);
    command.args(["--topic", TOPIC, "--quiet"]).stderr(Stdio::piped());
    let first = command.spawn().unwrap();
    eventually("the first change", || {
        (consumer::values(broker.port(), TOPIC).len() == 1).then_some(())
    });
    let url = format!("kafka://127.0.0.1:{}?transactional_id=same&state=other", broker.port());
    run(&mut everything(&other, &url));
    fixture.run(["INSERT INTO t VALUES (2, 'b')"]);
    let wait = Wait::killing("the end of the first pipe", pgoutput_harness::TIMEOUT, &first);
    let output = first.wait_with_output().unwrap();
    wait.done();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("id same took over"), "{text}");
    assert_eq!(consumer::values(broker.port(), TOPIC).len(), 2);
}
