//! A stream of NATS `JetStream`.
//!
//! Each message names the sequence of the message before it, so the server takes it at one place
//! of the stream only, and only once. Each message also has the position of the slot in a header;
//! the last one says where reading resumes. `protocol`, `headers`, `record` and `parts` are
//! without I/O.

mod api;
mod base64;
mod connection;
mod credentials;
mod errors;
mod headers;
mod parts;
mod protocol;
mod publisher;
mod record;
mod stored;
mod stream;
mod subject;
mod tls;
mod transport;
mod url;

use super::log::Log;
use super::route::position_topic;
use crate::Failure;
use crate::args::Pipe;
use publisher::NatsLog;
use url::Address;

/// The destination of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings(Box<Address>);

impl Settings {
    /// Reads the text of --to.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        Address::parse(url).map(Box::new).map(Self)
    }

    /// Returns the log, which is not connected yet.
    pub(crate) fn log(&self, pipe: &Pipe) -> Result<Box<dyn Log>, Failure> {
        let (address, topic) = (Address::clone(&self.0), position_topic(pipe)?);
        Ok(Box::new(NatsLog::new(address, pipe.slot.clone(), topic, pipe.trust_slot)))
    }
}
