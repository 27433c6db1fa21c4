//! The destination that `--to` names.

use std::convert::Infallible;

use super::file;
#[cfg(feature = "kafka")]
use super::kafka;
use super::lines::Lines;
use super::log::Log;
#[cfg(feature = "nats")]
use super::nats;
#[cfg(feature = "redis")]
use super::redis;
use super::stdout::Stdout;
use crate::Failure;
use crate::args::Pipe;

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The text cannot be read, for this reason.
    Invalid(String),
    Stdout,
    File(file::Settings),
    #[cfg(feature = "redis")]
    Redis(redis::Settings),
    #[cfg(feature = "nats")]
    Nats(nats::Settings),
    #[cfg(feature = "kafka")]
    Kafka(kafka::Settings),
}

const EXPECTED: &str = "expected redis://HOST, rediss://HOST, nats://HOST/STREAM, \
                        tls://HOST/STREAM, kafka://HOST, file:PATH, or - for standard output";

impl Target {
    /// Reads the text of --to. Its errors are reported by [`log`](Self::log): clap would print the
    /// text too, which may have a password.
    #[expect(clippy::unnecessary_wraps, reason = "clap expects a result")]
    pub(crate) fn parse(text: &str) -> Result<Self, Infallible> {
        Ok(Self::read(text).unwrap_or_else(Self::Invalid))
    }

    fn read(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let (scheme, rest) = text.split_once(':').ok_or(EXPECTED)?;
        let scheme = scheme.to_ascii_lowercase();
        let text = format!("{scheme}:{rest}");
        match &*scheme {
            "file" => file::Settings::parse(&text).map(Self::File),
            #[cfg(feature = "redis")]
            "redis" | "rediss" => redis::Settings::parse(&text).map(Self::Redis),
            #[cfg(feature = "nats")]
            "nats" | "tls" => nats::Settings::parse(&text).map(Self::Nats),
            #[cfg(feature = "kafka")]
            "kafka" => kafka::Settings::parse(&text).map(Self::Kafka),
            #[cfg(not(feature = "redis"))]
            "redis" | "rediss" => Err(left_out("redis")),
            #[cfg(not(feature = "nats"))]
            "nats" | "tls" => Err(left_out("nats")),
            #[cfg(not(feature = "kafka"))]
            "kafka" => Err(left_out("kafka")),
            _ => Err(EXPECTED.into()),
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        *self == Self::Stdout
    }

    /// Returns the log, which is not connected yet.
    pub(crate) fn log(&self, pipe: &Pipe) -> Result<Box<dyn Log>, Failure> {
        let has_lines = matches!(self, Self::Invalid(_) | Self::Stdout | Self::File(_));
        if pipe.lines.is_some() && !has_lines {
            return Err(Failure::Usage("--lines is for file: and -".into()));
        }
        match self {
            Self::Invalid(reason) => Err(Failure::Usage(format!("--to: {reason}"))),
            Self::Stdout => Ok(Box::new(Stdout::open(Lines::of(pipe))?)),
            Self::File(settings) => Ok(settings.log(pipe)),
            #[cfg(feature = "redis")]
            Self::Redis(settings) => settings.log(pipe),
            #[cfg(feature = "nats")]
            Self::Nats(settings) => settings.log(pipe),
            #[cfg(feature = "kafka")]
            Self::Kafka(settings) => settings.log(pipe),
        }
    }
}

#[cfg(not(all(feature = "redis", feature = "nats", feature = "kafka")))]
fn left_out(feature: &str) -> String {
    format!("this pgoutput was built without {feature}: build it with --features cli,{feature}")
}

/// Returns the name of an unknown option after a space, or nothing if it may be a part of a
/// password: one with a question mark that is not escaped looks like an option.
pub(super) fn option_name(name: &str) -> String {
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name { format!(" {name}") } else { String::new() }
}
