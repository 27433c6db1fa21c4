//! The destination that `--to` names.

use super::file;
#[cfg(feature = "kafka")]
use super::kafka;
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
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let (scheme, _) = text.split_once(':').ok_or(EXPECTED)?;
        match scheme {
            "file" => file::Settings::parse(text).map(Self::File),
            #[cfg(feature = "redis")]
            "redis" | "rediss" => redis::Settings::parse(text).map(Self::Redis),
            #[cfg(feature = "nats")]
            "nats" | "tls" => nats::Settings::parse(text).map(Self::Nats),
            #[cfg(feature = "kafka")]
            "kafka" => kafka::Settings::parse(text).map(Self::Kafka),
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
        match self {
            Self::Stdout => Ok(Box::new(Stdout::open()?)),
            Self::File(settings) => settings.log(pipe),
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
