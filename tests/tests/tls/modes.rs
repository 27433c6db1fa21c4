//! Each `sslmode` with each kind of server.

use pgoutput_harness::Server;
use pgoutput_reader::{Config, ErrorKind, SslMode, TlsError};

use super::authority::{Authority, Folder, NAME};
use super::{connect, is_tls, majors, majors_from, tls_error, with_tls};

/// The outcome of a connection.
#[derive(Debug, PartialEq)]
enum Outcome {
    Tls,
    Plain,
    Refused(TlsError),
}

fn outcome(server: &Server, more: &str) -> Outcome {
    match connect(server, more) {
        Ok(mut connection) => {
            if is_tls(&mut connection) {
                Outcome::Tls
            } else {
                Outcome::Plain
            }
        }
        result => Outcome::Refused(tls_error(result)),
    }
}

#[test]
fn each_mode_connects_or_fails_as_documented() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let folder = Folder::new("modes");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    for major in majors() {
        let servers = [
            ("right", with_tls(&ours.certify(NAME))),
            ("wrong name", with_tls(&ours.certify("elsewhere.example.com"))),
            ("expired", with_tls(&ours.expired(NAME))),
            ("unknown authority", with_tls(&other.certify(NAME))),
            ("plain", Server::builder()),
        ];
        for (kind, builder) in servers {
            let server = builder.start(major).unwrap();
            let unverified = match kind {
                "plain" => Outcome::Plain,
                _ => Outcome::Tls,
            };
            let verified = |mode: &str| match kind {
                "expired" => Outcome::Refused(TlsError::Expired),
                "unknown authority" => Outcome::Refused(TlsError::UnknownAuthority),
                "plain" => Outcome::Refused(TlsError::NotOffered { mode: self::mode(mode) }),
                "wrong name" if mode == "verify-full" => Outcome::Refused(TlsError::WrongName {
                    expected: NAME.into(),
                    presented: "elsewhere.example.com".into(),
                }),
                _ => Outcome::Tls,
            };
            // Without an authority.
            assert_eq!(outcome(&server, "sslmode=disable"), Outcome::Plain, "{kind}");
            assert_eq!(outcome(&server, "sslmode=allow"), Outcome::Plain, "{kind}");
            assert_eq!(outcome(&server, "sslmode=prefer"), unverified, "{kind}");
            let required = outcome(&server, "sslmode=require");
            match kind {
                "plain" => {
                    assert!(matches!(required, Outcome::Refused(TlsError::NotOffered { .. })));
                }
                _ => assert_eq!(required, Outcome::Tls, "{kind}"),
            }
            for mode in ["verify-ca", "verify-full"] {
                let refused = outcome(&server, &format!("sslmode={mode}"));
                assert!(
                    matches!(
                        refused,
                        Outcome::Refused(TlsError::File { parameter: "sslrootcert", .. })
                    ),
                    "{kind} {mode}: {refused:?}"
                );
            }
            // With an authority, `require` becomes `verify-ca`, and `prefer` continues without TLS
            // if verification fails.
            let with_root =
                |mode: &str| outcome(&server, &format!("sslmode={mode} sslrootcert={root}"));
            assert_eq!(with_root("disable"), Outcome::Plain, "{kind}");
            assert_eq!(with_root("allow"), Outcome::Plain, "{kind}");
            let preferred = match verified("require") {
                Outcome::Refused(_) => Outcome::Plain,
                tls => tls,
            };
            assert_eq!(with_root("prefer"), preferred, "{kind}");
            for mode in ["require", "verify-ca", "verify-full"] {
                assert_eq!(with_root(mode), verified(mode), "{kind} {mode}");
            }
        }
    }
}

fn mode(word: &str) -> SslMode {
    format!("sslmode={word}").parse::<Config>().unwrap().get_ssl_mode()
}

#[test]
fn allow_and_prefer_try_the_other_mode_after_a_rejection() {
    let ours = Authority::new("ours");
    for major in majors() {
        let server = with_tls(&ours.certify(NAME))
            .hba_line("hostnossl all only_tls 127.0.0.1/32 reject")
            .hba_line("hostssl all only_plain 127.0.0.1/32 reject")
            .start(major)
            .unwrap();
        let roles =
            "CREATE ROLE only_tls LOGIN REPLICATION; CREATE ROLE only_plain LOGIN REPLICATION";
        server.client().batch_execute(roles).unwrap();
        for (user, mode, expected) in [
            ("only_tls", "allow", Some(Outcome::Tls)),
            ("only_tls", "prefer", Some(Outcome::Tls)),
            ("only_tls", "require", Some(Outcome::Tls)),
            ("only_tls", "disable", None),
            ("only_plain", "allow", Some(Outcome::Plain)),
            ("only_plain", "prefer", Some(Outcome::Plain)),
            ("only_plain", "disable", Some(Outcome::Plain)),
            ("only_plain", "require", None),
        ] {
            match (expected, connect(&server, &format!("user={user} sslmode={mode}"))) {
                (Some(Outcome::Tls), Ok(mut connection)) => assert!(is_tls(&mut connection)),
                (Some(Outcome::Plain), Ok(mut connection)) => assert!(!is_tls(&mut connection)),
                (None, Err(error)) => assert_eq!(error.sqlstate(), Some("28000")),
                (expected, got) => panic!("{user} {mode}: {expected:?}, and {got:?}"),
            }
        }
        // A refusal after authentication is final: one error, not one for each way.
        let database = connect(&server, "sslmode=prefer dbname=absent").unwrap_err();
        assert!(matches!(database.kind(), ErrorKind::Server(_)), "{database}");
    }
}

#[test]
fn unix_sockets_never_use_tls() {
    let ours = Authority::new("ours");
    let server = with_tls(&ours.certify(NAME)).start(majors()[0]).unwrap();
    let dsn = format!("{} sslmode=verify-full", server.dsn("postgres"));
    let mut connection = pgoutput_reader::Connection::connect(&dsn.parse().unwrap()).unwrap();
    assert!(!is_tls(&mut connection));
}

#[test]
fn direct_tls_needs_a_server_that_supports_it() {
    let ours = Authority::new("ours");
    let folder = Folder::new("direct");
    let root = folder.file("root.crt", &ours.certificate, 0o644);
    for major in majors() {
        let server = with_tls(&ours.certify(NAME)).start(major).unwrap();
        let more = format!("sslmode=verify-full sslrootcert={root} sslnegotiation=direct");
        let result = connect(&server, &more);
        if major >= 17 {
            assert!(is_tls(&mut result.unwrap()));
        } else {
            assert_eq!(tls_error(result), TlsError::Closed { direct: true });
        }
    }
}

#[test]
fn disjoint_tls_versions_are_named() {
    let ours = Authority::new("ours");
    for major in majors_from(12) {
        let server = with_tls(&ours.certify(NAME))
            .setting("ssl_max_protocol_version", "TLSv1.2")
            .start(major)
            .unwrap();
        assert!(is_tls(&mut connect(&server, "sslmode=require").unwrap()));
        let refused = connect(&server, "sslmode=require ssl_min_protocol_version=TLSv1.3");
        assert_eq!(tls_error(refused), TlsError::ProtocolVersion);
        let old = connect(&server, "sslmode=require ssl_max_protocol_version=TLSv1.2");
        assert!(is_tls(&mut old.unwrap()));
    }
}
