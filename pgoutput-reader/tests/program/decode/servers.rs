//! What the real psql and pg_recvlogical print of real servers.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use pgoutput_harness::{Database, Search, Server, TIMEOUT, Wait, output, servers, skip};

use super::{decode, printed};
use crate::run::program;

/// The newest client programs on this machine. Fetched servers come without them.
fn client_programs() -> Option<PathBuf> {
    let installed = Search::from_env().installed();
    let mut folders = installed.values().rev().map(|install| install.bin().to_owned());
    folders.find(|bin| bin.join("pg_recvlogical").is_file() && bin.join("psql").is_file())
}

/// Options of the plugin, as pairs.
type Options = &'static [(&'static str, &'static str)];

/// The options that a server has, with the oldest major that has them.
const OPTIONS: [(u32, Options); 5] = [
    (10, &[("proto_version", "1")]),
    (14, &[("proto_version", "1"), ("binary", "true"), ("messages", "true")]),
    (14, &[("proto_version", "2"), ("streaming", "on"), ("messages", "true")]),
    (15, &[("proto_version", "3"), ("streaming", "on"), ("two_phase", "on")]),
    (16, &[("proto_version", "4"), ("streaming", "parallel"), ("binary", "true")]),
];

const SETUP: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE \"odd \"\"name\" (id int PRIMARY KEY, body text, feeling mood, n numeric(10,2));
    CREATE TABLE big (id int);
    CREATE PUBLICATION p FOR ALL TABLES";

const CHANGES: &str = "
    INSERT INTO \"odd \"\"name\" VALUES (10, E'line\\nfeed', 'ok', 1.50), (11, NULL, NULL, NULL);
    UPDATE \"odd \"\"name\" SET id = 12 WHERE id = 10;
    DELETE FROM \"odd \"\"name\" WHERE id = 11;
    TRUNCATE \"odd \"\"name\"";

/// More than `logical_decoding_work_mem`, and then a subtransaction that is rolled back.
const LARGE: &str = "
    BEGIN;
    INSERT INTO big SELECT pg_catalog.generate_series(1, 1500);
    SAVEPOINT s;
    INSERT INTO big SELECT pg_catalog.generate_series(1, 1500);
    ROLLBACK TO SAVEPOINT s;
    INSERT INTO big VALUES (0);
    COMMIT";

fn database(server: &Server) -> Database<'_> {
    let database = server.database("decode");
    let mut client = database.client();
    if server.major() >= 13 {
        let limit =
            format!("ALTER DATABASE {} SET logical_decoding_work_mem = '64kB'", database.name());
        client.batch_execute(&limit).unwrap();
    }
    client.batch_execute(SETUP).unwrap();
    database
}

/// Creates a slot, writes the changes and returns the end of the WAL.
fn fill(database: &Database<'_>, slot: &str) -> String {
    let mut client = database.client();
    let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
    client.execute(create, &[&slot]).unwrap();
    client.batch_execute(CHANGES).unwrap();
    if database.server().major() >= 14 {
        client.batch_execute("SELECT pg_logical_emit_message(false, 'a', E'b\\nc')").unwrap();
    }
    client.batch_execute(LARGE).unwrap();
    let end = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).unwrap();
    end.get(0)
}

/// Returns what psql prints with these arguments for the messages of the slot.
fn psql(database: &Database<'_>, arguments: &[&str], query: &str) -> Vec<u8> {
    let mut command = Command::new(client_programs().unwrap().join("psql"));
    command.args(["-X", "-d", &database.dsn()]).args(arguments).args(["-c", query]);
    let printed = output(command.env("LC_ALL", "C.UTF-8"));
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    printed.stdout
}

fn peek(slot: &str, options: Options) -> String {
    let options: Vec<String> =
        options.iter().map(|(name, value)| format!("'{name}', '{value}'")).collect();
    format!(
        "SELECT * FROM pg_logical_slot_peek_binary_changes('{slot}', NULL, NULL, {}, \
         'publication_names', 'p')",
        options.join(", ")
    )
}

/// Returns the command that reads the slot up to `end`.
fn recvlogical(database: &Database<'_>, slot: &str, end: &str, options: Options) -> Command {
    let mut command = Command::new(client_programs().unwrap().join("pg_recvlogical"));
    command.args(["--start", "--slot", slot, "-d", &database.dsn(), "-f", "-", "--no-loop"]);
    command.args(["--endpos", end, "-o", "publication_names=p"]);
    for (name, value) in options {
        command.args(["-o", &format!("{name}={value}")]);
    }
    command
}

fn without_lsn(lines: &str) -> Vec<&str> {
    lines.lines().map(|line| &line[13..]).collect()
}

