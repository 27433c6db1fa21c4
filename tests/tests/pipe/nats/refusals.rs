//! Streams that the program does not write to, and the messages about them.

use pgoutput_harness::engine::NatsServer;
use pgoutput_harness::servers;
use pgoutput_tests::Fixture;
use serde_json::json;

use super::running::{
    Batches, Running, STREAM, continuous, create, ids, messages, refused, run, server, to_end,
    wait_for,
};
use crate::program::pipe;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, body text)";

#[track_caller]
fn check(text: &str, expected: &str) {
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_stream_that_cannot_be_used_is_refused_with_the_cure() {
    let Some(nats) = NatsServer::start() else { return };
    let Some(postgres) = servers().pop() else { return };
    let fixture = Fixture::new(postgres, TABLE);
    fixture.run(["INSERT INTO t VALUES (1)"]);
    check(&refused(&mut to_end(&fixture, &nats)), "nats stream add CHANGES");
    let mut client = nats.client();
    for (config, expected) in [
        (json!({"retention": "workqueue"}), "set retention to limits"),
        (json!({"retention": "interest"}), "set retention to limits"),
        (json!({"no_ack": true}), "set no_ack to false"),
        (json!({"persist_mode": "async"}), "set persist_mode to default"),
        (json!({"subjects": ["elsewhere"]}), "does not have the subject t.public.t"),
        (json!({"max_msg_size": 500}), "raise max_payload of the server and max_msg_size"),
    ] {
        client.create_stream(STREAM, &["t.>"], &config);
        let report = refused(&mut to_end(&fixture, &nats));
        assert!(report.contains(expected), "{config}: {report}");
        assert_eq!(messages(&nats), []);
        client.api("STREAM.DELETE.CHANGES", &json!({}));
    }
    client.create_stream("OTHER", &["t.>"], &json!({}));
    client.create_stream(STREAM, &["u"], &json!({}));
    check(&refused(&mut to_end(&fixture, &nats)), "the subject belongs to another stream");
    client.api("STREAM.DELETE.OTHER", &json!({}));
    client.api("STREAM.DELETE.CHANGES", &json!({}));
    create(&nats, Batches::Atomic);
    // `$` is replaced, since subjects that start with it are the server's.
    for (topic, expected) in
        [("t..{table}", "cannot be a subject"), ("$SYS.{table}", "the subject _SYS.t")]
    {
        let mut command = pipe(&fixture, &format!("nats://127.0.0.1:{}/{STREAM}", nats.port()));
        command.args(["--until-lsn", &fixture.end().to_string(), "--topic", topic, "--quiet"]);
        check(&refused(&mut command), expected);
    }
    assert_eq!(messages(&nats), []);
    run(&mut to_end(&fixture, &nats));
    assert_eq!(ids(&messages(&nats)), [1]);
}

#[test]
fn servers_that_cannot_be_used_are_refused() {
    let Some(postgres) = servers().pop() else { return };
    let fixture = Fixture::new(postgres, TABLE);
    let Some(nats) = NatsServer::start() else { return };
    let url = |port: u16| format!("nats://127.0.0.1:{port}/{STREAM}?timeout=5");
    nats.engine().kill();
    check(
        &refused(pipe(&fixture, &url(nats.port())).arg("--quiet")),
        "cannot connect with 127.0.0.1",
    );
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let silent = format!("nats://127.0.0.1:{port}/S?connect_timeout=1");
    check(&refused(pipe(&fixture, &silent).arg("--quiet")), "did not answer within 1s");
}

#[test]
fn a_message_of_another_program_is_refused() {
    for batches in [Batches::Atomic, Batches::Single] {
        for postgres in servers() {
            let Some(nats) = server(batches) else { return };
            let fixture = Fixture::new(postgres, TABLE);
            let running = Running::start(&mut continuous(&fixture, &nats));
            fixture.run(["INSERT INTO t VALUES (1)"]);
            wait_for(&mut nats.client(), 1);
            nats.client().publish("t.foreign", "{}");
            fixture.run(["INSERT INTO t VALUES (2), (3)"]);
            let (code, report) = running.ended();
            assert_ne!(code, Some(0));
            check(&report, "another program writes to the stream");
            fixture.wait_until_free();
            check(&refused(&mut to_end(&fixture, &nats)), "another program writes to the stream");
            assert_eq!(ids(&messages(&nats)), [1]);
            // The cure in the message.
            nats.client().api("STREAM.MSG.DELETE.CHANGES", &json!({"seq": 2}));
            run(&mut to_end(&fixture, &nats));
            assert_eq!(ids(&messages(&nats)), [1, 2, 3]);
        }
    }
}

#[test]
fn two_programs_do_not_write_to_one_stream() {
    for batches in [Batches::Atomic, Batches::Single] {
        for postgres in servers() {
            let Some(nats) = server(batches) else { return };
            let first = Fixture::new(postgres, TABLE);
            let second = Fixture::new(postgres, TABLE);
            // Both find an empty stream.
            let other = Running::start(&mut continuous(&second, &nats));
            Running::connected(&second);
            let running = Running::start(&mut continuous(&first, &nats));
            Running::connected(&first);
            first.run(["INSERT INTO t SELECT i FROM generate_series(1, 500) i"]);
            wait_for(&mut nats.client(), 500);
            second.run(["INSERT INTO t VALUES (1001)"]);
            let (code, report) = other.ended();
            assert_ne!(code, Some(0));
            check(&report, "use a stream for each slot");
            first.run(["INSERT INTO t VALUES (501)"]);
            wait_for(&mut nats.client(), 501);
            running.kill();
            assert!(ids(&messages(&nats)).into_iter().eq(1..=501));
        }
    }
}

#[test]
fn a_stream_that_lost_messages_is_refused() {
    for postgres in servers() {
        let Some(nats) = server(Batches::Atomic) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let mut client = nats.client();
        fixture.run(["INSERT INTO t VALUES (1), (2)"]);
        run(&mut to_end(&fixture, &nats));
        // The last ones were deleted: the slot is ahead of the position in the one before.
        fixture.run(["INSERT INTO t SELECT i FROM generate_series(11, 30) i"]);
        run(&mut to_end(&fixture, &nats));
        for seq in (2..=22).filter(|seq| *seq != 5) {
            client.api("STREAM.MSG.DELETE.CHANGES", &json!({"seq": seq}));
        }
        check(&refused(&mut to_end(&fixture, &nats)), "was confirmed up to");
        client.api("STREAM.PURGE.CHANGES", &json!({}));
        check(&refused(&mut to_end(&fixture, &nats)), "it was purged, or they expired");
        fixture.run(["INSERT INTO t VALUES (4)"]);
        run(to_end(&fixture, &nats).arg("--trust-slot"));
        assert_eq!(ids(&messages(&nats)), [4]);
        // It is empty, as at the first start, but the slot was read.
        client.api("STREAM.DELETE.CHANGES", &json!({}));
        create(&nats, Batches::Atomic);
        let report = refused(&mut to_end(&fixture, &nats));
        check(&report, "start again with a new slot and a snapshot");
        assert_eq!(messages(&nats), []);
    }
}

#[test]
fn a_stream_that_is_deleted_meanwhile_ends_the_program() {
    for postgres in servers() {
        let Some(nats) = server(Batches::Atomic) else { return };
        let fixture = Fixture::new(postgres, TABLE);
        let running = Running::start(&mut continuous(&fixture, &nats));
        fixture.run(["INSERT INTO t VALUES (1)"]);
        wait_for(&mut nats.client(), 1);
        nats.client().api("STREAM.DELETE.CHANGES", &json!({}));
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let (code, report) = running.ended();
        assert_ne!(code, Some(0));
        check(&report, "nats stream add CHANGES");
    }
}

#[test]
fn a_record_beyond_the_limit_stops_before_anything_of_its_batch() {
    for batches in [Batches::Atomic, Batches::Single] {
        let Some(postgres) = servers().pop() else { return };
        let Some(nats) = NatsServer::with_settings("max_payload: 20000") else { return };
        create(&nats, batches);
        let fixture = Fixture::new(postgres, TABLE);
        fixture.run([
            "INSERT INTO t VALUES (1, repeat('a', 19000))",
            "BEGIN; INSERT INTO t VALUES (2); INSERT INTO t VALUES (3, repeat('a', 20000)); COMMIT",
        ]);
        let mut command = to_end(&fixture, &nats);
        command.args(["--batch-size", "1"]);
        let report = refused(&mut command);
        check(&report, "of t.public.t has 2");
        check(&report, "more than 20000: raise max_payload");
        assert_eq!(ids(&messages(&nats)), [1]);
    }
}

#[test]
fn a_full_stream_is_waited_for() {
    for batches in [Batches::Atomic, Batches::Single] {
        let Some(postgres) = servers().pop() else { return };
        let Some(nats) = NatsServer::start() else { return };
        let atomic = batches == Batches::Atomic;
        let limits = json!({"max_msgs": 150, "discard": "new", "allow_atomic": atomic});
        nats.client().create_stream(STREAM, &["t.>"], &limits);
        let fixture = Fixture::new(postgres, TABLE);
        fixture.run(["INSERT INTO t SELECT i FROM generate_series(0, 399) i"]);
        let mut command = to_end(&fixture, &nats);
        command.args(["--reconnect-for", "1"]);
        check(&refused(&mut command), "raise the limits of the stream");
        let mut config = nats.client().api("STREAM.INFO.CHANGES", &json!({}))["config"].take();
        config["max_msgs"] = json!(-1);
        nats.client().api("STREAM.UPDATE.CHANGES", &config);
        run(&mut to_end(&fixture, &nats));
        assert!(ids(&messages(&nats)).into_iter().eq(0..400));
    }
}
