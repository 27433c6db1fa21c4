//! Channel binding, `require_auth`, and the protection of the SQL connection.

use pgoutput_tests::InTime as _;
use std::net::{IpAddr, UdpSocket};

use pgoutput_harness::{Server, ServerBuilder, eventually};
use pgoutput_reader::{AuthError, Config, Connection, Error, ErrorKind, Reader};

use super::authority::{Authority, Folder, NAME};
use super::{connect, is_tls, majors, majors_from, settings, with_tls};

#[track_caller]
fn auth_error<T>(result: Result<T, Error>) -> AuthError {
    match result.map_err(Error::into_kind) {
        Err(ErrorKind::Auth(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

/// Starts a server with a role for each method, over TLS and without.
fn with_roles(ours: &Authority, major: u32) -> Server {
    let server = with_tls(&ours.certify(NAME))
        .hba_line("host all by_scram 127.0.0.1/32 scram-sha-256")
        .hba_line("host all by_md5 127.0.0.1/32 md5")
        .hba_line("host all by_password 127.0.0.1/32 password")
        .start(major)
        .unwrap();
    create_roles(&server);
    server
}

/// All passwords are `secret`.
fn create_roles(server: &Server) {
    let mut client = server.client();
    for (role, encryption) in
        [("by_scram", "scram-sha-256"), ("by_md5", "md5"), ("by_password", "scram-sha-256")]
    {
        client
            .batch_execute(&format!(
                "SET password_encryption = '{encryption}'; \
                 CREATE ROLE {role} LOGIN SUPERUSER REPLICATION PASSWORD 'secret'"
            ))
            .unwrap();
    }
}

#[test]
fn channel_binding_is_used_and_can_be_required() {
    let ours = Authority::new("ours");
    // PostgreSQL 10 has SCRAM without channel binding.
    for major in majors_from(11) {
        let server = with_roles(&ours, major);
        let with = |more: &str| connect(&server, &format!("password=secret {more}"));
        for binding in ["disable", "prefer", "require"] {
            let connection =
                with(&format!("user=by_scram sslmode=require channel_binding={binding}"));
            assert!(is_tls(&mut connection.unwrap()), "{binding}");
        }
        for (more, reason) in [
            ("user=by_md5 sslmode=require", "none"),
            ("user=by_password sslmode=require", "none"),
            ("user=postgres sslmode=require", "none"),
            ("user=by_scram sslmode=allow", "no TLS"),
        ] {
            let error = auth_error(with(&format!("{more} channel_binding=require")));
            let AuthError::NoChannelBinding { reason: found } = error else { panic!("{error}") };
            assert!(found.contains(reason), "{more}: {found}");
        }
        let wrong = connect(&server, "user=by_scram password=wrong channel_binding=require");
        assert_eq!(wrong.unwrap_err().sqlstate(), Some("28P01"));
    }
}

#[test]
fn only_allowed_methods_are_answered() {
    let ours = Authority::new("ours");
    let methods = [
        ("by_scram", "scram-sha-256"),
        ("by_md5", "md5"),
        ("by_password", "password"),
        ("postgres", "none"),
    ];
    let server = with_roles(&ours, majors()[0]);
    for sslmode in ["disable", "require"] {
        for (user, method) in methods {
            let with = |require_auth: &str| {
                let more = format!(
                    "user={user} password=secret sslmode={sslmode} require_auth={require_auth}"
                );
                connect(&server, &more)
            };
            with(method).unwrap();
            for (_, other) in methods.iter().filter(|(_, other)| *other != method) {
                let error = auth_error(with(other));
                let AuthError::MethodNotAllowed { method: found, .. } = &error else {
                    panic!("{error}")
                };
                assert_eq!(*found, method);
                with(&format!("!{other}")).unwrap();
            }
            auth_error(with(&format!("!{method}")));
        }
    }
}

/// Reads one change, whose table is looked up over the SQL connection.
fn read_one_change(server: &Server, more: &str) -> Result<String, Error> {
    let config = settings(server, more);
    let mut client = server.client();
    client
        .batch_execute(
            "DROP TABLE IF EXISTS t CASCADE; \
             CREATE TABLE t (id int PRIMARY KEY, price numeric(7,2)); \
             DROP PUBLICATION IF EXISTS p; CREATE PUBLICATION p FOR TABLE t",
        )
        .unwrap();
    let mut reader = pgoutput_reader::ReaderBuilder::from(config)
        .slot("s")
        .publication("p")
        .slot_creation(pgoutput_reader::SlotCreation::Temporary)
        .connect()?;
    client.batch_execute("INSERT INTO t VALUES (1, 2.5)").unwrap();
    let event = next(&mut reader)?;
    reader.stop()?;
    eventually("the temporary slot to be dropped", || {
        let count = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots";
        (client.query_one(count, &[]).unwrap().get::<_, i64>(0) == 0).then_some(())
    });
    Ok(event)
}

fn next(reader: &mut Reader) -> Result<String, Error> {
    let event = reader.next_in_time().unwrap()?;
    let table = event.table().unwrap();
    Ok(table
        .columns()
        .iter()
        .map(|column| column.type_name().to_owned())
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn the_sql_connection_has_the_same_protection() {
    let ours = Authority::new("ours");
    let folder = Folder::new("ordinary");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    let client = ours.certify("by_cert");
    let cert = folder.file("client.crt", &client.certificate, 0o644);
    let key = folder.file("client.key", &client.key, 0o600);
    for major in majors() {
        // No role here is accepted without TLS, so both connections use it.
        let server = with_tls(&ours.certify(NAME))
            .data_file("root.crt", ours.certificate.as_str())
            .setting("ssl_ca_file", "root.crt")
            .hba_line("hostssl all by_cert 127.0.0.1/32 cert")
            .hba_line("hostssl all by_scram 127.0.0.1/32 scram-sha-256")
            .hba_line("hostnossl all all 127.0.0.1/32 reject")
            .start(major)
            .unwrap();
        server
            .client()
            .batch_execute(
                "SET password_encryption = 'scram-sha-256'; \
                 CREATE ROLE by_cert LOGIN SUPERUSER REPLICATION; \
                 CREATE ROLE by_scram LOGIN SUPERUSER REPLICATION PASSWORD 'secret'",
            )
            .unwrap();
        let verified = format!("sslmode=verify-full sslrootcert={root}");
        let mut cases = vec![
            "sslmode=prefer".to_owned(),
            "sslmode=allow".to_owned(),
            verified.clone(),
            format!("{verified} user=by_cert sslcert={cert} sslkey={key} require_auth=none"),
            format!("{verified} user=by_scram password=secret require_auth=scram-sha-256"),
        ];
        if major >= 11 {
            cases.push(
                "sslmode=require user=by_scram password=secret channel_binding=require".into(),
            );
        }
        if major >= 17 {
            cases.push(format!("{verified} sslnegotiation=direct"));
        }
        for more in cases {
            let mut client = settings(&server, &more).connect_postgres().unwrap();
            let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
            assert!(client.query_one(query, &[]).unwrap().get::<_, bool>(0), "{more}");
            let read = read_one_change(&server, &more);
            assert_eq!(
                read.unwrap_or_else(|error| panic!("{more}: {error}")),
                "integer numeric(7,2)"
            );
        }
    }
}

fn is_unprotected(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Auth(AuthError::PasswordUnprotected { .. }))
}

/// Returns an address of this machine that is not a loopback address. A route lookup to another
/// machine sends nothing.
fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

#[test]
fn by_default_no_password_is_sent_in_readable_form() {
    let Some(address) = outer_address() else {
        return pgoutput_harness::skip("this machine has no address but loopback ones");
    };
    let ours = Authority::new("ours");
    let folder = Folder::new("exposed");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    for major in majors_from(11) {
        let open = |builder: ServerBuilder| {
            let server = builder
                .setting("listen_addresses", "*")
                .hba_line("host all by_scram all scram-sha-256")
                .hba_line("host all by_md5 all md5")
                .hba_line("host all by_password all password")
                .hba_line("host all postgres all trust")
                .start(major)
                .unwrap();
            create_roles(&server);
            server
        };
        let (plain, tls) = (open(Server::builder()), open(with_tls(&ours.certify(NAME))));
        let at = |server: &Server, more: &str| -> Config {
            let dsn = format!(
                "host={NAME} hostaddr={address} port={} dbname=postgres connect_timeout=60 \
                 password=secret {more}",
                server.port()
            );
            dsn.parse().unwrap()
        };
        let verified = format!("sslmode=verify-full sslrootcert={root}");
        let with_root = format!("sslrootcert={root}");
        for user in ["by_scram", "by_md5", "by_password"] {
            let config = |server, more: &str| at(server, &format!("user={user} {more}"));
            for (server, tls) in [(&plain, false), (&tls, true)] {
                // A verified server, or one that proves by channel binding that it knows the
                // password.
                let proves = tls && user == "by_scram";
                if proves {
                    Connection::connect(&config(server, "")).unwrap();
                    config(server, "").connect_postgres().unwrap();
                } else {
                    let refused = auth_error(Connection::connect(&config(server, "")));
                    let AuthError::PasswordUnprotected { tls: seen, .. } = refused else {
                        panic!("{refused}")
                    };
                    assert_eq!(seen, tls);
                    let refused = config(server, "").connect_postgres();
                    assert!(refused.as_ref().is_err_and(|error| tls || is_unprotected(error)));
                }
                Connection::connect(&config(server, "sslmode=prefer")).unwrap();
                config(server, "sslmode=prefer").connect_postgres().unwrap();
            }
            for more in [&verified, &with_root] {
                assert!(is_tls(&mut Connection::connect(&config(&tls, more)).unwrap()));
                config(&tls, more).connect_postgres().unwrap();
            }
        }
        // The server does not ask for it.
        Connection::connect(&at(&plain, "user=postgres")).unwrap();
        at(&plain, "user=postgres").connect_postgres().unwrap();
    }
}
