//! The replication connection on real servers.

use std::time::{Duration, Instant};

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{
    AuthError, Config, Connection, CreateSlot, Error, ErrorKind, SlotSnapshot, StartReplication,
    StreamOptions, Streaming,
};

/// A limit that a correct test never reaches.
const TIMEOUT: Duration = Duration::from_secs(60);

fn connect(dsn: &str) -> Connection {
    let config: Config = dsn.parse().unwrap();
    let mut connection = Connection::connect(&config).unwrap();
    connection.set_command_timeout(Some(TIMEOUT));
    connection
}

fn soon() -> Instant {
    Instant::now() + TIMEOUT
}

/// Returns the single value of a query.
fn value(connection: &mut Connection, sql: &str) -> String {
    let answers = connection.simple_query(sql).unwrap();
    answers[0].rows[0].values().next().unwrap().unwrap().to_owned()
}

/// Returns the error of a start that fails in the output plugin or because of its database.
fn refusal(connection: Connection, start: &StartReplication) -> Error {
    let version = connection.server_version();
    match connection.start_replication(start) {
        Err(error) => error,
        Ok(copy) => {
            // Old servers start the copy before they check the slot.
            assert!(version.major() < 11, "{version}");
            copy.finish(soon()).unwrap_err()
        }
    }
}

#[track_caller]
fn assert_error(error: &Error, sqlstate: &str, advice: &str) {
    assert_eq!(error.sqlstate(), Some(sqlstate), "{error}");
    assert!(error.to_string().contains(advice), "{error}");
}

#[test]
fn a_connection_pins_the_settings_that_text_values_depend_on() {
    for server in servers() {
        let database = server.database_with("pinned", "");
        let mut client = database.client();
        let alter = format!("ALTER DATABASE \"{}\" SET", database.name());
        for setting in [
            "client_encoding = 'LATIN1'",
            "DateStyle = 'German'",
            "IntervalStyle = 'iso_8601'",
            "TimeZone = 'Asia/Tokyo'",
            "extra_float_digits = -5",
            "bytea_output = 'escape'",
            // The only name besides C that every system knows.
            "lc_monetary = 'POSIX'",
        ] {
            client.batch_execute(&format!("{alter} {setting}")).unwrap();
        }
        for dsn in [database.dsn(), database.dsn_tcp()] {
            let mut connection = connect(&dsn);
            assert_eq!(connection.server_version().major(), server.major());
            assert_eq!(
                value(&mut connection, "SHOW server_version_num"),
                connection.server_version().number().to_string()
            );
            for (name, expected) in [
                ("client_encoding", "UTF8"),
                ("DateStyle", "ISO, MDY"),
                ("IntervalStyle", "postgres"),
                ("TimeZone", "UTC"),
                ("extra_float_digits", "3"),
                ("bytea_output", "hex"),
                ("lc_monetary", "C"),
            ] {
                assert_eq!(value(&mut connection, &format!("SHOW {name}")), expected, "{name}");
            }
            assert_eq!(connection.parameter("TimeZone"), Some("UTC"));
            let system = connection.identify_system().unwrap();
            assert_eq!(system.timeline, 1);
            assert_eq!(system.dbname.as_deref(), Some(database.name()));
            let identifier = "SELECT system_identifier FROM pg_control_system()";
            assert_eq!(system.system_identifier.to_string(), value(&mut connection, identifier));
            connection.close().unwrap();
        }
    }
}

#[test]
fn every_password_method_accepts_and_rejects() {
    let majors: Vec<u32> = servers().iter().map(|server| server.major()).collect();
    for major in majors {
        let server = Server::builder()
            .hba_line("local all by_scram scram-sha-256")
            .hba_line("local all by_md5 md5")
            .hba_line("local all by_password password")
            .hba_line("local all nobody reject")
            .start(major)
            .unwrap();
        let mut client = server.client();
        for (role, encryption) in
            [("by_scram", "scram-sha-256"), ("by_md5", "md5"), ("by_password", "scram-sha-256")]
        {
            client
                .batch_execute(&format!(
                    "SET password_encryption = '{encryption}'; \
                     CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'p\u{e4}ss ''word'"
                ))
                .unwrap();
            let config: Config = server.dsn("postgres").parse().unwrap();
            let config = config.user(role);
            let missing = Connection::connect(&config).unwrap_err();
            assert!(
                matches!(missing.kind(), ErrorKind::Auth(AuthError::PasswordMissing { .. })),
                "{missing}"
            );
            let wrong = Connection::connect(&config.clone().password("wrong")).unwrap_err();
            assert_error(&wrong, "28P01", "check the user and the password");
            assert!(!format!("{wrong} {wrong:?}").contains("wrong\""));
            let config = config.password("p\u{e4}ss 'word");
            let mut connection = Connection::connect(&config).unwrap();
            assert_eq!(value(&mut connection, "SELECT current_user"), role);
        }
        let config: Config = server.dsn("postgres").parse().unwrap();
        let rejected = Connection::connect(&config.user("nobody")).unwrap_err();
        assert_error(&rejected, "28000", "pg_hba.conf");
    }
}

#[test]
fn errors_of_the_server_come_with_advice() {
    for server in servers() {
        let database = server.database("refusals");
        let config: Config = database.dsn().parse().unwrap();
        let missing = Connection::connect(&config.clone().dbname("no such database")).unwrap_err();
        assert_error(&missing, "3D000", "create the database");

        let role = format!("{}_reader", database.name());
        let mut client = database.client();
        client.batch_execute(&format!("CREATE ROLE \"{role}\" LOGIN")).unwrap();
        let refused = Connection::connect(&config.user(&role)).unwrap_err();
        assert!(refused.to_string().contains("ALTER ROLE"), "{refused}");
        client.batch_execute(&format!("DROP ROLE \"{role}\"")).unwrap();
    }
}

