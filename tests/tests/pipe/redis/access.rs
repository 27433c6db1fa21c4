//! Rights, and servers that cannot be used.

use std::net::TcpListener;
use std::process::Stdio;

use pgoutput_harness::engine::redis::{EARLIER, LATER};
use pgoutput_tests::{Network, eventually};

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, refused, running, stored, until_now};
use crate::destination::Destination as _;

#[test]
fn a_password_is_needed_and_never_printed() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &["--requirepass", "pa:ss w@rd"]) else {
            return;
        };
        let fixture = fixture(newest());
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let port = redis.engine().port();
        let to = |user: &str| format!("redis://{user}127.0.0.1:{port}");
        let error = refused(&mut until_now(&fixture, &to("")));
        assert!(error.contains("a password is needed"), "{error}");
        let error = refused(&mut until_now(&fixture, &to(":secret@")));
        assert!(error.contains("the user or the password is wrong"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let error = refused(&mut until_now(&fixture, &format!("{}?x=1", to(":secret@"))));
        assert!(error.contains("unknown option x") && !error.contains("secret"), "{error}");
        let error = refused(until_now(&fixture, &to("")).env("REDISCLI_AUTH", "secret"));
        assert!(error.contains("password is wrong") && !error.contains("secret"), "{error}");
        stored(until_now(&fixture, &to("")).env("REDISCLI_AUTH", "pa:ss w@rd"));
        stored(&mut until_now(&fixture, &to(":pa%3Ass%20w%40rd@")));
        stored(&mut until_now(&fixture, &to("default:pa%3Ass%20w%40rd@")));
    }
}

/// Returns the command of docs/pipe-redis.md that begins like this.
fn documented(beginning: &str) -> String {
    let docs = include_str!("../../../../docs/pipe-redis.md");
    let line = docs.lines().find(|line| line.starts_with(beginning)).unwrap();
    line.replace("PASSWORD", "secret")
}

#[test]
fn a_user_needs_the_documented_rights() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &[]) else { return };
        let fixture = fixture(newest());
        let to = format!("redis://pgoutput:secret@127.0.0.1:{}", redis.engine().port());
        // The documented commands work word by word.
        let allow = |change: &str| {
            redis.run("ACL SETUSER pgoutput reset");
            for beginning in ["on", "+watch", "+xadd"] {
                redis.run(&documented(&format!("ACL SETUSER pgoutput {beginning}")));
            }
            if !change.is_empty() {
                redis.run(&format!("ACL SETUSER pgoutput {change}"));
            }
        };
        fixture.run(["INSERT INTO t VALUES (1)"]);
        for missing in ["watch", "multi", "exec", "hgetall", "hmget", "hset", "xadd", "xinfo"] {
            allow(&format!("-{missing}"));
            let error = refused(&mut until_now(&fixture, &to));
            assert!(error.contains("the user may not do this"), "{missing}: {error}");
            assert!(error.contains(missing), "{missing}: {error}");
            assert_eq!(redis.number(&format!("EXISTS {STREAM}")), 0);
        }
        // Another database.
        allow("");
        let error = refused(&mut until_now(&fixture, &format!("{to}/1")));
        assert!(error.contains("the user may not do this: SELECT 1"), "{error}");
        let said = stored(&mut until_now(&fixture, &to));
        assert!(!said.contains("a crash of Redis"), "{said}");
        // More batches and tables, which need all that is listed.
        fixture.run([
            "CREATE TABLE u (id int)",
            "INSERT INTO t SELECT generate_series(2, 50)",
            "INSERT INTO u SELECT generate_series(1, 50)",
            "INSERT INTO t SELECT generate_series(51, 90)",
        ]);
        let denied = || {
            let log = format!("{:?}", redis.run("ACL LOG"));
            log.matches(r#""reason"'), bulk-string('"command"')"#).count()
        };
        redis.run("ACL LOG RESET");
        stored(until_now(&fixture, &to).args(["--batch-count", "10"]));
        // WAITAOF is granted on its own.
        assert!(denied() <= 1, "{:?}", redis.run("ACL LOG"));
        assert!(ids(&redis, STREAM).into_iter().eq(1..=90));
        assert!(ids(&redis, "app.public.u").into_iter().eq(1..=50));
        // Without optional rights.
        for optional in ["client", "info", "config"] {
            fixture.run(["UPDATE t SET v = 'x' WHERE id = 1"]);
            allow(&format!("-{optional}"));
            let said = stored(&mut until_now(&fixture, &to));
            assert_eq!(said.contains("can lose changes"), optional != "client", "{said}");
        }
        // WAITAOF, where there is such a command.
        if format!("{:?}", redis.run("COMMAND INFO WAITAOF")).contains("waitaof") {
            redis.run("CONFIG SET appendfsync everysec");
            allow("");
            fixture.run(["UPDATE t SET v = 'y' WHERE id = 1"]);
            assert!(stored(&mut until_now(&fixture, &to)).contains("WAITAOF is not used"));
            redis.run(&documented("ACL SETUSER pgoutput +waitaof"));
            assert!(!stored(&mut until_now(&fixture, &to)).contains("can lose"));
        }
        // Another database, with the right for it.
        redis.run("FLUSHALL");
        redis.run(&documented("ACL SETUSER pgoutput +select"));
        let error = refused(&mut until_now(&fixture, &format!("{to}/1")));
        assert!(error.contains("nothing is stored, but slot"), "{error}");
        // A key that it may not write.
        let other = super::scene::fixture(newest());
        other.run(["INSERT INTO t VALUES (3)"]);
        let error = refused(until_now(&other, &to).args(["--topic", "other"]));
        assert!(error.contains("may not do this"), "{error}");
    }
}

