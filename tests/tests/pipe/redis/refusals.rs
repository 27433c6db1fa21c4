//! Destinations that are not what the program has left there.

use std::io::Read as _;

use pgoutput_tests::{Fixture, eventually};

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, of_slot, refused, running, stored, until_now};

/// Returns a fixture of which one row is stored, and a second one is not.
fn stored_one<'s>(redis: &RedisServer) -> Fixture<'s> {
    redis.run("FLUSHALL");
    let fixture = fixture(newest());
    fixture.run(["INSERT INTO t VALUES (1)"]);
    stored(&mut until_now(&fixture, &redis.to("")));
    fixture.run(["INSERT INTO t VALUES (2)"]);
    fixture
}

#[test]
fn what_happened_meanwhile_is_named() {
    for redis in RedisServer::all() {
        let cases: [(&[&str], &str); 8] = [
            (&["XADD STREAM * a b"], "another program wrote to the stream app.public.t"),
            (&["XADD STREAM * a b", "XTRIM STREAM MAXLEN 0"], "another program wrote"),
            (&["DEL STREAM"], "the stream app.public.t was deleted"),
            (&["DEL STREAM", "XADD STREAM 1-1 a b"], "lost entries"),
            (&["DEL STREAM", "SET STREAM x"], "of another type"),
            (&["DEL STATE"], "nothing is stored, but slot"),
            (&["DEL STATE", "SET STATE x"], "of another type"),
            (&["HDEL STATE position"], "the field position is missing"),
        ];
        for (commands, message) in cases {
            let fixture = stored_one(&redis);
            let state = format!("pgoutput:{}", fixture.slot_name());
            for command in commands {
                redis.run(&command.replace("STREAM", STREAM).replace("STATE", &state));
            }
            let error = refused(&mut until_now(&fixture, &redis.to("")));
            assert!(error.contains(message), "{commands:?}: {error}");
        }
    }
}

#[test]
fn a_stream_of_others_is_refused_when_it_is_first_used() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        redis.run(&format!("XADD {STREAM} * a b"));
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("has entries of another program"), "{error}");
        assert_eq!(redis.number(&format!("XLEN {STREAM}")), 1);
        redis.run(&format!("DEL {STREAM}"));
        redis.run(&format!("SET {STREAM} x"));
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("of another type"), "{error}");
        redis.run(&format!("DEL {STREAM}"));
        stored(&mut until_now(&fixture, &redis.to("")));
        assert_eq!(ids(&redis, STREAM), [1]);
    }
}

#[test]
fn an_old_copy_of_the_data_is_refused() {
    for redis in RedisServer::all() {
        let fixture = stored_one(&redis);
        redis.engine().stop();
        let (data, copy) = (redis.engine().folder(), redis.engine().folder().join("copy"));
        let files: Vec<_> = std::fs::read_dir(data)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("append"))
            })
            .collect();
        assert!(!files.is_empty());
        let copy_all = |from: &std::path::Path, to: &std::path::Path| {
            let mut command = std::process::Command::new("cp");
            command.arg("-a").arg(from).arg(to);
            assert!(pgoutput_harness::output(&mut command).status.success());
        };
        std::fs::create_dir(&copy).unwrap();
        for file in &files {
            copy_all(file, &copy);
        }
        redis.engine().restart();
        stored(&mut until_now(&fixture, &redis.to("")));
        assert_eq!(ids(&redis, STREAM), [1, 2]);
        redis.engine().stop();
        for file in &files {
            let mut command = std::process::Command::new("rm");
            assert!(pgoutput_harness::output(command.arg("-r").arg(file)).status.success());
            copy_all(&copy.join(file.file_name().unwrap()), file);
        }
        redis.engine().restart();
        assert_eq!(ids(&redis, STREAM), [1]);
        fixture.run(["INSERT INTO t VALUES (3)"]);
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("acknowledged") || error.contains("ahead"), "{error}");
        assert_eq!(ids(&redis, STREAM), [1]);
    }
}

#[test]
fn of_two_pipes_at_once_the_second_is_refused() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        let second = format!("{}_2", fixture.slot_name());
        fixture.create_slot(&second);
        let to = redis.to(&format!("?state=state:{second}"));
        let mut first = running(&fixture, &to).spawn().unwrap();
        eventually("the slot to be used", || fixture.slot().active.then_some(()));
        // Of the same slot.
        let error = refused(&mut until_now(&fixture, &to));
        assert!(error.contains("active"), "{error}");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        eventually("the row to be stored", || (ids(&redis, STREAM) == [1]).then_some(()));
        // Of another slot with the same state.
        let error = refused(&mut of_slot(&until_now(&fixture, &to), &fixture, &second));
        assert!(error.contains("slot"), "{error}");
        // Of another slot with another state and the same stream.
        let error = refused(&mut of_slot(&until_now(&fixture, &redis.to("")), &fixture, &second));
        assert!(error.contains("entries of another program"), "{error}");
        fixture.run(["INSERT INTO t VALUES (2)"]);
        eventually("the row to be stored", || (ids(&redis, STREAM) == [1, 2]).then_some(()));
        // The first one finds a position that is not its own.
        redis.run(&format!("HSET state:{second} batches 77"));
        fixture.run(["INSERT INTO t VALUES (3)"]);
        let status = eventually("the first to end", || first.try_wait().unwrap());
        assert!(!status.success());
        assert_eq!(ids(&redis, STREAM), [1, 2]);
    }
}

#[test]
fn what_happens_while_the_program_runs_is_named() {
    for redis in RedisServer::all() {
        let cases = [
            ("XADD STREAM * a b", "another program wrote to the stream app.public.t"),
            ("DEL STREAM", "the stream app.public.t was deleted"),
            ("DEL STATE", "was deleted, or lost"),
            ("FLUSHALL", "was deleted, or lost"),
        ];
        for (command, message) in cases {
            redis.run("FLUSHALL");
            let fixture = fixture(newest());
            let mut program = running(&fixture, &redis.to(""));
            let mut program = program.stderr(std::process::Stdio::piped()).spawn().unwrap();
            fixture.run(["INSERT INTO t VALUES (1)"]);
            eventually("the row to be stored", || (ids(&redis, STREAM) == [1]).then_some(()));
            let state = format!("pgoutput:{}", fixture.slot_name());
            redis.run(&command.replace("STREAM", STREAM).replace("STATE", &state));
            fixture.run(["INSERT INTO t VALUES (2)"]);
            let status = eventually("the program to end", || program.try_wait().unwrap());
            assert!(!status.success());
            let mut error = String::new();
            program.stderr.take().unwrap().read_to_string(&mut error).unwrap();
            assert!(error.contains(message), "{command}: {error}");
            assert!(!ids(&redis, STREAM).contains(&2), "{command}");
        }
    }
}

#[test]
fn the_stream_of_a_dropped_table_can_be_retired() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        fixture.run(["CREATE TABLE gone (id int)", "INSERT INTO gone VALUES (1)"]);
        fixture.run(["INSERT INTO t VALUES (1)"]);
        stored(&mut until_now(&fixture, &redis.to("")));
        fixture.run(["DROP TABLE gone", "INSERT INTO t VALUES (2)"]);
        redis.run("DEL app.public.gone");
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        let cure = format!("HDEL pgoutput:{} stream:app.public.gone", fixture.slot_name());
        assert!(error.contains(&cure), "{error}");
        redis.run(&cure);
        stored(&mut until_now(&fixture, &redis.to("")));
        assert_eq!(ids(&redis, STREAM), [1, 2]);
    }
}
