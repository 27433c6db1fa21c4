//! What START_REPLICATION asks of pgoutput, checked against the server's version
//! (manual, section "Logical Streaming Replication Parameters").

use pgoutput_decode::Lsn;

use super::quote::{identifier_list, literal};
use super::version::ServerVersion;
use crate::{Error, ErrorKind};

/// How the changes of a slot are to be sent.
///
/// ```
/// use pgoutput_reader::{StartReplication, Streaming};
///
/// let mut start = StartReplication::new("my_slot", ["my_publication"]);
/// start.streaming = Streaming::On;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartReplication {
    /// The slot to read.
    pub slot: String,
    /// Where to start; the slot's confirmed position where that is later. `0/0`: there.
    pub start_lsn: Lsn,
    /// Version of the pgoutput protocol, 1 to 4; `None` takes the newest the server speaks.
    pub proto_version: Option<u32>,
    /// The publications; at least one.
    pub publications: Vec<String>,
    /// Column values in binary, where their type has a binary form. PostgreSQL 14 and later.
    pub binary: bool,
    /// Also messages written by `pg_logical_emit_message`. PostgreSQL 14 and later.
    pub messages: bool,
    /// Large transactions in pieces, before they commit.
    pub streaming: Streaming,
    /// Prepared transactions when they are prepared, not when they are committed. PostgreSQL 15 and
    /// later; stays switched on in the slot.
    pub two_phase: bool,
    /// Changes by where they came from. PostgreSQL 16 and later; `None` leaves it to the server, which sends all.
    pub origin: Option<Origin>,
    /// What to do where a publication does not exist at the point of the log that is being read.
    pub missing_publication: MissingPublication,
}

/// What to do where a publication does not exist at the point of the log that is being read: it was dropped or renamed
/// for a while, or created after the slot, whatever the catalogue says now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingPublication {
    /// The stream ends there with [`StreamError::PublicationMissing`](crate::StreamError::PublicationMissing).
    /// Nothing from there on is confirmed.
    #[default]
    Refuse,
    /// The stream goes on and reports it. The changes that only this publication would publish are lost to the slot, from
    /// that point to the one where the publication was created. PostgreSQL 18 and later: older servers cannot go on.
    Skip,
}

/// Whether large transactions come in pieces, before they commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Streaming {
    /// Every transaction comes whole, after its commit.
    #[default]
    Off,
    /// Large ones in pieces. PostgreSQL 14 and later.
    On,
    /// The same, and aborts say their LSN and time. PostgreSQL 16 and later.
    Parallel,
}

/// Which changes are sent, by where they came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// All changes.
    Any,
    /// Only changes made on this server, none that it replicated from elsewhere.
    None,
}

impl StartReplication {
    /// All changes of these publications from where the slot stands, each transaction after its commit.
    pub fn new<P: Into<String>>(
        slot: impl Into<String>,
        publications: impl IntoIterator<Item = P>,
    ) -> Self {
        Self {
            slot: slot.into(),
            start_lsn: Lsn::ZERO,
            proto_version: None,
            publications: publications.into_iter().map(Into::into).collect(),
            binary: false,
            messages: false,
            streaming: Streaming::Off,
            two_phase: false,
            origin: None,
            missing_publication: MissingPublication::Refuse,
        }
    }

    /// The options as pgoutput reads them, for this server.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the server is too old for one, [`ErrorKind::Usage`] when two contradict
    /// each other or a publication is missing.
    pub(crate) fn plugin_options(
        &self,
        server: ServerVersion,
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let proto_version = self.negotiate(server)?;
        if self.publications.is_empty() {
            return Err(Error::usage("no publication: name at least one to read"));
        }
        let mut options = vec![
            ("proto_version", literal(&proto_version.to_string())?),
            ("publication_names", literal(&identifier_list(&self.publications)?)?),
        ];
        let mut add = |name, value| literal(value).map(|value| options.push((name, value)));
        if self.binary {
            add("binary", "true")?;
        }
        if self.messages {
            add("messages", "true")?;
        }
        match self.streaming {
            Streaming::Off => {}
            Streaming::On => add("streaming", "on")?,
            Streaming::Parallel => add("streaming", "parallel")?,
        }
        if self.two_phase {
            add("two_phase", "on")?;
        }
        match self.origin {
            None => {}
            Some(Origin::Any) => add("origin", "any")?,
            Some(Origin::None) => add("origin", "none")?,
        }
        Ok(options)
    }

    /// The protocol version to ask for.
    fn negotiate(&self, server: ServerVersion) -> Result<u32, Error> {
        let asked = self.proto_version.unwrap_or_else(|| server.proto_version());
        let by_proto = match asked {
            1 => ("proto_version 1", 10),
            2 => ("proto_version 2", 14),
            3 => ("proto_version 3", 15),
            4 => ("proto_version 4", 16),
            other => {
                return Err(Error::usage(format!(
                    "proto_version {other} does not exist: choose 1 to 4"
                )));
            }
        };
        let parallel = self.streaming == Streaming::Parallel;
        // Name, first server that knows it, first protocol version that carries it, whether it is asked for.
        let wanted = [
            (by_proto.0, by_proto.1, 1, true),
            ("binary", 14, 1, self.binary),
            ("messages", 14, 1, self.messages),
            ("streaming 'on'", 14, 2, self.streaming == Streaming::On),
            ("streaming 'parallel'", 16, 4, parallel),
            ("two_phase", 15, 3, self.two_phase),
            ("origin", 16, 1, self.origin.is_some()),
            ("missing_publication", 18, 1, self.missing_publication == MissingPublication::Skip),
        ];
        for (option, needed, proto, _) in wanted.into_iter().filter(|wanted| wanted.3) {
            if server.major() < needed {
                return Err(ErrorKind::Unsupported { option, needed, server }.into());
            }
            if asked < proto {
                return Err(Error::usage(format!(
                    "{option} needs proto_version {proto}, and {asked} was asked for"
                )));
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