#[test]
fn servers_that_cannot_be_used_are_named() {
    let Some(redis) = RedisServer::all().next() else { return };
    let server = newest();
    let fixture = fixture(server);
    fixture.run(["INSERT INTO t VALUES (1)"]);
    let refusal = |to: &str| refused(&mut until_now(&fixture, to));
    let port = redis.engine().port();

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refusal(&format!("redis://127.0.0.1:{free}"));
    assert!(error.contains("connection refused"), "{error}");

    let error = refusal(&format!("redis://127.0.0.1:{port}/77"));
    assert!(error.contains("has no database 77"), "{error}");

    let error = refusal(&format!("redis://127.0.0.1:{}", server.port()));
    assert!(error.contains("closed the connection at once: is it Redis"), "{error}");

    let error = refusal(&format!("redis://127.0.0.1:{port}?waitaof=maybe"));
    assert!(error.contains("auto, require or off"), "{error}");

    // Accepts and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = refusal(&format!("redis://127.0.0.1:{port}?timeout=1&connect_timeout=1"));
    assert!(error.contains("no answer within connect_timeout"), "{error}");
}

#[test]
fn states_of_the_server_are_named() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &["--proto-max-bulk-len", "1mb"]) else {
            return;
        };
        let fixture = fixture(newest());
        fixture.run(["INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (2, repeat('x', 1100000))"]);
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("more than proto-max-bulk-len of Redis (1048576)"), "{error}");
        assert!(!ids(&redis, STREAM).contains(&2));
        redis.run("CONFIG SET proto-max-bulk-len 2mb");
        stored(&mut until_now(&fixture, &redis.to("")));

        fixture.run(["INSERT INTO t VALUES (3)"]);
        redis.run("CONFIG SET maxmemory 1");
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("maxmemory is reached"), "{error}");
        redis.run("CONFIG SET maxmemory 0");

        redis.run("CONFIG SET min-replicas-to-write 1");
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("fewer replicas"), "{error}");
        redis.run("CONFIG SET min-replicas-to-write 0");

        redis.run("REPLICAOF 127.0.0.1 1");
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("this is a replica"), "{error}");
        redis.run("REPLICAOF NO ONE");

        stored(&mut until_now(&fixture, &redis.to("")));
        assert_eq!(ids(&redis, STREAM), [1, 2, 3]);
    }
}

#[test]
fn a_cluster_is_refused() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &["--cluster-enabled", "yes"]) else { return };
        let fixture = fixture(newest());
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("Redis Cluster, which is not supported"), "{error}");
    }
}

