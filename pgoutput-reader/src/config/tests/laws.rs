//! Properties that hold for any input.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

/// A parameter's text, with many characters that are special to the parsers.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "[ '\\\\=%@:/?&,a\t\n]{1,8}", "[^\\x00]{1,6}"]
}

/// A whole list of hosts, as in the keyword's value.
fn hosts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof!["", "[a-z][a-z0-9.-]{0,10}", "/[a-z /']{1,10}", "::1"], 0..4)
}

prop_compose! {
    fn any_config()(
        hosts in hosts(),
        ports in prop_oneof![Just(0_usize), Just(1), Just(9)],
        port in 1_u16..,
        addressed in any::<bool>(),
        address in any::<IpAddr>(),
        texts in prop::array::uniform7(prop::option::of(text())),
        numbers in prop::array::uniform5(0..i32::MAX.unsigned_abs()),
        keepalives in any::<bool>(),
        mode in 0..3_usize,
    ) -> Config {
        let mut config = Config::new().host(&hosts.join(","));
        let count = config.hosts.len().max(1);
        config.ports = vec![Some(port); ports.min(count)];
        if addressed {
            config.hostaddrs = vec![Some(address); count];
        }
        let [user, password, dbname, application_name, fallback, options, passfile] =
            texts.map(Option::unwrap_or_default);
        let [connect, idle, interval, keepalive_count, user_timeout] = numbers;
        config
            .user(user)
            .password(password)
            .dbname(dbname)
            .application_name(application_name)
            .fallback_application_name(fallback)
            .options(options)
            .passfile(passfile)
            .connect_timeout(Duration::from_secs(connect.into()))
            .keepalives(keepalives)
            .keepalives_idle(Duration::from_secs(idle.into()))
            .keepalives_interval(Duration::from_secs(interval.into()))
            .keepalives_count(keepalive_count)
            .tcp_user_timeout(Duration::from_millis(user_timeout.into()))
            .ssl_mode(SslMode::ALL[mode])
    }
}

/// A password of a letter that no message and no other part of the input contains, and of
/// characters that can break the parsers. The letter is ASCII, so that a password can look like a
/// keyword.
fn password() -> impl Strategy<Value = String> {
    "[Z '\\\\=%@:/?&,a#\\[\\]]{0,6}Z[Z '\\\\=%@:/?&,a#\\[\\]]{0,6}"
}

/// Neither the settings nor the error may show a letter of the password.
fn assert_hidden(outcome: Result<Config, ConfigError>, input: &str) -> Result<(), TestCaseError> {
    let shown = match outcome {
        // The unquoted rest of a password becomes another, public setting, as the string says.
        Ok(mut config) => {
            let password = config.password.take();
            format!("{password:?}")
        }
        Err(error) => format!("{error:?} {error} {:?}", error.parameter()),
    };
    prop_assert!(!shown.contains('Z'), "{shown} from {input}");
    Ok(())
}

proptest! {
    #[test]
    fn a_config_survives_its_connection_string(config in any_config()) {
        let text = config.to_conninfo();
        prop_assert_eq!(text.parse::<Config>(), Ok(config), "{}", text);
    }

    #[test]
    fn no_string_makes_the_parsers_panic(
        text in ".*",
        uri in "[%@:/?&=,\\[\\] a0-9ж]*",
        pairs in "[ '\\\\=a-zж]*",
    ) {
        let _ = text.parse::<Config>();
        let _ = pairs.parse::<Config>();
        let _ = format!("postgresql://{uri}").parse::<Config>();
        let _ = format!("host={text} user={uri} dbname={pairs}").parse::<Config>();
    }

    #[test]
    fn a_password_is_never_shown(
        password in password(),
        tail in prop_oneof!["", " bogus=1", "&bogus=1", "&port=x", "\\?sslmode=no"],
    ) {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let encoded = utf8_percent_encode(&password, NON_ALPHANUMERIC).to_string();
        for well_formed in [
            format!("host=h password='{quoted}'"),
            format!("postgresql://u:{encoded}@h/d"),
            format!("postgresql://h/d?password={encoded}"),
        ] {
            let config: Config = well_formed.parse().unwrap();
            prop_assert_eq!(config.get_password().map(Secret::expose), Some(password.as_str()));
            let shown = format!("{config:?} {config:#?}");
            prop_assert!(!shown.contains('Z'), "{}", shown);
        }
        // Not quoted or encoded, followed by an error, or with a wrong scheme.
        for input in [
            format!("password={password} {tail}"),
            format!("host=h password='{password}' {tail}"),
            format!("host=h password='{quoted}' {tail}"),
            format!("postgresql://u:{password}@h/d{tail}"),
            format!("postgresql://u:{encoded}@h/d{tail}"),
            format!("postgresql://h/d?password={password}{tail}"),
            format!("postgresql:/u:{password}@h/d{tail}"),
            format!("mysql://u:{password}@h/d{tail}"),
            format!("pasword={password}{tail}"),
        ] {
            assert_hidden(input.parse(), &input)?;
            assert_hidden(dsn_or_env(None, &[("DATABASE_URL", &input)]), &input)?;
        }
    }

    /// A string is parsed to the same values in pairs and, encoded, in a URI.
    #[test]
    fn both_forms_have_the_same_values(user in text(), dbname in text(), options in text()) {
        let encode = |text: &String| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let [u, d, o] = [&user, &dbname, &options].map(encode);
        let uri = format!("postgresql://{u}@h/{d}?options={o}");
        let config = Config::new().host("h").user(user).dbname(dbname).options(options);
        prop_assert_eq!(uri.parse::<Config>(), Ok(config.clone()));
        let parameters = crate::config::dsn::parse(&uri, ParameterOrigin::Setter);
        prop_assert_eq!(parameters.and_then(Parameters::into_config), Ok(config));
    }
}
