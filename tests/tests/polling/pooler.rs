//! A real PgBouncer, if there is one.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use pgoutput_harness::{Server, eventually, servers, skip};
use pgoutput_reader::{ReaderBuilder, SlotCreation};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION, line};

use crate::INTERVAL;

/// Returns the program, from `PATH` or `PGOUTPUT_TEST_PGBOUNCER`.
fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PGOUTPUT_TEST_PGBOUNCER") {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH")?;
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    // Debian's folder, which is not in everyone's PATH.
    folders.push("/usr/sbin".into());
    folders.into_iter().map(|folder| folder.join("pgbouncer")).find(|file| file.is_file())
}

/// A pooler before a server. Dropping it ends it.
struct Pooler {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Pooler {
    fn start(server: &Server, mode: &str) -> Option<Self> {
        let Some(program) = program() else {
            skip("there is no pgbouncer in PATH, and PGOUTPUT_TEST_PGBOUNCER is not set");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("pgbouncer.ini");
        // Sessions are held, transactions share.
        let size = if mode == "session" { 20 } else { 2 };
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = {size}\n",
            server.port()
        );
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(program);
        // It refuses to run as root.
        if rustix_is_root() {
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(folder.path(), readable).unwrap();
            command.args(["-u", "nobody"]);
        }
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let pooler = Self { child, port, _folder: folder };
        eventually("the pooler to listen", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Some(pooler)
    }

    fn dsn(&self, fixture: &Fixture<'_>) -> String {
        let port = fixture.database().server().port();
        let (own, pooled) = (format!("port={port}"), format!("port={}", self.port));
        fixture.database().dsn_tcp().replace(&own, &pooled)
    }
}

fn rustix_is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn through(mode: &str) {
    for server in servers() {
        let Some(pooler) = Pooler::start(server, mode) else { return };
        let fixture = Fixture::new(
            server,
            "CREATE TYPE feeling AS ENUM ('sad', 'happy'); \
             CREATE TABLE t (id int PRIMARY KEY, f feeling, m money, at timestamptz)",
        );
        let twin = fixture.database().slot_name("twin");
        fixture.create_slot(&twin);
        let made = fixture.database().slot_name("made");
        let builder = |slot: &str| {
            let config: pgoutput_reader::Config = pooler.dsn(&fixture).parse().unwrap();
            ReaderBuilder::from(config).slot(slot).publication(PUBLICATION).poll(INTERVAL)
        };
        let mut idle = builder(&made).slot_creation(SlotCreation::IfMissing).connect().unwrap();
        let mut client = fixture.client();
        for id in 1..=50 {
            client
                .batch_execute(&format!("INSERT INTO t VALUES ({id}, 'happy', 1.5, now())"))
                .unwrap();
        }
        let expected: Vec<_> =
            fixture.read_with(|builder| builder.slot(&twin)).iter().map(line).collect();
        let mut reader = builder(fixture.slot_name()).until_lsn(fixture.end()).connect().unwrap();
        let found: Vec<_> = reader.in_time().map(|event| line(&event.unwrap())).collect();
        assert_eq!(found, expected, "PostgreSQL {}", server.major());
        assert!(reader.slot_status().unwrap().confirmed_flush_lsn.is_some());
        reader.stop().unwrap();
        let created: Vec<_> =
            (0..50).map(|_| line(&idle.next_in_time().unwrap().unwrap())).collect();
        assert_eq!(created, expected);
        idle.stop().unwrap();
        // No setting and no prepared statement is left in the sessions that others share.
        let mut other: postgres::Client =
            postgres::Client::connect(&pooler.dsn(&fixture), postgres::NoTls).unwrap();
        for _ in 0..4 {
            let rows = other
                .simple_query(
                    "SELECT current_setting('search_path'), current_setting('lc_monetary'), \
                     (SELECT count(*) FROM pg_prepared_statements)",
                )
                .unwrap();
            let row = rows.iter().find_map(|message| match message {
                postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            let row = row.unwrap();
            assert_eq!(row.get(0), Some("\"$user\", public"));
            assert_eq!(row.get(2), Some("0"));
        }
    }
}

#[test]
fn a_pooler_of_sessions_gives_the_same_events() {
    through("session");
}

#[test]
fn a_pooler_of_transactions_gives_the_same_events() {
    through("transaction");
}