#[test]
fn names_reach_the_server_unchanged() {
    for server in servers() {
        let mut connection = connect(&server.dsn("postgres"));
        for name in ["Capital", "it's", "a,b", "back\\slash", "two words", "\u{e9}; drop"] {
            let missing = connection.drop_slot(name, false).unwrap_err();
            let message = missing.server().unwrap().message().to_owned();
            assert_eq!(message, format!("replication slot \"{name}\" does not exist"));
        }
        // A name outside the grammar is not sent.
        for name in ["zero\0byte", "double\"quote"] {
            let refused = connection.drop_slot(name, false).unwrap_err();
            assert!(matches!(refused.kind(), ErrorKind::Usage(_)));
        }
        // The connection is still usable.
        assert_eq!(value(&mut connection, "SELECT 1"), "1");
    }
}

#[test]
fn a_slot_exists_from_its_creation_to_its_drop() {
    for server in servers() {
        let database = server.database("slots");
        let mut client = database.client();
        client.batch_execute("CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t").unwrap();
        let slot = database.slot_name("s");
        let mut connection = connect(&database.dsn());
        let create = CreateSlot::new(&slot).snapshot(SlotSnapshot::Export);
        let created = connection.create_slot(&create).unwrap();
        assert_eq!(created.name, slot);
        assert!(!created.consistent_point.is_zero());
        assert!(created.snapshot_name.is_some());
        assert_error(&connection.create_slot(&create).unwrap_err(), "42710", "choose another name");

        let streaming = if server.major() < 14 { Streaming::Off } else { Streaming::On };
        let start =
            StartReplication::new(&slot, ["p"]).options(StreamOptions::new().streaming(streaming));
        let copy = connection.start_replication(&start).unwrap();
        let held = connect(&database.dsn()).start_replication(&start).unwrap_err();
        assert_error(&held, "55006", "another connection uses the slot");
        let held = connect(&database.dsn()).drop_slot(&slot, false).unwrap_err();
        assert_error(&held, "55006", "another connection uses the slot");

        // After the end of the copy, the slot is free and the connection accepts commands.
        let mut connection = copy.finish(soon()).unwrap();
        let active = format!("SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'");
        assert_eq!(value(&mut connection, &active), "f");
        let elsewhere = refusal(connect(&server.dsn("postgres")), &start);
        assert!(elsewhere.to_string().contains("connect to the database the slot belongs to"));
        connection.drop_slot(&slot, true).unwrap();
        let gone = connection.start_replication(&start).unwrap_err();
        assert_error(&gone, "42704", "create the slot first");
    }
}

#[test]
fn a_slot_of_another_plugin_is_recognised() {
    for server in servers() {
        let database = server.database("plugin");
        let slot = database.slot_name("other");
        let mut connection = connect(&database.dsn());
        let create = format!("CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL test_decoding");
        connection
            .simple_query(&create)
            .expect("test_decoding, one of PostgreSQL's contrib modules");
        let error = refusal(connection, &StartReplication::new(&slot, ["p"]));
        assert_error(&error, "22023", "created for another output plugin");
    }
}

#[test]
fn unsupported_options_never_reach_the_server() {
    for server in servers() {
        let database = server.database("options");
        let slot = database.slot_name("s");
        let mut connection = connect(&database.dsn());
        let create = CreateSlot::new(&slot).temporary(true).two_phase(server.major() >= 15);
        connection.create_slot(&create).unwrap();
        let options = StreamOptions::new()
            .messages(server.major() >= 14)
            .binary(server.major() >= 14)
            .two_phase(server.major() >= 15)
            .streaming(Streaming::Parallel);
        let start = StartReplication::new(&slot, ["p"]).options(options);
        let started = connection.start_replication(&start);
        match started.map_err(Error::into_kind) {
            Ok(copy) => {
                assert!(server.major() >= 16);
                copy.finish(soon()).unwrap().close().unwrap();
            }
            Err(ErrorKind::Unsupported { needed: 16, server: version, .. }) => {
                assert_eq!(version.major(), server.major());
                assert!(server.major() < 16);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_low_wal_level_and_exhausted_slots_come_with_advice() {
    let major = servers()[0].major();
    let server = Server::builder()
        .setting("wal_level", "replica")
        .setting("max_wal_senders", "1")
        .start(major)
        .unwrap();
    let mut connection = connect(&server.dsn("postgres"));
    let refused = connection.create_slot(&CreateSlot::new("s")).unwrap_err();
    assert_error(&refused, "55000", "set wal_level = logical");
    let full = Connection::connect(&server.dsn("postgres").parse().unwrap()).unwrap_err();
    assert_error(&full, "53300", "max_wal_senders");

    let server = Server::builder().setting("max_replication_slots", "1").start(major).unwrap();
    let mut connection = connect(&server.dsn("postgres"));
    connection.create_slot(&CreateSlot::new("one")).unwrap();
    let full = connection.create_slot(&CreateSlot::new("two")).unwrap_err();
    assert_error(&full, "53400", "max_replication_slots");
}

#[test]
fn a_waker_ends_a_command_that_waits() {
    let server = servers()[0];
    let mut connection = connect(&server.dsn("postgres"));
    let waker = connection.waker();
    let woken = std::thread::scope(|scope| {
        scope.spawn(move || waker.wake());
        connection.simple_query("SELECT pg_sleep(3600)").unwrap_err()
    });
    assert!(matches!(woken.kind(), ErrorKind::Stopped { .. }), "{woken}");
}
