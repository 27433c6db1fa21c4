//! The parameters that are more than text: parsing with libpq's rules for numbers and lists.

use std::time::Duration;

use super::error::Problem;
use super::{
    ChannelBinding, Config, RequireAuth, SslCertMode, SslMode, SslNegotiation, TargetSessionAttrs,
    TlsVersion,
};

type Outcome = Result<(), Problem>;

/// The comma-separated items of a list. An empty one stands for the default.
fn items<T>(
    value: &str,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<Option<T>>, Problem> {
    value
        .split(',')
        .map(|item| if item.is_empty() { Ok(None) } else { read(item).map(Some) })
        .collect()
}

pub(crate) fn hostaddr(config: &mut Config, value: &str) -> Outcome {
    config.hostaddrs = items(value, |item| {
        item.parse()
            .map_err(|_| Problem::invalid("not an IPv4 or IPv6 address; put a name into host"))
    })?;
    Ok(())
}

pub(crate) fn port(config: &mut Config, value: &str) -> Outcome {
    config.ports = items(value, |item| match item.trim_ascii().parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(Problem::invalid("not a port number between 1 and 65535")),
    })?;
    Ok(())
}

/// libpq parses these numbers as a C int and allows spaces around it.
fn integer(value: &str) -> Result<i32, Problem> {
    value.trim_ascii().parse().map_err(|_| Problem::invalid("not a whole number of 32 bits"))
}

/// Zero and less mean "no limit" or "the system's default" for every time and count.
fn positive(value: &str) -> Result<Option<u32>, Problem> {
    Ok(u32::try_from(integer(value)?).ok().filter(|number| *number != 0))
}

fn seconds(value: &str) -> Result<Option<Duration>, Problem> {
    Ok(positive(value)?.map(|number| Duration::from_secs(number.into())))
}

pub(crate) fn connect_timeout(config: &mut Config, value: &str) -> Outcome {
    config.connect_timeout = seconds(value)?;
    Ok(())
}

pub(crate) fn keepalives(config: &mut Config, value: &str) -> Outcome {
    config.keepalives = integer(value)? != 0;
    Ok(())
}

pub(crate) fn keepalives_idle(config: &mut Config, value: &str) -> Outcome {
    config.keepalives_idle = seconds(value)?;
    Ok(())
}

pub(crate) fn keepalives_interval(config: &mut Config, value: &str) -> Outcome {
    config.keepalives_interval = seconds(value)?;
    Ok(())
}

pub(crate) fn keepalives_count(config: &mut Config, value: &str) -> Outcome {
    config.keepalives_count = positive(value)?;
    Ok(())
}

pub(crate) fn tcp_user_timeout(config: &mut Config, value: &str) -> Outcome {
    config.tcp_user_timeout = positive(value)?.map(|number| Duration::from_millis(number.into()));
    Ok(())
}

/// Parses a value that is one of a few words.
fn word<T>(
    value: &str,
    parse: impl Fn(&str) -> Option<T>,
    words: &'static str,
) -> Result<T, Problem> {
    parse(value).ok_or_else(|| Problem::invalid(words))
}

pub(crate) fn sslmode(config: &mut Config, value: &str) -> Outcome {
    config.ssl_mode = Some(word(
        value,
        SslMode::parse,
        "not a mode; the modes are disable, allow, prefer, require, verify-ca and verify-full",
    )?);
    Ok(())
}

pub(crate) fn sslnegotiation(config: &mut Config, value: &str) -> Outcome {
    config.ssl.negotiation =
        word(value, SslNegotiation::parse, "invalid value; the values are postgres and direct")?;
    Ok(())
}

pub(crate) fn sslcertmode(config: &mut Config, value: &str) -> Outcome {
    config.ssl.cert_mode =
        word(value, SslCertMode::parse, "not a mode; the modes are disable, allow and require")?;
    Ok(())
}

pub(crate) fn sslsni(config: &mut Config, value: &str) -> Outcome {
    config.ssl.sni =
        word(value, |value| ["0", "1"].iter().position(|known| *known == value), "not 0 or 1")?
            != 0;
    Ok(())
}

fn tls_version(value: &str) -> Result<TlsVersion, Problem> {
    // In any letter case, as in libpq.
    let word = value.to_ascii_lowercase().replace("tls", "TLS");
    if matches!(word.as_str(), "TLSv1" | "TLSv1.1") {
        return Err(Problem::unsupported(
            "TLS 1.0 and 1.1 are obsolete (RFC 8996) and not supported; use TLSv1.2 or TLSv1.3",
        ));
    }
    TlsVersion::parse(&word)
        .ok_or_else(|| Problem::invalid("not a version; the versions are TLSv1.2 and TLSv1.3"))
}

pub(crate) fn ssl_min_protocol_version(config: &mut Config, value: &str) -> Outcome {
    config.ssl.min_version = Some(tls_version(value)?);
    Ok(())
}

pub(crate) fn ssl_max_protocol_version(config: &mut Config, value: &str) -> Outcome {
    config.ssl.max_version = Some(tls_version(value)?);
    Ok(())
}

pub(crate) fn channel_binding(config: &mut Config, value: &str) -> Outcome {
    config.channel_binding = word(
        value,
        ChannelBinding::parse,
        "invalid value; the values are disable, prefer and require",
    )?;
    Ok(())
}

pub(crate) fn require_auth(config: &mut Config, value: &str) -> Outcome {
    config.require_auth = Some(RequireAuth::read(value)?);
    Ok(())
}

pub(crate) fn target_session_attrs(config: &mut Config, value: &str) -> Outcome {
    config.target_session_attrs = word(
        value,
        TargetSessionAttrs::parse,
        "invalid value; the values are any, read-write, read-only, primary, standby and \
         prefer-standby",
    )?;
    Ok(())
}

pub(crate) fn load_balance_hosts(config: &mut Config, value: &str) -> Outcome {
    config.load_balance_hosts = word(
        value,
        |value| ["disable", "random"].iter().position(|known| *known == value),
        "invalid value; the values are disable and random",
    )? == 1;
    Ok(())
}
