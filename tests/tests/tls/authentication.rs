//! Channel binding, `require_auth`, and the ordinary connection beside the replication one.

use pgoutput_harness::Server;
use pgoutput_reader::{AuthError, Error, ErrorKind, Reader};

use super::authority::{Authority, Folder, NAME};
use super::{connect, is_tls, majors, settings, with_tls};

#[track_caller]
fn auth_error<T>(result: Result<T, Error>) -> AuthError {
    match result.map_err(Error::into_kind) {
        Err(ErrorKind::Auth(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("let in"),
    }
}

/// A server with a role for each method, over TLS and without; all passwords are `secret`.
fn with_roles(ours: &Authority, major: u32) -> Server {
    let server = with_tls(&ours.certify(NAME))
        .hba_line("host all by_scram 127.0.0.1/32 scram-sha-256")
        .hba_line("host all by_md5 127.0.0.1/32 md5")
        .hba_line("host all by_password 127.0.0.1/32 password")
        .start(major)
        .unwrap();
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
    server
}

#[test]
fn channel_binding_is_used_and_can_be_required() {
    let ours = Authority::new("ours");
    // PostgreSQL 10 has SCRAM without channel binding.
    for major in majors().into_iter().filter(|major| *major >= 11) {
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
            let AuthError::NoChannelBinding { reason: said } = error else { panic!("{error}") };
            assert!(said.contains(reason), "{more}: {said}");
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
                assert!(
                    matches!(error, AuthError::MethodNotAllowed { method: said, .. } if said == method)
                );
                with(&format!("!{other}")).unwrap();
            }
            auth_error(with(&format!("!{method}")));
        }
    }
}

/// Reads one change, which looks its table up over the ordinary connection.
fn read_one_change(server: &Server, more: &str) -> Result<String, Error> {
    let config = settings(server, more);
    let mut client = server.client();
    client
        .batch_execute(
            "DROP TABLE IF EXISTS t CASCADE; CREATE TABLE t (id int PRIMARY KEY, price numeric(7,2)); \
             DROP PUBLICATION IF EXISTS p; CREATE PUBLICATION p FOR TABLE t",
        )
        .unwrap();
    let mut reader = pgoutput_reader::ReaderBuilder::from(config)
        .slot("s")
        .publication("p")
        .temporary_slot()
        .connect()?;
    client.batch_execute("INSERT INTO t VALUES (1, 2.5)").unwrap();
    let event = next(&mut reader)?;
    reader.stop()?;
    Ok(event)
}

fn next(reader: &mut Reader) -> Result<String, Error> {
    let event = reader.next().unwrap()?;
    let table = event.table().unwrap();
    Ok(table
        .columns()
        .iter()
        .map(|column| column.type_name().to_owned())
        .collect::<Vec<_>>()
        .join(" "))
}

#[test]
fn the_ordinary_connection_is_as_well_protected() {
    let ours = Authority::new("ours");
    let folder = Folder::new("ordinary");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    let client = ours.certify("by_cert");
    let cert = folder.file("client.crt", &client.certificate, 0o644);
    let key = folder.file("client.key", &client.key, 0o600);
    for major in majors() {
        // No role here gets in without TLS, so both connections have it.
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
            let read = read_one_change(&server, &more);
            assert_eq!(
                read.unwrap_or_else(|error| panic!("{more}: {error}")),
                "integer numeric(7,2)"
            );
        }
    }
}
