//! The manual's examples and rules as tables. Properties of any input are in [`laws`].

mod laws;
mod precedence;
mod refusals;
mod strings;

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use super::account::Account;
use super::error::ParameterOrigin;
use super::keyword::{KEYWORDS, Treatment};
use super::parameters::Parameters;
use super::*;
use ConfigErrorKind::{InvalidValue, NoUser};

/// The settings of `text` in one canonical form, for comparison with a table.
fn canonical(text: &str) -> String {
    text.parse::<Config>().unwrap_or_else(|error| panic!("{text}: {error}")).to_conninfo()
}

fn error(text: &str) -> ConfigError {
    match text.parse::<Config>() {
        Ok(config) => panic!("{text} was accepted as {config:?}"),
        Err(error) => error,
    }
}

/// The environment made of `pairs`.
fn environment(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + use<> {
    let map: HashMap<String, OsString> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    move |name| map.get(name).cloned()
}

fn dsn_or_env(dsn: Option<&str>, pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    env::from_dsn_or_env(dsn, &environment(pairs))
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf8_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let lookup = |name: &str| (name == "PGPASSWORD").then(|| OsString::from_vec(vec![0xff]));
    let error = env::from_env(&lookup).unwrap_err();
    assert_eq!((error.kind(), error.variable()), (InvalidValue, Some("PGPASSWORD")));
}

#[cfg(unix)]
#[test]
fn endpoints_have_every_default_filled_in() {
    let cases: [(&str, &[&str]); 7] = [
        ("", &["/var/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432", "localhost:5432"]),
        ("port=1", &["/var/run/postgresql/.s.PGSQL.1", "/tmp/.s.PGSQL.1", "localhost:1"]),
        ("host=a,/s,::1 port=7", &["a:7", "/s/.s.PGSQL.7", "[::1]:7"]),
        ("host=a,b port=1,", &["a:1", "b:5432"]),
        ("hostaddr=10.0.0.1", &["10.0.0.1:5432"]),
        ("host=a,b hostaddr=10.0.0.1,", &["a:5432 (10.0.0.1)", "b:5432"]),
        ("host=/s hostaddr=10.0.0.1", &["/s:5432 (10.0.0.1)"]),
    ];
    for (text, expected) in cases {
        let config: Config = text.parse().unwrap();
        let shown: Vec<String> =
            config.endpoints().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text}");
    }
}

#[test]
fn the_user_is_the_account_and_the_database_is_the_user() {
    let account = || Some(Account { name: "account".to_owned(), home: String::new() });
    let both = environment(&[("LOGNAME", "logname"), ("USER", "user")]);
    let one = environment(&[("LOGNAME", ""), ("USER", "user")]);
    let config = Config::new();
    assert_eq!(config.user_or(&both, account).unwrap(), "account");
    assert_eq!(config.user_or(&both, || None).unwrap(), "logname");
    assert_eq!(config.user_or(&one, || None).unwrap(), "user");
    assert_eq!(config.user_or(&environment(&[]), || None).unwrap_err().kind(), NoUser);

    let config = Config::new().user("alice");
    assert_eq!(config.user_or(&both, account).unwrap(), "alice");
    assert_eq!(config.dbname_or_default().unwrap(), "alice");
    assert_eq!(config.dbname("shop").dbname_or_default().unwrap(), "shop");
}

#[cfg(unix)]
#[test]
fn the_password_file_is_used_only_if_it_is_safe() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let directory = std::env::temp_dir().join(format!("pgoutput-passfile-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("pass");
    fs::write(
        &file,
        "localhost:5432:shop:alice:on the socket\ndb:5432:shop:alice:on the network\n",
    )
    .unwrap();
    let look_up = |host: &str, path: &std::path::Path| {
        let config = Config::new().host(host).user("alice").dbname("shop");
        let config = config.passfile(path.to_str().unwrap());
        config.password_for(&config.endpoints().unwrap()[0])
    };
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(look_up("db", &file), Ok(Some(Secret::new("on the network"))));
    assert_eq!(look_up("/tmp", &file), Ok(Some(Secret::new("on the socket"))));
    assert_eq!(look_up("other", &file), Ok(None));
    let own = Config::new().user("alice").password("own").passfile("/nowhere");
    assert_eq!(own.password_for(&own.endpoints().unwrap()[0]), Ok(Some(Secret::new("own"))));

    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    for path in [&file, &directory, &directory.join("missing")] {
        let error = look_up("db", path).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::PassFile);
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn an_at_sign_in_a_password_is_not_read_as_a_host_or_shown() {
    for uri in ["postgresql://u:SEC@RET@h/d", "postgresql://u:SEC@RET@h:1,i:2/d"] {
        let error = uri.parse::<Config>().unwrap_err();
        assert!(!error.to_string().contains("RET"), "{error}");
        assert!(error.to_string().contains("%40"), "{error}");
    }
}
