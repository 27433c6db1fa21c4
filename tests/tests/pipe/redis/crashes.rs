//! The program and Redis are killed, and connections are cut.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use pgoutput_harness::engine::redis::LATER;
use pgoutput_tests::{Fixture, Network, Random, eventually};
use serde_json::Value;

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, running, stored, until_now};
use crate::destination::Destination as _;
use crate::file::Killed;

/// Writes rows with ids from 1, a few in each transaction, until `ended`. Returns the last id.
fn write(fixture: &Fixture<'_>, ended: &AtomicBool) -> i64 {
    let (mut client, mut random, mut last) = (fixture.client(), Random::new(5), 0);
    while !ended.load(Ordering::Acquire) {
        let next = last + 1 + i64::try_from(random.below(200)).unwrap();
        let insert = "INSERT INTO t SELECT g, repeat('x', 50) FROM generate_series($1::int8, $2) g";
        client.execute(insert, &[&(last + 1), &next]).unwrap();
        last = next;
    }
    last
}

#[test]
fn nothing_is_missing_and_nothing_is_twice_after_kills() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        let network = Network::before(redis.engine().port());
        let to = redis.url(network.port());
        let ended = AtomicBool::new(false);
        let last = thread::scope(|scope| {
            let writer = scope.spawn(|| write(&fixture, &ended));
            let mut random = Random::new(7);
            for round in 0..12 {
                let mut program = running(&fixture, &to);
                program.args(["--transaction-size", "2kB", "--batch-count", "50"]);
                let mut program = program.stderr(Stdio::null()).spawn().unwrap();
                let before = redis.number(&format!("XLEN {STREAM}"));
                eventually("some rows to be stored", || {
                    (redis.number(&format!("XLEN {STREAM}")) > before).then_some(())
                });
                thread::sleep(Duration::from_millis(random.below(100) as u64));
                match round % 3 {
                    0 => {}
                    1 => {
                        redis.kill();
                        redis.restart();
                    }
                    _ => network.cut(),
                }
                // The others were survived.
                if round % 3 != 0 {
                    let before = redis.number(&format!("XLEN {STREAM}"));
                    eventually("more rows to be stored", || {
                        (redis.number(&format!("XLEN {STREAM}")) > before).then_some(())
                    });
                }
                program.kill().unwrap();
                program.wait().unwrap();
                fixture.wait_until_free();
            }
            ended.store(true, Ordering::Release);
            writer.join().unwrap()
        });
        stored(&mut until_now(&fixture, &to));
        assert!(ids(&redis, STREAM).iter().copied().eq(1..=last));
    }
}

#[test]
fn an_interrupted_initial_copy_is_repeated_or_continued() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        fixture.run(["INSERT INTO t SELECT generate_series(1, 100000)"]);
        fixture
            .client()
            .execute("SELECT pg_drop_replication_slot($1)", &[&fixture.slot_name()])
            .unwrap();
        let options = ["--create-slot", "--snapshot", "initial"];
        let network = Network::before(redis.engine().port());
        for part in 1..=2 {
            let mut program = running(&fixture, &redis.url(network.port()));
            program.args(options).args(["--batch-count", "20"]).stderr(Stdio::null());
            let mut program = program.spawn().unwrap();
            let before = redis.number(&format!("XLEN {STREAM}"));
            eventually("some rows to be stored", || {
                let now = redis.number(&format!("XLEN {STREAM}"));
                (now > before + 500 * part).then_some(())
            });
            // The copy itself goes on.
            network.cut();
            let before = redis.number(&format!("XLEN {STREAM}"));
            eventually("more rows to be stored", || {
                (redis.number(&format!("XLEN {STREAM}")) > before + 100).then_some(())
            });
            program.kill().unwrap();
            program.wait().unwrap();
            fixture.run([&*format!("INSERT INTO t VALUES ({})", 100_000 + part)]);
            eventually("the server to notice", || {
                let query = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    AND application_name = 'pgoutput'";
                (fixture.number(&format!("({query})")) == 0).then_some(())
            });
        }
        stored(until_now(&fixture, &redis.to("")).args(options));
        // Each repetition starts with a truncation.
        let (mut rows, mut truncations) = (Vec::new(), 0);
        let entries = redis.entries(STREAM);
        assert!(entries.is_sorted_by_key(|entry| entry.id));
        for entry in entries {
            let value: Value = serde_json::from_str(entry.value.as_deref().unwrap()).unwrap();
            match value["op"].as_str().unwrap() {
                "T" => {
                    rows.clear();
                    truncations += 1;
                }
                _ => rows.push(value["after"]["id"].as_i64().unwrap()),
            }
        }
        rows.sort_unstable();
        assert!(rows.iter().copied().eq(1..=100_002), "{} rows", rows.len());
        assert!(truncations > 0);
    }
}

#[test]
fn a_crash_that_lost_acknowledged_changes_is_detected_by_the_running_program() {
    let Some(redis) = RedisServer::all().next() else { return };
    let fixture = fixture(newest());
    redis.run("CONFIG SET appendonly no");
    let mut program = running(&fixture, &redis.to(""));
    let mut program = program.stderr(Stdio::piped()).spawn().unwrap();
    fixture.run(["INSERT INTO t VALUES (1)"]);
    eventually("the row to be stored", || (ids(&redis, STREAM) == [1]).then_some(()));
    redis.kill();
    redis.restart();
    fixture.run(["INSERT INTO t VALUES (2)"]);
    let status = eventually("the program to end", || program.try_wait().unwrap());
    assert!(!status.success());
    let mut error = String::new();
    std::io::Read::read_to_string(&mut program.stderr.take().unwrap(), &mut error).unwrap();
    assert!(error.contains("was deleted, or lost in a crash of Redis"), "{error}");
    assert_eq!(redis.number(&format!("EXISTS {STREAM}")), 0);
}

/// With everysec, most of the time is spent in WAITAOF.
#[test]
fn a_signal_while_redis_writes_to_the_disk_is_an_orderly_end() {
    let Some(redis) = RedisServer::of(LATER, &["--appendfsync", "everysec"]) else { return };
    let fixture = fixture(newest());
    let ended = AtomicBool::new(false);
    let last = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&fixture, &ended));
        for _ in 0..4 {
            let before = redis.number(&format!("XLEN {STREAM}"));
            let mut program = Killed::start(running(&fixture, &redis.to("")).arg("--quiet"));
            eventually("some rows to be stored", || {
                (redis.number(&format!("XLEN {STREAM}")) > before).then_some(())
            });
            assert_eq!(program.terminate(), Some(0));
            fixture.wait_until_free();
        }
        ended.store(true, Ordering::Release);
        writer.join().unwrap()
    });
    stored(&mut until_now(&fixture, &redis.to("")));
    assert!(ids(&redis, STREAM).iter().copied().eq(1..=last));
}
