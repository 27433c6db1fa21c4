//! Refused input: the kind of the error, its parameter, its position and the advice.

use super::super::*;
use super::{KEYWORDS, Treatment, canonical, dsn_or_env, environment, error};
use ConfigErrorKind::{InvalidValue, Mismatch, Syntax, UnknownKeyword, Unsupported};

#[test]
fn errors_name_the_parameter_and_its_offset() {
    let cases = [
        ("host", Syntax, None, Some(0)),
        ("host=h nonsense", Syntax, None, Some(7)),
        ("host=h user='x", Syntax, None, Some(12)),
        ("mysql://u:secret@h?x=1", Syntax, None, Some(0)),
        ("host=h flavour=x", UnknownKeyword, Some("flavour"), Some(7)),
        ("=x", UnknownKeyword, None, Some(0)),
        // The rest of a password that contains a space.
        ("host=h password=two words=x", UnknownKeyword, None, Some(20)),
        ("port=0", InvalidValue, Some("port"), Some(0)),
        ("user=u port=65536", InvalidValue, Some("port"), Some(7)),
        ("hostaddr=localhost", InvalidValue, Some("hostaddr"), Some(0)),
        ("connect_timeout=5s", InvalidValue, Some("connect_timeout"), Some(0)),
        ("keepalives=on", InvalidValue, Some("keepalives"), Some(0)),
        ("keepalives_count=2147483648", InvalidValue, Some("keepalives_count"), Some(0)),
        ("sslmode=maybe", InvalidValue, Some("sslmode"), Some(0)),
        ("user=a\0b", InvalidValue, Some("user"), Some(0)),
        ("user=u sslnegotiation=perhaps", InvalidValue, Some("sslnegotiation"), Some(7)),
        ("channel_binding=maybe", InvalidValue, Some("channel_binding"), Some(0)),
        ("require_auth=guess", InvalidValue, Some("require_auth"), Some(0)),
        ("user=u target_session_attrs=master", InvalidValue, Some("target_session_attrs"), Some(7)),
        ("load_balance_hosts=yes", InvalidValue, Some("load_balance_hosts"), Some(0)),
        ("ssl_min_protocol_version=SSLv3", InvalidValue, Some("ssl_min_protocol_version"), Some(0)),
        ("user=u sslpassword=x", Unsupported, Some("sslpassword"), Some(7)),
        ("requirepeer=postgres", Unsupported, Some("requirepeer"), Some(0)),
        ("gssencmode=require", Unsupported, Some("gssencmode"), Some(0)),
        ("oauth_issuer=x", Unsupported, Some("oauth_issuer"), Some(0)),
        ("client_encoding=LATIN1", Unsupported, Some("client_encoding"), Some(0)),
        ("replication=true", Unsupported, Some("replication"), Some(0)),
        ("min_protocol_version=3.2", Unsupported, Some("min_protocol_version"), Some(0)),
        ("host=@abstract", Unsupported, Some("host"), Some(0)),
        ("host=a,b hostaddr=::1", Mismatch, Some("hostaddr"), Some(9)),
        ("host=a,b,c port=1,2", Mismatch, Some("port"), Some(11)),
        ("port=1,2", Mismatch, Some("port"), Some(0)),
        ("user=u host=h:5432", InvalidValue, Some("host"), Some(7)),
        ("host=a,h:5432 hostaddr=::1,", InvalidValue, Some("host"), Some(0)),
        ("postgresql://h%3A5432", InvalidValue, Some("host"), Some(13)),
        ("postgresql://[::1", Syntax, None, Some(13)),
        ("postgresql://[]", Syntax, None, Some(13)),
        ("postgresql://[::1]x", Syntax, None, Some(18)),
        ("postgresql://h?user", Syntax, None, Some(15)),
        ("postgresql://h?user=a=b", Syntax, None, Some(21)),
        ("postgresql://h?&", Syntax, None, Some(15)),
        ("postgresql://%4", Syntax, None, Some(13)),
        ("postgresql://%zz", Syntax, None, Some(13)),
        ("postgresql://%+1", Syntax, None, Some(13)),
        ("postgresql://h/%00", Syntax, None, Some(15)),
        ("postgresql://h/%ff", Syntax, None, Some(15)),
        ("postgresql://h/a b", Syntax, None, Some(15)),
        ("postgresql://h:port", InvalidValue, Some("port"), Some(13)),
        ("postgresql://h?bogus=1", UnknownKeyword, Some("bogus"), Some(15)),
        ("postgresql://h?ssl=1", UnknownKeyword, Some("ssl"), Some(15)),
        // An at sign and a slash in the password, neither of them encoded.
        ("postgresql://u:p/w?secret=x@h", Syntax, None, Some(13)),
        ("postgresql://u:p/w@h/d", Syntax, None, Some(13)),
        ("postgresql://u:1p?w/x@h/d", Syntax, None, Some(13)),
        ("u:p@h/d", Syntax, None, Some(0)),
        (" h:5432/d?sslmode=disable", Syntax, None, Some(1)),
        ("host=h a/b", Syntax, None, Some(7)),
    ];
    for (text, kind, parameter, position) in cases {
        let error = error(text);
        assert_eq!(
            (error.kind(), error.parameter(), error.position()),
            (kind, parameter, position),
            "{text}: {error}"
        );
    }
}

