//! The values of the parameters that are more than text: text to setting, with libpq's rules for numbers and lists.

use std::time::Duration;

use super::error::Problem;
use super::{Config, SslMode};

type Outcome = Result<(), Problem>;

pub(crate) const TLS_UNSUPPORTED: &str = "TLS is not supported yet; use sslmode=disable, allow or prefer, and only on a network you trust";

/// The comma-separated items of a list; an empty one stands for the default.
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
            .map_err(|_| Problem::invalid("not an IPv4 or IPv6 address; names belong into host"))
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

/// libpq reads these numbers into a C int, spaces around it allowed.
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

pub(crate) fn sslmode(config: &mut Config, value: &str) -> Outcome {
    let mode = SslMode::parse(value).ok_or_else(|| {
        Problem::invalid(
            "not a mode; the modes are disable, allow, prefer, require, verify-ca and verify-full",
        )
    })?;
    if mode.requires_tls() {
        return Err(Problem::unsupported(TLS_UNSUPPORTED));
    }
    config.ssl_mode = mode;
    Ok(())
}
