//! Servers started, used, stopped and cleaned up, on the servers chosen for tests.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::SystemTime;

use pgoutput_harness::{Origin, Search, Server, StopMode, output, servers, servers_from};
use postgres::{Client, NoTls};

fn one(client: &mut Client, query: &str) -> String {
    client.query_one(&format!("SELECT ({query})::text"), &[]).expect(query).get(0)
}

#[test]
fn a_slot_decodes_with_pgoutput() {
    for server in servers() {
        let database = server.database("Slot, of-pgoutput");
        let mut client = database.client();
        let slot = database.slot_name("a b");
        client
            .batch_execute("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t")
            .unwrap();
        client
            .query_one("SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text", &[&slot])
            .unwrap();
        client.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let messages = client
            .query(
                "SELECT data FROM pg_logical_slot_get_binary_changes($1, NULL, NULL,
                     'proto_version', '1', 'publication_names', 'p')",
                &[&slot],
            )
            .unwrap();
        let tags: Vec<u8> = messages.iter().map(|row| row.get::<_, &[u8]>(0)[0]).collect();
        assert_eq!(tags, b"BRIC", "{}", server.install());
    }
}

#[test]
fn every_connection_string_reaches_the_same_database() {
    for server in servers() {
        let database = server.database("ways");
        for dsn in [database.dsn(), database.dsn_tcp(), database.uri()] {
            let mut client = Client::connect(&dsn, NoTls).expect(&dsn);
            assert_eq!(one(&mut client, "current_database()"), database.name());
        }
    }
}

#[test]
fn a_dropped_database_leaves_nothing() {
    for server in servers() {
        let database = server.database("gone");
        let name = database.name().to_owned();
        let mut busy = database.client();
        let slot = database.slot_name("s");
        busy.query_one("SELECT pg_create_logical_replication_slot($1, 'pgoutput')::text", &[&slot])
            .unwrap();
        // A session holds its temporary slot, as a walsender holds the slot that it reads.
        let held = database.slot_name("held");
        busy.query_one(
            "SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)::text",
            &[&held],
        )
        .unwrap();
        busy.batch_execute("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'it''s'").unwrap();
        drop(database);
        let mut client = server.client();
        for (what, query) in [
            ("database", "SELECT FROM pg_database WHERE datname = $1"),
            ("slot", "SELECT FROM pg_replication_slots WHERE database = $1"),
            ("transaction", "SELECT FROM pg_prepared_xacts WHERE database = $1"),
        ] {
            assert_eq!(
                client.query(query, &[&name]).unwrap().len(),
                0,
                "{what} on {}",
                server.install()
            );
        }
        assert!(busy.simple_query("SELECT 1").is_err());
    }
}

#[test]
fn names_are_unique() {
    let server = servers()[0];
    let (one, two) = (server.database("same"), server.database("same"));
    assert_ne!(one.name(), two.name());
    let slots = [one.slot_name("s"), one.slot_name("s"), two.slot_name("s")];
    assert!(slots[0] != slots[1] && slots[1] != slots[2] && slots[0] != slots[2], "{slots:?}");
    let long = server.database(&"x".repeat(100));
    assert!(long.slot_name(&"y".repeat(100)).len() <= 63);
}

#[test]
fn settings_reach_the_server() {
    let server = Server::builder()
        .setting("application_name", "it's")
        .small_decoding_memory()
        .initdb_argument("--encoding=SQL_ASCII")
        .start(servers_from(13)[0].major())
        .unwrap();
    let mut client = server.client();
    assert_eq!(one(&mut client, "current_setting('logical_decoding_work_mem')"), "64kB");
    assert_eq!(one(&mut client, "current_setting('max_replication_slots')"), "40");
    let latin = server.database_with("latin", "ENCODING 'LATIN1'");
    assert_eq!(one(&mut latin.client(), "current_setting('server_encoding')"), "LATIN1");
    assert_eq!(one(&mut client, "current_setting('server_encoding')"), "SQL_ASCII");
}

