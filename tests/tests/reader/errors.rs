//! Rejected settings, each a typed error with advice and without the password.

use pgoutput_harness::{Server, servers, servers_from, skip};
use pgoutput_reader::{
    AuthError, Config, Connection, Error, ErrorKind, Reader, ReaderBuilder, SetupError,
    SlotCreation, StreamOptions,
};
use pgoutput_tests::{Fixture, InTime as _, PUBLICATION};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";
const PASSWORD: &str = "hunter2 and more";
const WRONG_PASSWORD: &str = "swordfish";

/// Checks that the error is one line with advice and without the password, which the reader's
/// settings do not show either.
fn check(error: &Error, advice: &str) {
    let text = error.to_string();
    assert!(text.contains(advice), "{text}");
    for shown in [text, format!("{error:?}")] {
        assert_eq!(shown.lines().count(), 1, "{shown}");
        assert!(!shown.contains(PASSWORD) && !shown.contains(WRONG_PASSWORD), "{shown}");
    }
}

fn refusal(builder: ReaderBuilder, advice: &str) -> Error {
    let settings = format!("{builder:?}");
    assert!(!settings.contains(PASSWORD) && !settings.contains(WRONG_PASSWORD), "{settings}");
    let error = builder.connect().unwrap_err();
    check(&error, advice);
    error
}

fn reader(config: &Config) -> ReaderBuilder {
    ReaderBuilder::from(config.clone()).slot("s").publication(PUBLICATION)
}

/// Starts a server with password authentication for two roles, and a wal_level too low for logical
/// decoding.
fn with_passwords(major: u32) -> Server {
    let server = Server::builder()
        .hba_line("host all alice 127.0.0.1/32 scram-sha-256")
        .hba_line("host all bob 127.0.0.1/32 md5")
        .hba_line("host all carol 127.0.0.1/32 password")
        .hba_line("host all mallory 127.0.0.1/32 reject")
        .setting("wal_level", "replica")
        .start(major)
        .unwrap();
    let mut client = server.client();
    for (role, encryption) in
        [("alice", "scram-sha-256"), ("bob", "md5"), ("carol", "scram-sha-256")]
    {
        client
            .batch_execute(&format!(
                "SET password_encryption = '{encryption}';
                 CREATE ROLE {role} LOGIN REPLICATION PASSWORD '{PASSWORD}'"
            ))
            .unwrap();
    }
    client.batch_execute(&format!("CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES")).unwrap();
    client.batch_execute("CREATE ROLE mallory LOGIN REPLICATION").unwrap();
    server
}

#[test]
fn rejected_users_and_a_low_wal_level_are_errors_with_advice() {
    for major in servers().iter().map(|server| server.major()) {
        let server = with_passwords(major);
        let base: Config = server.dsn_tcp("postgres").parse().unwrap();
        for role in ["alice", "bob", "carol"] {
            let config = |password: Option<&str>| {
                let config = base.clone().user(role);
                match password {
                    Some(password) => config.password(password),
                    None => config,
                }
            };
            let error =
                refusal(reader(&config(Some(WRONG_PASSWORD))), "check the user and the password");
            assert_eq!(error.sqlstate(), Some("28P01"), "{role}: {error}");
            let error = refusal(reader(&config(None)), "PGPASSWORD");
            assert!(
                matches!(error.kind(), ErrorKind::Auth(AuthError::PasswordMissing { .. })),
                "{error:?}"
            );
            // The right password is accepted. The next error is about the server itself.
            let builder = reader(&config(Some(PASSWORD))).slot_creation(SlotCreation::IfMissing);
            let error = refusal(builder, "set wal_level = logical");
            assert_eq!(error.sqlstate(), Some("55000"), "{role}: {error}");
        }
        let config = base.clone().user("mallory");
        let error = refusal(reader(&config), "pg_hba.conf");
        assert_eq!(error.sqlstate(), Some("28000"), "{error}");
    }
}

