//! The options of START_REPLICATION for pgoutput, checked against the server's version (manual,
//! section "Logical Streaming Replication Parameters").

use pgoutput_decode::Lsn;

use super::quote::{identifier_list, literal};
use crate::server_version::ServerVersion;
use crate::{Error, ErrorKind};

/// The options of a replication stream.
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
    /// The LSN to start at, if it is after the slot's confirmed LSN. `0/0` starts at the latter.
    pub start_lsn: Lsn,
    /// The version of the pgoutput protocol, 1 to 4. `None` is the newest that the server supports.
    pub proto_version: Option<u32>,
    /// The publications; at least one.
    pub publications: Vec<String>,
    /// Send values in binary format if their type has one. PostgreSQL 14 and later.
    pub binary: bool,
    /// Send messages written by `pg_logical_emit_message`. PostgreSQL 14 and later.
    pub messages: bool,
    /// Send large transactions in chunks before they commit.
    pub streaming: Streaming,
    /// Send prepared transactions when they are prepared, not when they are committed. PostgreSQL
    /// 15 and later. The slot keeps this option.
    pub two_phase: bool,
    /// Send only changes of this origin. PostgreSQL 16 and later. `None` is the server's default,
    /// which sends all.
    pub origin: Option<Origin>,
    /// The treatment of a publication that does not exist at the point of the WAL being read.
    pub missing_publication: MissingPublication,
}

/// The policy for a publication that does not exist at the point of the WAL that is read, although
/// it may exist now: it was dropped or renamed for a while, or created after the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingPublication {
    /// End the stream with
    /// [`StreamError::PublicationMissing`](crate::StreamError::PublicationMissing). Nothing from
    /// there on is confirmed.
    #[default]
    Refuse,
    /// Continue and report it. The changes that only this publication would publish are lost to the
    /// slot, from that point to the one where the publication was created. PostgreSQL 18 and later:
    /// older servers cannot continue.
    Skip,
}

/// The sending of large transactions before they commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Streaming {
    /// Send every transaction whole, after its commit.
    #[default]
    Off,
    /// Send large transactions in chunks. PostgreSQL 14 and later.
    On,
    /// The same, and aborts have their LSN and time. PostgreSQL 16 and later.
    Parallel,
}

/// The origins whose changes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// All changes.
    Any,
    /// Only changes made on this server, not those that it replicated from another one.
    None,
}

impl StartReplication {
    /// Creates options that send all changes of these publications from the slot's confirmed LSN
    /// on, each transaction after its commit.
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

    /// The options in pgoutput's syntax, for this server.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the server is too old for an option, [`ErrorKind::Usage`] if
    /// two options contradict each other or no publication is given.
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

    /// The protocol version to request.
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
        // Name, first server and first protocol version that support it, whether it is requested.
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
                    "{option} needs proto_version {proto}, and {asked} was requested"
                )));
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests;
