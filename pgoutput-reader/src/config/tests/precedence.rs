//! The string takes precedence over the environment, and the environment over the defaults.

use super::super::*;
use super::{dsn_or_env, environment};
use ConfigErrorKind::{InvalidValue, UnknownKeyword, Unsupported};

#[test]
fn the_string_comes_before_the_environment() {
    let everything = [
        ("PGHOST", "envhost"),
        ("PGPORT", "1"),
        ("PGUSER", "envuser"),
        ("PGPASSWORD", "envpassword"),
        ("PGDATABASE", "envdb"),
        ("PGAPPNAME", "envapp"),
        ("PGOPTIONS", "-c a=b"),
        ("PGCONNECT_TIMEOUT", "7"),
        ("PGPASSFILE", "/envpass"),
        ("PGHOSTADDR", "10.0.0.1"),
        ("PGSSLMODE", "disable"),
        ("DATABASE_URL", "postgresql://urluser@urlhost:2"),
    ];
    let cases = [
        (
            Some(
                "host=h hostaddr=::1 port=3 user=u password=p dbname=d application_name=a \
                 options=o connect_timeout=1 passfile=/f sslmode=allow",
            ),
            "host=h hostaddr=::1 port=3 user=u password=p passfile=/f dbname=d application_name=a \
             options=o connect_timeout=1 sslmode=allow",
        ),
        (
            Some("postgresql://u@h"),
            "host=h hostaddr=10.0.0.1 port=1 user=u password=envpassword passfile=/envpass \
             dbname=envdb application_name=envapp options='-c a=b' connect_timeout=7 \
             sslmode=disable",
        ),
        // An empty value or the default counts as given.
        (
            Some(
                "host=h hostaddr='' port='' user='' password='' passfile='' dbname='' \
                 application_name='' options='' connect_timeout=0 sslmode=prefer",
            ),
            "host=h sslmode=prefer",
        ),
        // Two hosts in a URI have two ports, even if both are the default.
        (
            Some(
                "postgresql://h,g?hostaddr=&user=u&password=p&passfile=&dbname=d&application_name=&\
                 options=&sslmode=prefer",
            ),
            "host=h,g port=, user=u password=p dbname=d connect_timeout=7 sslmode=prefer",
        ),
        // Without a string, DATABASE_URL is the string.
        (
            None,
            "host=urlhost hostaddr=10.0.0.1 port=2 user=urluser password=envpassword \
             passfile=/envpass dbname=envdb application_name=envapp options='-c a=b' \
             connect_timeout=7 sslmode=disable",
        ),
    ];
    for (dsn, meaning) in cases {
        assert_eq!(dsn_or_env(dsn, &everything).unwrap().to_conninfo(), meaning, "{dsn:?}");
    }
    // `from_env` reads the PG* variables alone.
    let config = env::from_env(&environment(&everything)).unwrap();
    assert_eq!((config.get_user(), config.get_ports()), (Some("envuser"), [Some(1)].as_slice()));
    assert_eq!(dsn_or_env(None, &[]).unwrap(), Config::new());
}

#[test]
fn variables_that_cannot_be_honoured_are_named() {
    let cases = [
        ("PGGSSENCMODE", "require", Unsupported),
        ("PGREQUIREPEER", "postgres", Unsupported),
        ("PGCLIENTENCODING", "LATIN1", Unsupported),
        ("PGMINPROTOCOLVERSION", "3.2", Unsupported),
        ("PGSSLMODE", "on", InvalidValue),
        ("PGTZ", "Europe/Berlin", Unsupported),
        ("PGDATESTYLE", "German", Unsupported),
        ("PGGEQO", "off", Unsupported),
        ("PGPORT", "x", InvalidValue),
        ("DATABASE_URL", "postgresql://h?bogus=1", UnknownKeyword),
    ];
    for (variable, value, kind) in cases {
        let error = dsn_or_env(None, &[(variable, value)]).unwrap_err();
        assert_eq!((error.kind(), error.variable()), (kind, Some(variable)), "{error}");
    }
    let harmless = [
        ("PGREQUIRESSL", "0"),
        ("PGTZ", "utc"),
        ("PGDATESTYLE", "ISO, MDY"),
        ("PGGEQO", "on"),
        ("PGSERVICEFILE", "/x"),
        ("PGSYSCONFDIR", "/x"),
        ("PGLOCALEDIR", "/x"),
        ("PGSERVICE", ""),
    ];
    assert_eq!(dsn_or_env(None, &harmless).unwrap(), Config::new());
    // PGREQUIRESSL is the old setting for a mode; a mode takes precedence over it.
    let mode = |dsn, pairs: &[_]| {
        let config = dsn_or_env(dsn, pairs).unwrap();
        (config.get_ssl_mode(), config.ssl_mode_is_chosen())
    };
    let old = ("PGREQUIRESSL", "1");
    assert_eq!(mode(Some("sslmode=disable"), &[old]), (SslMode::Disable, true));
    assert_eq!(mode(None, &[("PGSSLMODE", "allow"), old]), (SslMode::Allow, true));
    if cfg!(feature = "tls") {
        assert_eq!(mode(None, &[old]), (SslMode::Require, true));
    } else {
        let error = dsn_or_env(None, &[old]).unwrap_err();
        assert_eq!(error.variable(), Some("PGREQUIRESSL"));
    }
}