#[test]
fn messages_say_what_to_do() {
    let cases = [
        (
            "host=h sslmod=disable",
            "connection string, at byte 7: sslmod: unknown parameter; did you mean sslmode?",
        ),
        (
            "database=d",
            "connection string, at byte 0: database: unknown parameter; did you mean dbname?",
        ),
        (
            "host=h sslmode=on",
            "connection string, at byte 7: sslmode: not a mode; the modes are disable, allow, \
             prefer, require, verify-ca and verify-full",
        ),
        (
            "client_encoding=LATIN1",
            "connection string, at byte 0: client_encoding: the reader always asks the server for \
             UTF8; accepted: UTF8, UTF-8, UNICODE, auto",
        ),
        (
            "postgresql://h/50%",
            "connection string, at byte 15: a percent sign without two hexadecimal digits; write \
             a percent sign as %25",
        ),
        (
            "user=u host=db:5433",
            "connection string, at byte 7: host: the port is a parameter of its own: write \
             host=HOST port=NUMBER",
        ),
        (
            "app:pw@db/app",
            "connection string, at byte 0: neither a URI, which begins with postgresql://, nor \
             keyword=value words",
        ),
        (
            "postgresql://app:pw/d@db/app",
            "connection string, at byte 13: a slash or question mark in the user or password; \
             write them as %2F and %3F",
        ),
        (
            "postgresql://db/app?schema=public",
            "connection string, at byte 20: schema: a parameter of another library, which libpq \
             does not have: remove it",
        ),
        (
            "host=db user",
            "connection string, at byte 8: a word without a value; write keyword=value, and put a \
             value with spaces into single quotes",
        ),
        (
            "requirepeer=postgres",
            "connection string, at byte 0: requirepeer: checking the account of the server's \
             process is not supported yet; remove it",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(error(text).to_string(), message);
    }
    for (variable, value, message) in [
        ("PGPORT", "x", "environment variable PGPORT: port: not a port number between 1 and 65535"),
        (
            "PGTZ",
            "Europe/Berlin",
            "environment variable PGTZ: the reader reads values in TimeZone UTC; unset the \
             variable",
        ),
    ] {
        let error = dsn_or_env(None, &[(variable, value)]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // No message contains the invalid value: it may be a password in the wrong place.
    for keyword in KEYWORDS {
        if let Err(error) = format!("{}=swordfish", keyword.name).parse::<Config>() {
            let text = error.to_string();
            assert!(text.contains(keyword.name) && !text.contains("swordfish"), "{text}");
        }
    }
}

/// Only a name that is looked up, with one colon and a number, can be meant as a host and its port.
#[test]
fn a_name_that_only_resembles_a_host_with_a_port_is_a_host() {
    for text in ["host=::1", "host=fe80::1:5432", "host=h:", "host=h:x", "host=/run:5432"] {
        assert!(text.parse::<Config>().is_ok(), "{text}");
    }
    assert!("host=h:5432 hostaddr=127.0.0.1".parse::<Config>().is_ok());
}

/// With a value that no parameter has, each keyword is stored as text or refused by name, both in a
/// string and in the environment.
#[test]
fn no_keyword_is_ignored() {
    for keyword in KEYWORDS {
        let name = keyword.name;
        let outcome = format!("{name}=zzz").parse::<Config>();
        match keyword.treatment {
            Treatment::Text(_) => match outcome {
                Ok(config) => {
                    assert_ne!(config, Config::new(), "{name}");
                    assert_eq!(canonical(&format!("{name}=zzz")), format!("{name}=zzz"));
                }
                // The TLS files, in a build without TLS.
                Err(error) => assert!(!cfg!(feature = "tls") && error.parameter() == Some(name)),
            },
            Treatment::Expanded => {
                let error = outcome.unwrap_err();
                assert_eq!(error.kind(), ConfigErrorKind::Service, "{name}");
                assert!(error.to_string().contains("service"), "{error}");
            }
            _ => assert_eq!(outcome.unwrap_err().parameter(), Some(name)),
        }
        let Some(variable) = keyword.variable else { continue };
        let outcome = env::from_env(&environment(&[(variable, "zzz")]));
        match keyword.treatment {
            Treatment::Text(_) => match outcome {
                Ok(config) => assert_ne!(config, Config::new(), "{variable}"),
                Err(error) => {
                    assert!(!cfg!(feature = "tls") && error.variable() == Some(variable));
                }
            },
            Treatment::Expanded => {
                assert_eq!(outcome.unwrap_err().kind(), ConfigErrorKind::Service);
            }
            _ => assert_eq!(outcome.unwrap_err().variable(), Some(variable)),
        }
    }
}

#[test]
fn setters_are_checked_by_validate() {
    fn refused(set: impl FnOnce(Config) -> Config) -> ConfigError {
        set(Config::new()).validate().unwrap_err()
    }
    let day = Duration::from_secs(86_400);
    let cases = [
        (refused(|config| config.port(0)), "port"),
        (refused(|config| config.host("a").port(1).port(2)), "port"),
        (refused(|config| config.host("a\0")), "host"),
        (refused(|config| config.host("a:1")), "host"),
        (refused(|config| config.host("@abstract")), "host"),
        (refused(|config| config.user("a\0")), "user"),
        (refused(|config| config.dbname("a\0")), "dbname"),
        (refused(|config| config.options("a\0")), "options"),
        (refused(|config| config.application_name("a\0")), "application_name"),
        (refused(|config| config.password("a\0")), "password"),
        (refused(|config| config.wal_sender_timeout(Some(25 * day))), "wal_sender_timeout"),
    ];
    for (error, parameter) in cases {
        assert_eq!(error.parameter(), Some(parameter));
        assert_eq!((error.variable(), error.position()), (None, None));
    }
    assert!(Config::new().wal_sender_timeout(Some(24 * day)).validate().is_ok());
}
