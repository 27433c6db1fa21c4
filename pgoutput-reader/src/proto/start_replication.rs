//! START_REPLICATION for pgoutput.

use pgoutput_decode::Lsn;

use super::options::StreamOptions;
use super::quote::{identifier_list, literal};
use crate::error::Error;
use crate::server_version::ServerVersion;

/// The settings of a replication stream: what to read, from where on, and how.
///
/// ```
/// use pgoutput_reader::{StartReplication, StreamOptions, Streaming};
///
/// let start = StartReplication::new("my_slot", ["my_publication"])
///     .options(StreamOptions::new().streaming(Streaming::On));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReplication {
    pub(crate) slot: String,
    pub(crate) publications: Vec<String>,
    pub(crate) start_lsn: Lsn,
    pub(crate) options: StreamOptions,
}

impl StartReplication {
    /// Returns settings that read all changes of these publications from the slot's confirmed LSN
    /// on, each transaction after its commit. At least one publication is needed.
    pub fn new<P: Into<String>>(
        slot: impl Into<String>,
        publications: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            slot: slot.into(),
            publications: publications.into_iter().map(Into::into).collect(),
            start_lsn: Lsn::ZERO,
            options: StreamOptions::new(),
        }
    }

    /// Sets the LSN to start at, if it is after the slot's confirmed LSN. `0/0`, the default,
    /// starts at the latter.
    #[must_use]
    pub fn start_lsn(mut self, lsn: Lsn) -> Self {
        self.start_lsn = lsn;
        self
    }

    /// Sets the options of the stream.
    #[must_use]
    pub fn options(mut self, options: StreamOptions) -> Self {
        self.options = options;
        self
    }

    /// The options in the syntax of replication commands, for this server.
    ///
    /// # Errors
    /// Those of [`plugin_values`](Self::plugin_values), and a zero byte.
    pub(crate) fn plugin_options(
        &self,
        server: ServerVersion,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let values = self.plugin_values(server)?.into_iter();
        values.map(|(name, value)| Ok((name, literal(&value)?))).collect()
    }

    /// The options of pgoutput and their values, for this server.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) if the server is too old for an
    /// option, [`ErrorKind::Usage`](crate::ErrorKind::Usage) if two options contradict each other
    /// or no publication is given.
    pub(crate) fn plugin_values(
        &self,
        server: ServerVersion,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let proto_version = self.options.negotiate(server)?;
        if self.publications.is_empty() {
            return Err(Error::usage("no publication: name at least one to read"));
        }
        let mut options = vec![
            ("proto_version", proto_version.to_string()),
            ("publication_names", identifier_list(&self.publications)?),
        ];
        for (name, value) in self.options.chosen(server, proto_version) {
            options.push((name, value.to_owned()));
        }
        Ok(options)
    }
}