#[test]
fn hba_lines_decide_about_passwords() {
    let server = Server::builder()
        .hba_line("host all alice 127.0.0.1/32 scram-sha-256")
        .hba_line("host all bob 127.0.0.1/32 md5")
        .start(servers()[0].major())
        .unwrap();
    server
        .client()
        .batch_execute(
            "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN PASSWORD 'a';
             SET password_encryption = 'md5'; CREATE ROLE bob LOGIN PASSWORD 'b'",
        )
        .unwrap();
    for (user, password) in [("alice", "a"), ("bob", "b")] {
        let dsn = format!("host=127.0.0.1 port={} dbname=postgres user={user}", server.port());
        let connect = |password| Client::connect(&format!("{dsn} password={password}"), NoTls);
        assert!(connect(password).is_ok());
        assert!(connect("wrong").is_err());
    }
}

#[test]
fn a_server_stops_starts_restarts_and_is_killed() {
    for major in servers().into_iter().map(Server::major) {
        let server = Server::of_major(major).unwrap();
        server.client().batch_execute("CREATE TABLE kept ()").unwrap();
        for mode in [StopMode::Smart, StopMode::Fast, StopMode::Immediate] {
            server.stop(mode).unwrap();
            assert!(!server.is_running() && server.pid().is_none());
            assert!(server.try_client().is_err());
            // A second call has no effect.
            server.stop(mode).unwrap();
            server.start().unwrap();
            server.start().unwrap();
            server.client().batch_execute("TABLE kept").unwrap();
        }
        let before = server.pid();
        server.kill().unwrap();
        assert!(!server.is_running());
        server.start().unwrap();
        assert_ne!(server.pid(), before);
        server.client().batch_execute("TABLE kept").unwrap();
    }
}

#[test]
fn a_killed_backend_ends_its_session() {
    let server = Server::of_major(servers()[0].major()).unwrap();
    let mut victim = server.client();
    let pid = victim.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    server.kill_backend(pid).unwrap();
    assert!(victim.simple_query("SELECT 1").is_err());
    server.wait_ready().unwrap();
    assert!(server.is_running());
    let ours = i32::try_from(std::process::id()).unwrap();
    assert!(server.kill_backend(ours).is_err(), "only the server's own processes are killed");
}

#[test]
fn dropping_a_server_removes_it() {
    let server = Server::of_major(servers()[0].major()).unwrap();
    let folder = server.socket_folder().to_owned();
    let session = server.client();
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists());
    assert!(
        session.is_closed() || {
            let mut s = session;
            s.simple_query("SELECT 1").is_err()
        }
    );
}

#[test]
fn a_failed_start_reports_the_reason() {
    let error =
        Server::builder().setting("no_such_setting", "1").start(servers()[0].major()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("did not start") && text.contains("no_such_setting"), "{text}");
}

/// Started as root, a server runs under another account, which cannot enter every folder that root
/// can.
#[test]
fn programs_in_a_closed_folder_are_usable() {
    let closed =
        std::env::temp_dir().join(format!("pgoutput-harness-closed-{}", std::process::id()));
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let fetched =
        pgoutput_harness::shared(18).unwrap().install().bin().parent().unwrap().to_owned();
    let tree = closed.join("server");
    assert!(output(Command::new("cp").arg("-a").arg(&fetched).arg(&tree)).status.success());
    // The modification time makes it another build for the harness, so no other run uses or removes
    // its copy.
    let program = File::options().append(true).open(tree.join("bin/postgres")).unwrap();
    program.set_modified(SystemTime::now()).unwrap();
    drop(program);

    let search = Search::from_env().at(&tree);
    let server = Server::builder().search(search).start(18).unwrap();
    assert_eq!(server.install().origin(), Origin::Explicit);
    server.client().simple_query("SELECT 1").unwrap();
    let used = server.install().bin().parent().unwrap().to_owned();
    drop(server);
    if used != tree {
        fs::remove_dir_all(used).unwrap();
    }
    fs::remove_dir_all(closed).unwrap();
}
