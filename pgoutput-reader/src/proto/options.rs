//! The options of pgoutput, checked against the server's version (manual, section "Logical
//! Streaming Replication Parameters").

use crate::error::{Error, ErrorKind};
use crate::server_version::ServerVersion;

/// The options of a replication stream, for [`ReplicationStream`](crate::ReplicationStream) and
/// [`Reader`](crate::Reader).
///
/// ```
/// use pgoutput_reader::StreamOptions;
///
/// let options = StreamOptions::new().binary(true).messages(true);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamOptions {
    pub(crate) proto_version: Option<u32>,
    pub(crate) binary: bool,
    pub(crate) messages: bool,
    /// `None` for the default of the one who reads.
    pub(crate) streaming: Option<Streaming>,
    /// The default where the server supports it.
    pub(crate) default_streaming: Streaming,
    pub(crate) two_phase: bool,
    pub(crate) origin: Option<Origin>,
    pub(crate) missing_publication: MissingPublication,
}

/// The policy for a publication that does not exist at the point of the WAL that is read. It may
/// exist now, if it was dropped or renamed for a while, or created after the slot.
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

impl StreamOptions {
    /// Returns the default options: values as text, each transaction after its commit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the version of the pgoutput protocol, 1 to 4. The default is the newest that the server
    /// supports.
    #[must_use]
    pub fn proto_version(mut self, version: u32) -> Self {
        self.proto_version = Some(version);
        self
    }

    /// Sets whether values are sent in binary format if their type has one (PostgreSQL 14 and
    /// later).
    ///
    /// Values and JSON are the same, with few exceptions. `regclass` and similar types are numbers
    /// instead of names. Types without a reader have the bytes of their binary format instead of
    /// their text, and so do values that cannot be read. An array, composite or range of a type
    /// without a binary format, such as `aclitem`, ends the stream with the server's error.
    #[must_use]
    pub fn binary(mut self, binary: bool) -> Self {
        self.binary = binary;
        self
    }

    /// Sets whether messages written by `pg_logical_emit_message` are sent (PostgreSQL 14 and
    /// later).
    #[must_use]
    pub fn messages(mut self, messages: bool) -> Self {
        self.messages = messages;
        self
    }

    /// Sets whether large transactions are sent in chunks before they commit.
    ///
    /// The default of [`Reader`](crate::Reader), which assembles them, is
    /// [`On`](Streaming::On) where the server supports it: see
    /// [`SpillOptions`](crate::SpillOptions). The default of
    /// [`ReplicationStream`](crate::ReplicationStream) is [`Off`](Streaming::Off).
    #[must_use]
    pub fn streaming(mut self, streaming: Streaming) -> Self {
        self.streaming = Some(streaming);
        self
    }

    /// Sets whether prepared transactions are sent when they are prepared, not when they are
    /// committed (PostgreSQL 15 and later). The slot keeps this option, so a later stream with the
    /// option off sends them in the same way.
    ///
    /// [`Reader`](crate::Reader) then delivers the changes of such a transaction when it is
    /// prepared, and ends them with [`Op::Prepare`](crate::Op::Prepare). Once it is committed or
    /// rolled back, [`Op::CommitPrepared`](crate::Op::CommitPrepared) or
    /// [`Op::RollbackPrepared`](crate::Op::RollbackPrepared) follows, without rows.
    ///
    /// If a transaction is rolled back while the reader is not connected, the server may send it
    /// again without some of its rows, or without any. What was delivered of it is then not
    /// repeated, and `Op::RollbackPrepared` follows in any case.
    #[must_use]
    pub fn two_phase(mut self, two_phase: bool) -> Self {
        self.two_phase = two_phase;
        self
    }

    /// Sets which changes are sent, by their origin (PostgreSQL 16 and later). The default is the
    /// server's, which sends all.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Sets the policy for a publication that does not exist at the point of the WAL that is read;
    /// [`MissingPublication::Refuse`] by default. A publication that does not exist when the stream
    /// first starts is always an error.
    #[must_use]
    pub fn missing_publication(mut self, missing: MissingPublication) -> Self {
        self.missing_publication = missing;
        self
    }

    /// The setting of `streaming` for this server and protocol version.
    fn streaming_for(&self, server: ServerVersion, proto_version: u32) -> Streaming {
        let is_supported = server.major() >= 14 && proto_version >= 2;
        match self.streaming {
            Some(streaming) => streaming,
            None if is_supported => self.default_streaming,
            None => Streaming::Off,
        }
    }

    /// The options that differ from the server's defaults, with their values.
    pub(super) fn chosen(
        &self,
        server: ServerVersion,
        proto_version: u32,
    ) -> impl Iterator<Item = (&'static str, &'static str)> {
        let streaming = match self.streaming_for(server, proto_version) {
            Streaming::Off => None,
            Streaming::On => Some("on"),
            Streaming::Parallel => Some("parallel"),
        };
        let origin = self.origin.map(|origin| match origin {
            Origin::Any => "any",
            Origin::None => "none",
        });
        [
            ("binary", self.binary.then_some("true")),
            ("messages", self.messages.then_some("true")),
            ("streaming", streaming),
            ("two_phase", self.two_phase.then_some("on")),
            ("origin", origin),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// The protocol version to request.
    pub(super) fn negotiate(&self, server: ServerVersion) -> Result<u32, Error> {
        let requested = self.proto_version.unwrap_or_else(|| server.proto_version());
        let by_proto = match requested {
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
        let parallel = self.streaming == Some(Streaming::Parallel);
        // Name, first server and first protocol version that support it, whether it is requested.
        let wanted = [
            (by_proto.0, by_proto.1, 1, true),
            ("binary", 14, 1, self.binary),
            ("messages", 14, 1, self.messages),
            ("streaming 'on'", 14, 2, self.streaming == Some(Streaming::On)),
            ("streaming 'parallel'", 16, 4, parallel),
            ("two_phase", 15, 3, self.two_phase),
            ("origin", 16, 1, self.origin.is_some()),
            ("missing_publication", 18, 1, self.missing_publication == MissingPublication::Skip),
        ];
        for (option, needed, proto, _) in wanted.into_iter().filter(|wanted| wanted.3) {
            if server.major() < needed {
                return Err(ErrorKind::Unsupported { option, needed, server }.into());
            }
            if requested < proto {
                return Err(Error::usage(format!(
                    "{option} needs proto_version {proto}, and {requested} was requested"
                )));
            }
        }
        Ok(requested)
    }
}

#[cfg(test)]
mod tests;
