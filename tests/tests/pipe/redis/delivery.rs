//! What is stored.

use pgoutput_harness::servers;
use pgoutput_tests::{Fixture, eventually};
use serde_json::Value;

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, running, stored, until_now};

#[test]
fn each_event_is_stored_once_over_restarts() {
    for redis in RedisServer::all() {
        for server in servers() {
            redis.run("FLUSHALL");
            let fixture = Fixture::new(
                server,
                "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY)",
            );
            for round in 0..4 {
                let first = round * 100 + 1;
                fixture.run([
                    &*format!(
                        "INSERT INTO t SELECT g, 'x' FROM generate_series({first}, {first} + 98) g"
                    ),
                    &*format!(
                        "INSERT INTO t VALUES ({first} + 99); INSERT INTO u VALUES ({round})"
                    ),
                ]);
                let mut run = until_now(&fixture, &redis.to(""));
                // The last rounds have batches of parts of transactions.
                if round > 1 {
                    run.args(["--transaction-size", "1kB", "--batch-count", "7"]);
                }
                stored(&mut run);
                // Nothing is left for another run.
                stored(&mut until_now(&fixture, &redis.to("")));
            }
            assert_eq!(ids(&redis, STREAM), (1..=400).collect::<Vec<_>>());
            assert_eq!(ids(&redis, "app.public.u"), [0, 1, 2, 3]);
            let batches = redis.state(fixture.slot_name(), "batches").unwrap();
            assert!(batches.parse::<u64>().unwrap() > 20, "{batches}");
        }
    }
}

#[test]
fn the_id_is_the_commit_lsn_and_the_index() {
    let Some(redis) = RedisServer::all().next() else { return };
    let fixture = fixture(newest());
    fixture.run(["INSERT INTO t VALUES (1), (2); UPDATE t SET v = 'x' WHERE id = 2"]);
    stored(&mut until_now(&fixture, &redis.to("")));
    let entries = redis.entries(STREAM);
    let values: Vec<Value> = entries
        .iter()
        .map(|entry| serde_json::from_str(entry.value.as_deref().unwrap()).unwrap())
        .collect();
    assert_eq!(entries.len(), 3);
    for (index, (entry, value)) in entries.iter().zip(&values).enumerate() {
        let lsn = value["transaction"]["begin_lsn"].as_u64().unwrap();
        assert_eq!(entry.id, (lsn, index as u64));
    }
    let state = redis.state(fixture.slot_name(), &format!("stream:{STREAM}")).unwrap();
    assert_eq!(state, format!("{}-{}", entries[2].id.0, entries[2].id.1));
}

#[test]
fn all_tables_can_share_one_stream_with_messages_and_ends_of_transactions() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        for number in 0..5 {
            fixture.run([
                &*format!("INSERT INTO t VALUES ({number})"),
                "SELECT pg_logical_emit_message(false, 'm', 'outside')",
                "SELECT pg_logical_emit_message(true, 'm', 'inside')",
            ]);
            let mut run = until_now(&fixture, &redis.to(""));
            stored(run.args(["--messages", "--commits", "--topic", "all"]));
        }
        let mut ops = String::new();
        for entry in redis.entries("all") {
            let value: Value = serde_json::from_str(entry.value.as_deref().unwrap()).unwrap();
            ops.push_str(value["op"].as_str().unwrap());
        }
        assert_eq!(ops, "ICMMC".repeat(5));
        assert_eq!(ids(&redis, "all"), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn streams_are_trimmed_and_the_pipe_continues() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        fixture.run(["INSERT INTO t SELECT generate_series(1, 5000)"]);
        stored(&mut until_now(&fixture, &redis.to("?maxlen=500")));
        let length = redis.number(&format!("XLEN {STREAM}"));
        assert!((500..1000).contains(&length), "{length}");
        // By hand, down to nothing.
        redis.run(&format!("XTRIM {STREAM} MAXLEN 0"));
        fixture.run(["INSERT INTO t VALUES (5001)"]);
        stored(&mut until_now(&fixture, &redis.to("?maxlen=500")));
        assert_eq!(ids(&redis, STREAM), [5001]);
    }
}

#[test]
fn consumers_do_not_disturb_the_pipe() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        // Before the pipe has written anything.
        redis.run(&format!("XGROUP CREATE {STREAM} group 0 MKSTREAM"));
        for id in 1..=3 {
            fixture.run([&*format!("INSERT INTO t VALUES ({id})")]);
            stored(&mut until_now(&fixture, &redis.to("")));
            redis.run(&format!("XREADGROUP GROUP group me COUNT 1 STREAMS {STREAM} >"));
        }
        let pending = format!("{:?}", redis.run(&format!("XPENDING {STREAM} group")));
        assert!(pending.contains("int(3)") || pending.contains("Int(3)"), "{pending}");
    }
}

#[test]
fn a_large_transaction_takes_little_memory() {
    let Some(redis) = RedisServer::all().last() else { return };
    let fixture = fixture(newest());
    fixture.run(["INSERT INTO t SELECT g, repeat('x', 10000) FROM generate_series(1, 10000) g"]);
    let mut run = until_now(&fixture, &redis.to("?maxlen=100"));
    run.args(["--quiet"]);
    let mut child = run.spawn().unwrap();
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0_u64;
    let status = eventually("the program to end", || {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let size = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(size.unwrap_or(0));
        child.try_wait().unwrap()
    });
    assert!(status.success());
    assert_eq!(redis.number(&format!("XLEN {STREAM}")) % 100, 0);
    println!("peak memory: {peak} kB");
    assert!((5_000..64 * 1024).contains(&peak), "{peak} kB");
}

#[test]
fn a_large_first_entry_is_not_read_with_each_batch() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        fixture.run(["INSERT INTO t SELECT 0, repeat('x', 1000000)"]);
        stored(&mut until_now(&fixture, &redis.to("")));
        let sent = || {
            let text = format!("{:?}", redis.run("INFO stats"));
            let text = text.split_once("total_net_output_bytes:").unwrap().1;
            let number: String = text.chars().take_while(char::is_ascii_digit).collect();
            number.parse::<u64>().unwrap()
        };
        let before = sent();
        fixture.run(["INSERT INTO t SELECT generate_series(1, 40)"]);
        let mut run = until_now(&fixture, &redis.to(""));
        stored(run.args(["--batch-count", "1", "--transaction-size", "1"]));
        // The connection and the first batch read it.
        let sent = sent() - before;
        assert!(sent < 10_000_000, "{sent}");
        assert!(redis.state(fixture.slot_name(), "batches").unwrap().parse::<u64>().unwrap() > 20);
    }
}

#[test]
fn a_stream_can_be_trimmed_while_the_program_runs() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        let mut program = running(&fixture, &redis.to("")).spawn().unwrap();
        for id in 1..=4 {
            fixture.run([&*format!("INSERT INTO t VALUES ({id})")]);
            eventually("the row to be stored", || (ids(&redis, STREAM) == [id]).then_some(()));
            redis.run(&format!("XTRIM {STREAM} MAXLEN 0"));
        }
        assert!(program.try_wait().unwrap().is_none());
        program.kill().unwrap();
        program.wait().unwrap();
    }
}