#[test]
fn the_real_psql_and_pg_recvlogical_are_read() {
    let Some(_) = client_programs() else {
        return skip("no installed PostgreSQL has psql and pg_recvlogical");
    };
    for server in servers() {
        for (from, options) in OPTIONS {
            if server.major() < from {
                continue;
            }
            let database = database(server);
            let slot = database.slot_name("decode");
            let end = fill(&database, &slot);
            let query = peek(&slot, options);
            let aligned = printed(&["--full"], &psql(&database, &[], &query));
            check(&aligned, server.major(), options);
            for arguments in [
                &["-A"][..],
                &["-t"],
                &["-At"],
                &["-x"],
                &["-Ax"],
                &["-tx"],
                &["-Atx"],
                &["--csv"],
                &["-P", "border=2"],
                &["-P", "border=2", "-x"],
                &["-P", "border=0"],
                &["-P", "border=0", "-x"],
                &["-P", "linestyle=unicode"],
                &["-P", "linestyle=unicode", "-x"],
                &["-P", "linestyle=old-ascii", "-x"],
                &["-P", "footer=off"],
                &["-c", "SET bytea_output = hex"],
            ] {
                let text = psql(&database, arguments, &query);
                assert!(printed(&["--full"], &text) == aligned, "{arguments:?}");
            }
            let copied = psql(&database, &[], &format!("COPY ({query}) TO STDOUT"));
            assert!(printed(&["--full"], &copied) == aligned);
            let wrapped = psql(&database, &["-P", "format=wrapped", "-P", "columns=60"], &query);
            assert_eq!(decode(&[], &wrapped).status.code(), Some(1));
            let escaped = psql(&database, &["-c", "SET bytea_output = escape"], &query);
            assert_eq!(decode(&[], &escaped).status.code(), Some(1));

            let received = output(&mut recvlogical(&database, &slot, &end, options));
            assert!(received.status.success(), "{}", String::from_utf8_lossy(&received.stderr));
            let lines = printed(&["--full"], &received.stdout);
            let read: Vec<&str> = lines.lines().collect();
            assert!(read == without_lsn(&aligned), "PostgreSQL {}, {options:?}", server.major());
        }
    }
}

/// Checks that what the workload did is in the lines.
fn check(lines: &str, major: u32, options: Options) {
    let has = |name: &str| options.iter().any(|(option, _)| *option == name);
    let mut expected = vec![
        "Relation public.\"odd \"\"name\" oid=",
        "(id integer key, body text, feeling public.mood, n numeric(10,2))",
        "Type public.mood oid=",
        "new (id=10, body='line\\nfeed', feeling=",
        ", n=1.50)",
        "Update public.\"odd \"\"name\" key (id=10) new (id=12,",
        "Delete public.\"odd \"\"name\" key (id=11)",
    ];
    if major >= 11 {
        expected.push("Truncate public.\"odd \"\"name\"");
    }
    if has("messages") {
        expected.push("Message prefix='a' content='b\\nc' lsn=");
    }
    if has("streaming") {
        expected.extend(["Stream Start xid=", "Stream Abort xid=", "Stream Commit xid="]);
    }
    for text in expected {
        assert!(lines.contains(text), "PostgreSQL {major}, {options:?}: {text} is not in {lines}");
    }
    assert_eq!(lines.contains(" abort_lsn="), options.contains(&("streaming", "parallel")));
}

/// pg_recvlogical at one end of a pipe, the program at the other, and changes while both run.
#[test]
fn a_live_pipe_of_pg_recvlogical_is_printed_as_it_arrives() {
    use std::io::{BufRead as _, BufReader};
    let Some(_) = client_programs() else {
        return skip("no installed PostgreSQL has psql and pg_recvlogical");
    };
    for server in servers() {
        let database = database(server);
        let slot = database.slot_name("decode_live");
        let mut client = database.client();
        let create = "SELECT pg_create_logical_replication_slot($1, 'pgoutput')";
        client.execute(create, &[&slot]).unwrap();
        let mut source = recvlogical(&database, &slot, "FFFFFFFF/0", OPTIONS[0].1)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut decode = program()
            .args(["decode", "-"])
            .stdin(source.stdout.take().unwrap())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wait = Wait::killing("lines of the pipe", TIMEOUT, &decode);
        let mut lines = BufReader::new(decode.stdout.take().unwrap()).lines();
        for id in 1..=3 {
            client.batch_execute(&format!("INSERT INTO big VALUES ({id})")).unwrap();
            let insert = format!("  Insert public.big new (id={id})");
            let mut seen = lines.by_ref().map(Result::unwrap);
            assert!(seen.any(|line| line == insert));
            assert!(seen.next().unwrap().starts_with("Commit commit_lsn="));
        }
        source.kill().unwrap();
        source.wait().unwrap();
        assert!(decode.wait().unwrap().success());
        wait.done();
    }
}
