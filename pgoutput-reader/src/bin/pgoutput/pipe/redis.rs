//! A log in redis.

use super::log::Log;
use crate::Failure;
use crate::args::Pipe;

/// The destination of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings(String);

impl Settings {
    /// Reads the text of --to.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        Ok(Self(url.into()))
    }

    /// Returns the log, which is not connected yet.
    pub(crate) fn log(&self, _: &Pipe) -> Result<Box<dyn Log>, Failure> {
        Err(Failure::Usage(format!("{} is not supported yet", self.0)))
    }
}