#[test]
fn what_the_server_promises_is_reported() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &[]) else { return };
        let fixture = fixture(newest());
        let run = |options: &str| stored(&mut until_now(&fixture, &redis.to(options)));
        assert!(!run("").contains("can lose"));
        assert!(!run("?waitaof=off").contains("can lose"));
        redis.run("CONFIG SET appendfsync everysec");
        assert!(run("?waitaof=off").contains("as appendfsync is not always"));
        let has_waitaof = format!("{:?}", redis.run("COMMAND INFO WAITAOF")).contains("waitaof");
        assert_eq!(run("").contains("as appendfsync is not always"), !has_waitaof);
        redis.run("CONFIG SET appendonly no");
        assert!(run("").contains("as appendonly is off"));
        let error = refused(&mut until_now(&fixture, &redis.to("?waitaof=require")));
        assert!(error.contains("waitaof=require needs appendonly yes"), "{error}");
    }
}

#[test]
fn appendfsync_no_is_used_without_waiting() {
    for program in [EARLIER, LATER] {
        let Some(redis) = RedisServer::of(program, &["--appendfsync", "no"]) else { return };
        let fixture = fixture(newest());
        for id in 1..=2 {
            fixture.run([&*format!("INSERT INTO t VALUES ({id})")]);
            let said = stored(until_now(&fixture, &redis.to("")).arg("--no-reconnect"));
            assert!(
                said.contains("can lose changes") && said.contains("appendfsync is no"),
                "{said}"
            );
        }
        assert_eq!(ids(&redis, STREAM), [1, 2]);
        let error = refused(&mut until_now(&fixture, &redis.to("?waitaof=require")));
        assert!(error.contains("waitaof=require needs"), "{error}");
    }
}

#[test]
fn a_promise_that_changes_while_the_program_runs_is_reported() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        let network = Network::before(redis.engine().port());
        let mut program = running(&fixture, &redis.url(network.port()));
        let mut program = program.stderr(Stdio::piped()).spawn().unwrap();
        let mut last = 0;
        let mut store = || {
            last += 1;
            fixture.run([&*format!("INSERT INTO t VALUES ({last})")]);
            eventually("the row to be stored", || {
                ids(&redis, STREAM).contains(&last).then_some(())
            });
        };
        store();
        for setting in ["appendfsync no", "appendfsync always", "appendonly no"] {
            redis.run(&format!("CONFIG SET {setting}"));
            network.cut();
            store();
        }
        program.kill().unwrap();
        let said = program.wait_with_output().unwrap().stderr;
        let said = String::from_utf8(said).unwrap();
        let reports: Vec<_> =
            said.lines().filter(|line| line.contains("a crash of Redis")).collect();
        let [first, second, third] = reports[..] else { panic!("{said}") };
        assert!(first.contains("can lose") && first.contains("appendfsync is no"), "{said}");
        assert!(second.contains("loses no changes"), "{said}");
        assert!(third.contains("can lose") && third.contains("appendonly is off"), "{said}");
    }
}

#[test]
fn an_append_only_file_that_is_turned_off_is_reported() {
    let Some(redis) = RedisServer::of(LATER, &[]) else { return };
    let fixture = fixture(newest());
    let mut program = running(&fixture, &redis.to(""));
    let mut program = program.stderr(Stdio::piped()).spawn().unwrap();
    for id in 1..=2 {
        fixture.run([&*format!("INSERT INTO t VALUES ({id})")]);
        eventually("the row to be stored", || ids(&redis, STREAM).contains(&id).then_some(()));
        redis.run("CONFIG SET appendonly no");
    }
    eventually("the row to be confirmed", || {
        fixture.run(["INSERT INTO t VALUES (3) ON CONFLICT DO NOTHING"]);
        ids(&redis, STREAM).contains(&3).then_some(())
    });
    program.kill().unwrap();
    let said = String::from_utf8(program.wait_with_output().unwrap().stderr).unwrap();
    assert!(said.contains("appendonly was turned off; attempt 1"), "{said}");
    assert!(said.contains("as appendonly is off"), "{said}");
    assert_eq!(ids(&redis, STREAM), [1, 2, 3]);
}

#[test]
fn a_file_without_a_certificate_is_refused() {
    let fixture = fixture(newest());
    let error = refused(&mut until_now(&fixture, "rediss://127.0.0.1:1?sslrootcert=/etc/passwd"));
    assert!(error.contains("there is no certificate in /etc/passwd"), "{error}");
}