#[test]
fn unknown_databases_and_insufficient_roles_are_errors_with_advice() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let base: Config = fixture.database().dsn_tcp().parse().unwrap();
        let config = base.clone().dbname("no such database");
        let error = refusal(reader(&config), "create the database");
        assert_eq!(error.sqlstate(), Some("3D000"));

        let config = base.clone().user("nobody at all");
        let error = refusal(reader(&config), "check that the role exists");
        assert_eq!(error.sqlstate(), Some("28000"));

        let role = fixture.database().slot_name("plain");
        fixture.run([&format!("CREATE ROLE {role} LOGIN") as &str]);
        let config = base.clone().user(&*role);
        let error = refusal(reader(&config), "ALTER ROLE");
        assert!(matches!(error.sqlstate(), Some("42501" | "28000")), "{error}");
        fixture.run([&format!("DROP ROLE {role}") as &str]);
    }
}

#[test]
fn an_active_slot_names_its_holder() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let first = fixture.reader();
        let pid = fixture.number(&format!(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{}'",
            fixture.slot_name()
        ));
        let error = refusal(fixture.builder(), &pid.to_string());
        assert_eq!(error.sqlstate(), Some("55006"));
        assert!(error.to_string().contains("another connection uses the slot"), "{error}");
        first.stop().unwrap();
        fixture.reader().stop().unwrap();
    }
}

