use std::ffi::OsString;

use super::*;
#[cfg(feature = "tls")]
use crate::config::TargetSessionAttrs;
use crate::config::{ConfigErrorKind, env};

fn refused(dsn: &str) -> (ConfigErrorKind, String) {
    let error = dsn.parse::<Config>().unwrap_err();
    (error.kind(), error.parameter().unwrap_or_default().to_owned())
}

#[test]
fn the_default_mode_differs_from_the_same_mode_chosen() {
    let default: Config = "host=db".parse().unwrap();
    assert_eq!((default.get_ssl_mode(), default.ssl_mode_is_chosen()), (SslMode::Prefer, false));
    let chosen: Config = "host=db sslmode=prefer".parse().unwrap();
    assert_eq!((chosen.get_ssl_mode(), chosen.ssl_mode_is_chosen()), (SslMode::Prefer, true));
    assert_ne!(default, chosen);
    let empty: Config = "host=db sslmode=''".parse().unwrap();
    assert!(!empty.ssl_mode_is_chosen());
    let lookup = |name: &str| (name == "PGSSLMODE").then(|| OsString::from("allow"));
    let variable = env::from_dsn_or_env(Some("host=db"), &lookup).unwrap();
    assert_eq!((variable.get_ssl_mode(), variable.ssl_mode_is_chosen()), (SslMode::Allow, true));
}

#[cfg(feature = "tls")]
#[test]
fn every_parameter_is_honoured_and_written_back() {
    let text = "host=db sslmode=require sslnegotiation=direct sslrootcert=/a sslcert=/b sslkey=/c \
                sslcertmode=require \
                sslcrl=/d sslcrldir=/e sslsni=0 ssl_min_protocol_version=TLSv1.2 \
                ssl_max_protocol_version=TLSv1.3 \
                channel_binding=require require_auth=scram-sha-256 \
                target_session_attrs=prefer-standby \
                load_balance_hosts=random";
    let config: Config = text.parse().unwrap();
    assert_eq!(config.to_conninfo(), text);
    assert_eq!(config.get_ssl_negotiation(), SslNegotiation::Direct);
    assert_eq!(config.get_ssl_root_cert(), Some("/a"));
    assert_eq!(config.get_ssl_cert_mode(), SslCertMode::Require);
    assert!(!config.get_ssl_sni());
    assert_eq!(config.get_ssl_min_protocol_version(), Some(TlsVersion::Tls12));
    assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
    assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::PreferStandby);
    assert!(config.get_load_balance_hosts());
}

#[cfg(feature = "tls")]
#[test]
fn parameters_that_contradict_each_other_are_refused() {
    use ConfigErrorKind::{InvalidValue, Unsupported};
    for (dsn, kind, parameter) in [
        ("sslrootcert=system sslmode=require", InvalidValue, "sslmode"),
        ("sslrootcert=system sslmode=prefer", InvalidValue, "sslmode"),
        ("sslnegotiation=direct", InvalidValue, "sslnegotiation"),
        ("sslnegotiation=direct sslmode=allow", InvalidValue, "sslnegotiation"),
        ("ssl_min_protocol_version=TLSv1.1", Unsupported, "ssl_min_protocol_version"),
        ("ssl_max_protocol_version=TLSv1", Unsupported, "ssl_max_protocol_version"),
        ("ssl_min_protocol_version=TLSv1.4", InvalidValue, "ssl_min_protocol_version"),
        (
            "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
            InvalidValue,
            "ssl_max_protocol_version",
        ),
        ("channel_binding=require sslmode=disable", InvalidValue, "channel_binding"),
        ("sslpassword=x", Unsupported, "sslpassword"),
        ("sslkeylogfile=x", Unsupported, "sslkeylogfile"),
        ("sslcompression=1", Unsupported, "sslcompression"),
        ("sslsni=yes", InvalidValue, "sslsni"),
        ("sslcertmode=maybe", InvalidValue, "sslcertmode"),
        ("require_auth=scram,!md5", InvalidValue, "require_auth"),
        ("target_session_attrs=master", InvalidValue, "target_session_attrs"),
        ("load_balance_hosts=yes", InvalidValue, "load_balance_hosts"),
    ] {
        assert_eq!(refused(&format!("host=db {dsn}")), (kind, parameter.to_owned()), "{dsn}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_systems_authorities_make_verify_full_the_default() {
    let config: Config = "host=db sslrootcert=system".parse().unwrap();
    assert_eq!(config.get_ssl_mode(), SslMode::VerifyFull);
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_settings_that_require_it_are_refused() {
    for parameter in [
        "sslmode=require",
        "sslrootcert=/a",
        "sslcert=/a",
        "sslkey=/a",
        "sslcrl=/a",
        "sslcrldir=/a",
        "sslcertmode=require",
        "sslnegotiation=direct",
        "ssl_min_protocol_version=TLSv1.3",
        "ssl_max_protocol_version=TLSv1.3",
        "channel_binding=require",
    ] {
        let (name, _) = parameter.split_once('=').unwrap();
        let expected = (ConfigErrorKind::Unsupported, name.to_owned());
        assert_eq!(refused(&format!("host=db {parameter}")), expected);
    }
    for inert in
        ["sslmode=allow", "sslmode=disable sslrootcert=/a", "sslsni=1", "sslcertmode=allow"]
    {
        inert.parse::<Config>().unwrap();
    }
}
