//! Each change once, whatever ends.

use std::process::Stdio;

use pgoutput_harness::servers;
use pgoutput_tests::{Fixture, eventually};

use super::broker::{ADD_PARTITIONS, END_TRANSACTION, Fault, INIT_PRODUCER, PRODUCE};
use super::{Broker, TOPIC, column, consumer, everything, pipe, run};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, text text)";

fn url(broker: &Broker) -> String {
    format!("kafka://127.0.0.1:{}", broker.port())
}

fn insert(fixture: &Fixture<'_>, rows: i64) {
    let insert = format!(
        "INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(\
         (SELECT coalesce(max(id), 0) + 1 FROM t), \
         (SELECT coalesce(max(id), 0) + {rows} FROM t)) n"
    );
    fixture.run([&insert]);
}

#[test]
fn changes_once_over_restarts() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let broker = Broker::start();
        for _ in 0..4 {
            insert(&fixture, 100);
            run(&mut everything(&fixture, &url(&broker)));
        }
        let values = consumer::values(broker.port(), TOPIC);
        assert_eq!(column(&values, "id"), (1..=400).collect::<Vec<_>>());
        let states = consumer::records(broker.port(), "pgoutput.positions", "read_committed");
        let key = format!("pgoutput.{}.{}", fixture.database().name(), fixture.slot_name());
        assert!(states.len() >= 4, "{states:?}");
        assert!(states.iter().all(|(state, _)| state.as_ref() == Some(&key)), "{states:?}");
        let (_, last) = states.last().unwrap();
        let expected = format!(r":{}:", fixture.slot_name());
        assert!(last.as_ref().unwrap().contains(&expected), "{last:?}");
        assert!(last.as_ref().unwrap().contains(r#""ends":{"changes":{"0":4"#), "{last:?}");
    }
}

#[test]
fn faults_of_each_request() {
    let server = servers()[0];
    // NETWORK_EXCEPTION, COORDINATOR_NOT_AVAILABLE, NOT_LEADER, CONCURRENT_TRANSACTIONS,
    // OUT_OF_ORDER_SEQUENCE, KAFKA_STORAGE_ERROR.
    let mut faults = vec![Fault::CutBefore, Fault::CutAfter];
    faults.extend([7, 15, 6, 51, 45, 56].map(Fault::Error));
    for api in [INIT_PRODUCER, ADD_PARTITIONS, PRODUCE, END_TRANSACTION] {
        let fixture = Fixture::new(server, TABLE);
        let broker = Broker::start();
        let mut rows = 0;
        for fault in &faults {
            broker.disturb(api, *fault);
            insert(&fixture, 10);
            rows += 10;
            let output = pgoutput_harness::output(&mut everything(&fixture, &url(&broker)));
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{api} {fault:?}: {text}");
            assert!(broker.is_undisturbed(), "{api} {fault:?}");
        }
        let values = consumer::values(broker.port(), TOPIC);
        assert_eq!(column(&values, "id"), (1..=rows).collect::<Vec<_>>(), "{api}");
    }
}

#[test]
fn kills_of_program_and_broker() {
    let fixture = Fixture::new(servers()[0], TABLE);
    let broker = Broker::start();
    let mut rows = 0;
    let apis = [INIT_PRODUCER, ADD_PARTITIONS, PRODUCE, END_TRANSACTION].repeat(3);
    for (round, api) in apis.iter().enumerate() {
        let fault = [Fault::CutBefore, Fault::CutAfter][round / 4 % 2];
        insert(&fixture, 20);
        rows += 20;
        broker.disturb(*api, fault);
        let mut command = everything(&fixture, &url(&broker));
        let mut program = command.stderr(Stdio::null()).spawn().unwrap();
        eventually("the request", || broker.is_undisturbed().then_some(()));
        if round % 3 == 0 {
            broker.kill();
        }
        program.kill().unwrap();
        program.wait().unwrap();
        fixture.wait_until_free();
        if round % 3 == 0 {
            broker.restart();
        }
    }
    run(&mut everything(&fixture, &url(&broker)));
    let values = consumer::values(broker.port(), TOPIC);
    assert_eq!(column(&values, "id"), (1..=rows).collect::<Vec<_>>());
    // The transactions that were not committed are in the topic.
    let all = consumer::records(broker.port(), TOPIC, "read_uncommitted");
    assert!(all.len() > values.len(), "{} of {}", values.len(), all.len());
}

#[test]
fn broker_that_is_away() {
    let fixture = Fixture::new(servers()[0], TABLE);
    let broker = Broker::start();
    insert(&fixture, 10);
    let mut command = pipe(&fixture, &url(&broker));
    command.args(["--topic", TOPIC]).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let arrived = |rows| {
        eventually("changes", || {
            (consumer::values(broker.port(), TOPIC).len() == rows).then_some(())
        });
    };
    arrived(10);
    for round in 1..4 {
        broker.kill();
        insert(&fixture, 10);
        broker.restart();
        arrived(10 + 10 * round);
    }
    program.kill().unwrap();
    program.wait().unwrap();
}

#[test]
fn first_copy_and_changes_left_out() {
    let fixture = Fixture::new(servers()[0], TABLE);
    let broker = Broker::start();
    insert(&fixture, 50);
    fixture.run([&format!("SELECT pg_drop_replication_slot('{}')", fixture.slot_name())]);
    let mut command = pipe(&fixture, &url(&broker));
    command.args(["--topic", TOPIC, "--quiet", "--create-slot", "--snapshot", "initial"]);
    let mut program = command.spawn().unwrap();
    eventually("the copy", || (consumer::values(broker.port(), TOPIC).len() == 51).then_some(()));
    program.kill().unwrap();
    program.wait().unwrap();
    fixture.wait_until_free();
    let positions = || consumer::values(broker.port(), "pgoutput.positions").len();
    let before = positions();
    insert(&fixture, 5);
    run(everything(&fixture, &url(&broker)).args(["--exclude", "public.t"]));
    assert!(positions() > before);
    insert(&fixture, 5);
    run(&mut everything(&fixture, &url(&broker)));
    let values = consumer::values(broker.port(), TOPIC);
    let rows = values.iter().filter(|value| !value.contains(r#""op":"Z""#)).cloned();
    let mut ids = column(&rows.collect::<Vec<_>>(), "id");
    ids.sort_unstable();
    assert_eq!(ids, (1..=50).chain(56..=60).collect::<Vec<_>>());
}