#[test]
fn a_slot_of_another_plugin_database_or_kind_is_rejected() {
    for server in servers() {
        let fixture = Fixture::new(server, TABLE);
        let other = Fixture::new(server, TABLE);
        let error = refusal(fixture.builder().slot(other.slot_name()), other.database().name());
        assert!(
            matches!(error.kind(), ErrorKind::Setup(SetupError::SlotDatabase { .. })),
            "{error:?}"
        );

        let physical = fixture.database().slot_name("physical");
        fixture.run([&format!("SELECT pg_create_physical_replication_slot('{physical}')") as &str]);
        let error = refusal(fixture.builder().slot(&physical), "is physical");
        assert!(
            matches!(error.kind(), ErrorKind::Setup(SetupError::SlotPhysical { .. })),
            "{error:?}"
        );
        fixture.run([&format!("SELECT pg_drop_replication_slot('{physical}')") as &str]);

        let decoding = fixture.database().slot_name("decoding");
        let create =
            format!("SELECT pg_create_logical_replication_slot('{decoding}', 'test_decoding')");
        if let Err(error) = fixture.client().batch_execute(&create) {
            let message = error.as_db_error().unwrap().message().to_owned();
            assert!(message.contains("test_decoding"), "{message}");
            let server = server.install();
            skip(format_args!("in part: {server} is without test_decoding"));
            continue;
        }
        let error = refusal(fixture.builder().slot(&decoding), "test_decoding");
        assert!(
            matches!(error.kind(), ErrorKind::Setup(SetupError::SlotPlugin { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn a_port_without_a_listener_is_an_error_with_advice() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dsn = format!("host=127.0.0.1 port={port} user=postgres dbname=x password='{PASSWORD}'");
    let builder = Reader::builder(&dsn).slot("s").publication("p");
    let error = refusal(builder, &format!("127.0.0.1:{port}"));
    let ErrorKind::Io { source, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionRefused);

    let builder =
        Reader::builder("host=/nonexistent user=postgres dbname=x").slot("s").publication("p");
    refusal(builder, "/nonexistent");
}

#[test]
fn unsupported_settings_are_rejected_before_connecting() {
    for (dsn, expected) in [
        ("postgresql://u:swordfish@h/db?gssencmode=require", "gssencmode"),
        ("host=h user=u password=swordfish no_such_thing=1", "unknown parameter"),
        ("postgresql://u:swordfish@h:notaport/db", "port"),
    ] {
        let error = refusal(Reader::builder(dsn).slot("s").publication("p"), expected);
        assert!(matches!(error.kind(), ErrorKind::Config(_)), "{error:?}");
    }
}

#[test]
fn exhausted_walsenders_are_an_error_with_advice() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::builder().setting("max_wal_senders", "1").start(major).unwrap();
        let database = server.database("full");
        let config: Config = database.dsn().parse().unwrap();
        let taken = Connection::connect(&config).unwrap();
        let error = refusal(reader(&config), "raise max_wal_senders");
        assert_eq!(error.sqlstate(), Some("53300"));
        taken.close().unwrap();
    }
}

/// A type without a binary form is sent as text, but not inside another value.
#[test]
fn values_that_the_server_cannot_send_in_binary_are_an_error() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, "CREATE TABLE t (a aclitem, list aclitem[])");
        fixture.run([
            "INSERT INTO t VALUES ('=r/postgres', NULL)",
            "INSERT INTO t VALUES (NULL, '{=r/postgres}')",
        ]);
        let mut reader =
            fixture.builder().options(StreamOptions::new().binary(true)).connect().unwrap();
        let first = reader.next_in_time().unwrap().unwrap();
        assert_eq!(pgoutput_tests::after(&first), r#"{"a":"=r/postgres","list":null}"#);
        let error = reader.next_in_time().unwrap().unwrap_err();
        assert_eq!(error.sqlstate(), Some("42883"));
        check(&error, "read without the option binary");
        assert!(reader.next_in_time().is_none());
        drop(reader);
        fixture.wait_until_free();
        let again = fixture.read();
        let last = again.last().unwrap();
        assert_eq!(pgoutput_tests::after(last), r#"{"a":null,"list":["=r/postgres"]}"#);
    }
}

fn several(builder: ReaderBuilder) -> Vec<SetupError> {
    let error = builder.connect().unwrap_err();
    let ErrorKind::Setup(SetupError::Several(problems)) = error.kind() else { panic!("{error}") };
    problems.clone()
}

#[test]
fn all_problems_are_reported_in_one_error() {
    for major in servers().iter().map(|server| server.major()) {
        let server = Server::builder().setting("max_replication_slots", "1").start(major).unwrap();
        let (database, other) = (server.database("here"), server.database("there"));
        let create = "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')";
        other.client().batch_execute(create).unwrap();
        let config: Config = database.dsn().parse().unwrap();
        let full = SetupError::SlotsInUse { limit: 1 };
        let problems = several(reader(&config).slot_creation(SlotCreation::IfMissing));
        assert!(
            matches!(&problems[..], [slot, SetupError::PublicationMissing { .. }] if *slot == full),
            "{problems:?}"
        );
        for create in [SlotCreation::Never, SlotCreation::IfMissing] {
            let problems = several(reader(&config).slot("taken").slot_creation(create));
            assert!(
                matches!(
                    &problems[..],
                    [SetupError::SlotDatabase { .. }, SetupError::PublicationMissing { .. }]
                ),
                "{create:?} {problems:?}"
            );
        }

        // A single problem is reported with the server's message.
        let create = format!("CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES");
        database.client().batch_execute(&create).unwrap();
        let error = refusal(
            reader(&config).slot_creation(SlotCreation::IfMissing),
            "raise max_replication_slots",
        );
        assert_eq!(error.sqlstate(), Some("53400"));
        let error = reader(&config).slot("taken").connect().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Setup(SetupError::SlotDatabase { .. })),
            "{error}"
        );

        let server = Server::builder()
            .setting("max_replication_slots", "1")
            .setting("wal_level", "replica")
            .start(major)
            .unwrap();
        let create = format!(
            "CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES; \
             SELECT pg_create_physical_replication_slot('taken')"
        );
        server.client().batch_execute(&create).unwrap();
        let config: Config = server.dsn("postgres").parse().unwrap();
        let level = SetupError::WalLevel { level: "replica".into() };
        assert_eq!(several(reader(&config).slot_creation(SlotCreation::IfMissing)), [level, full]);
    }
}
