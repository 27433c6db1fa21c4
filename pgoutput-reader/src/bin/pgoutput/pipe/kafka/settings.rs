//! The URL of a Kafka cluster.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::super::log::LogError;
use super::properties::{Compression, Mechanism, Secret, Security};
use crate::pipe::target::option_name;

const DEFAULT_PORT: &str = "9092";

/// The topic of positions, unless the URL has another.
const STATE: &str = "pgoutput.positions";

/// The longest name of a topic.
const LONGEST_TOPIC: usize = 249;

const EXPECTED: &str = "kafka://HOST[:PORT][,HOST[:PORT]…][?OPTION=VALUE&…]";

const OPTIONS: &str = "state, mode, transactional_id, create, timeout, compression, \
                       max_message, security, sasl_mechanism, sslrootcert, sslcert, sslkey, config";

/// The destination of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The brokers as `HOST:PORT`, with commas.
    pub(super) brokers: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// The topic of positions.
    pub(super) state: String,
    pub(super) mode: Mode,
    /// The transactional id, if it is not the default.
    pub(super) id: Option<String>,
    /// Whether the topic of positions is created if it is missing.
    pub(super) create: bool,
    /// The longest time to connect, and to store a batch.
    pub(super) timeout: Duration,
    pub(super) compression: Option<Compression>,
    pub(super) max_message: Option<u32>,
    pub(super) security: Option<Security>,
    pub(super) sasl_mechanism: Option<Mechanism>,
    pub(super) sslrootcert: Option<PathBuf>,
    pub(super) sslcert: Option<PathBuf>,
    pub(super) sslkey: Option<PathBuf>,
    /// A file with further properties of librdkafka.
    pub(super) config: Option<PathBuf>,
}

/// The manner of storing records and position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// In one transaction.
    Transactional,
    /// One after the other, without transactions.
    Idempotent,
}

impl Settings {
    /// Reads the text of --to.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("kafka://").ok_or_else(|| format!("expected {EXPECTED}"))?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may contain a slash, although it should be escaped.
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let hosts = hosts.strip_suffix('/').unwrap_or(hosts);
        if hosts.contains('/') {
            return Err("a kafka URL has no path: --topic sets the topics".into());
        }
        let mut settings = Self {
            brokers: brokers(hosts)?,
            user: None,
            password: None,
            state: STATE.into(),
            mode: Mode::Transactional,
            id: None,
            create: true,
            timeout: Duration::from_secs(30),
            compression: None,
            max_message: None,
            security: None,
            sasl_mechanism: None,
            sslrootcert: None,
            sslcert: None,
            sslkey: None,
            config: None,
        };
        if let Some(user) = user {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            settings.user = Some(decoded(user)?.into_owned());
            settings.password =
                Some(decoded(password)?.into_owned()).filter(|text| !text.is_empty()).map(Secret);
        }
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            settings.set(name, &decoded(value)?)?;
        }
        if settings.mode == Mode::Idempotent && settings.id.as_ref().is_some_and(String::is_empty) {
            return Err("transactional_id is empty".into());
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let file = || Some(PathBuf::from(value));
        match name {
            "state" if is_topic(value) => self.state = value.into(),
            "state" => return Err("state is not the name of a topic".into()),
            "mode" => {
                self.mode = match value {
                    "transactional" => Mode::Transactional,
                    "idempotent" => Mode::Idempotent,
                    _ => return Err("mode is transactional or idempotent".into()),
                }
            }
            "transactional_id" if value.is_empty() => {
                return Err("transactional_id is empty".into());
            }
            "transactional_id" => self.id = Some(value.into()),
            "create" => {
                self.create = match value {
                    "true" | "" => true,
                    "false" => false,
                    _ => return Err("create is true or false".into()),
                }
            }
            "timeout" => {
                let seconds: u32 = value.parse().unwrap_or_default();
                if !(1..=600).contains(&seconds) {
                    return Err("timeout is a number of seconds from 1 to 600".into());
                }
                self.timeout = Duration::from_secs(seconds.into());
            }
            "compression" => self.compression = Some(Compression::parse(value)?),
            "max_message" => {
                let bytes =
                    value.parse().ok().filter(|bytes| (1000..=1_000_000_000).contains(bytes));
                let expected = "max_message is a number of bytes from 1000 to 1000000000";
                self.max_message = Some(bytes.ok_or(expected)?);
            }
            "security" => self.security = Some(Security::parse(value)?),
            "sasl_mechanism" => self.sasl_mechanism = Some(Mechanism::parse(value)?),
            "sslrootcert" => self.sslrootcert = file(),
            "sslcert" => self.sslcert = file(),
            "sslkey" => self.sslkey = file(),
            "config" => self.config = file(),
            _ => return Err(format!("unknown option{}: expected {OPTIONS}", option_name(name))),
        }
        Ok(())
    }

    /// Returns the name of the cluster in messages.
    pub(super) fn name(&self) -> String {
        format!("kafka://{}", self.brokers)
    }

    pub(super) fn transient(&self, message: impl std::fmt::Display) -> LogError {
        LogError::transient(format!("{}: {message}", self.name()))
    }

    pub(super) fn lasting(&self, message: impl std::fmt::Display) -> LogError {
        LogError::lasting(format!("{}: {message}", self.name()))
    }
}

/// Returns whether Kafka allows this name of a topic.
pub(super) fn is_topic(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= LONGEST_TOPIC
        && name.bytes().all(is_in_topics)
}

/// Returns whether names of topics contain this character.
pub(super) fn is_in_topics(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Returns the brokers, each with a port.
fn brokers(hosts: &str) -> Result<String, String> {
    let brokers: Vec<_> = hosts.split(',').map(broker).collect::<Result<_, _>>()?;
    Ok(brokers.join(","))
}

fn broker(text: &str) -> Result<String, String> {
    // An IPv6 address is in brackets, since it contains colons.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text, DEFAULT_PORT),
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_host = is_bracketed || !host.is_empty() && host.bytes().all(is_name);
    if !is_host {
        return Err(format!("a host of the URL is missing or invalid: expected {EXPECTED}"));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(format!("{host}:{port}")),
        _ => Err(format!("the port of the host {host} is not a number from 1 to 65535")),
    }
}

fn decoded(text: &str) -> Result<Cow<'_, str>, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "a part of the URL is not UTF-8 after percent-decoding")?;
    if decoded.contains('\0') {
        return Err("a part of the URL contains a zero byte".into());
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests;
