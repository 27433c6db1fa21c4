//! The first record of a capture: what was read, and how.

use pgoutput_decode::{Lsn, TimestampTz};

use super::masked_tables::MaskedTables;
use crate::event::Position;
use crate::server_version::ServerVersion;

/// The settings of a capture, from its first record.
///
/// ```no_run
/// use pgoutput_reader::CapturedFrames;
///
/// let frames = CapturedFrames::open("changes.pgocap")?;
/// println!("PostgreSQL {}", frames.header().server_version);
/// # Ok::<(), pgoutput_reader::CaptureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaptureHeader {
    /// The program that wrote the capture, with its version.
    pub writer: String,
    /// The number of the capture, which its files share.
    pub capture: u64,
    /// The number of the file, from 1.
    pub file: u64,
    /// The time at which the file was created, by the clock of the machine that captured.
    pub created: TimestampTz,
    /// The server's version.
    pub server_version: ServerVersion,
    /// The system identifier of the cluster.
    pub system_identifier: u64,
    /// The timeline of the server.
    pub timeline: u32,
    /// The database.
    pub database: String,
    /// The slot.
    pub slot: String,
    /// The publications.
    pub publications: Vec<String>,
    /// The options of the replication stream, by name.
    pub options: Vec<(String, String)>,
    /// Whether the slot sends prepared transactions when they are prepared.
    pub two_phase: bool,
    /// The LSN from which the stream was started.
    pub start_lsn: Lsn,
    /// The columns that are masked, as in `public.people.email`.
    pub masks: Vec<String>,
    /// The tables that were masked in the files before.
    pub(crate) masked_tables: MaskedTables,
    pub(crate) fingerprint: u64,
    /// The LSN that the slot was confirmed at.
    pub(crate) confirmed: Lsn,
    /// The position after which the capture was started.
    pub(crate) resumed_after: Option<Position>,
    /// Whether the stream of the file before goes on.
    pub(crate) continues: bool,
    /// The commit LSN of the last transaction of the files before, and the LSN before which they
    /// have everything.
    pub(crate) before: (Lsn, Lsn),
    /// The prefix of the messages that the capturing reader wrote while idle.
    pub(crate) idle_prefix: Option<String>,
}

impl CaptureHeader {
    /// Encodes the fields as keys and values, each ended by a zero byte.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |key: &str, value: &str| {
            for text in [key, value] {
                // No name of PostgreSQL contains a zero byte.
                out.extend(text.bytes().filter(|byte| *byte != 0));
                out.push(0);
            }
        };
        put("writer", &self.writer);
        put("capture", &format!("{:016x}", self.capture));
        put("file", &self.file.to_string());
        put("continues", if self.continues { "yes" } else { "no" });
        put("server_version_num", &self.server_version.number().to_string());
        put("system_identifier", &self.system_identifier.to_string());
        put("timeline", &self.timeline.to_string());
        put("database", &self.database);
        put("slot", &self.slot);
        for publication in &self.publications {
            put("publication", publication);
        }
        for (name, value) in &self.options {
            put(&format!("option.{name}"), value);
        }
        put("two_phase", if self.two_phase { "yes" } else { "no" });
        put("publication_fingerprint", &format!("{:016x}", self.fingerprint));
        put("start_lsn", &self.start_lsn.to_string());
        put("confirmed_lsn", &self.confirmed.to_string());
        if let Some(position) = &self.resumed_after {
            put("resumed_after", &position.to_string());
        }
        let (commit_lsn, read) = self.before;
        put("before_commit_lsn", &commit_lsn.to_string());
        put("before_lsn", &read.to_string());
        for mask in &self.masks {
            put("mask", mask);
        }
        for table in self.masked_tables.texts() {
            put("masked_table", &table);
        }
        if let Some(prefix) = &self.idle_prefix {
            put("idle_prefix", prefix);
        }
        out
    }

    /// Decodes the payload. Unknown keys are ignored.
    pub(super) fn decode(payload: &[u8], created: i64) -> Result<Self, &'static str> {
        let mut header = Self {
            writer: String::new(),
            capture: 0,
            file: 0,
            created: TimestampTz::from_micros(created),
            server_version: ServerVersion::new(0),
            system_identifier: 0,
            timeline: 0,
            database: String::new(),
            slot: String::new(),
            publications: Vec::new(),
            options: Vec::new(),
            two_phase: false,
            start_lsn: Lsn::ZERO,
            masks: Vec::new(),
            masked_tables: MaskedTables::default(),
            fingerprint: 0,
            confirmed: Lsn::ZERO,
            resumed_after: None,
            continues: false,
            before: (Lsn::ZERO, Lsn::ZERO),
            idle_prefix: None,
        };
        let text = str::from_utf8(payload).map_err(|_| "the header is not UTF-8")?;
        let Some(text) = text.strip_suffix('\0') else { return Err("the header has no end") };
        let mut parts = text.split('\0');
        while let Some(key) = parts.next() {
            let value = parts.next().ok_or("a key of the header has no value")?;
            header.set(key, value).ok_or("a value of the header cannot be read")?;
        }
        if header.file == 0 || header.slot.is_empty() || header.system_identifier == 0 {
            return Err("the header lacks the slot, the cluster or the number of the file");
        }
        Ok(header)
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        let yes = || match value {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        let hex = || u64::from_str_radix(value, 16).ok();
        match key {
            "writer" => self.writer = value.into(),
            "capture" => self.capture = hex()?,
            "file" => self.file = value.parse().ok()?,
            "continues" => self.continues = yes()?,
            "server_version_num" => self.server_version = ServerVersion::new(value.parse().ok()?),
            "system_identifier" => self.system_identifier = value.parse().ok()?,
            "timeline" => self.timeline = value.parse().ok()?,
            "database" => self.database = value.into(),
            "slot" => self.slot = value.into(),
            "publication" => self.publications.push(value.into()),
            "two_phase" => self.two_phase = yes()?,
            "publication_fingerprint" => self.fingerprint = hex()?,
            "start_lsn" => self.start_lsn = value.parse().ok()?,
            "confirmed_lsn" => self.confirmed = value.parse().ok()?,
            "resumed_after" => self.resumed_after = Some(value.parse().ok()?),
            "before_commit_lsn" => self.before.0 = value.parse().ok()?,
            "before_lsn" => self.before.1 = value.parse().ok()?,
            "mask" => self.masks.push(value.into()),
            "masked_table" => self.masked_tables.add(value)?,
            "idle_prefix" => self.idle_prefix = Some(value.into()),
            _ => {
                if let Some(name) = key.strip_prefix("option.") {
                    self.options.push((name.into(), value.into()));
                }
            }
        }
        Some(())
    }

    /// Adds to what the files before have: the transactions up to this commit LSN, and everything
    /// before `read`.
    pub(super) fn add_before(&mut self, commit_lsn: Lsn, read: Lsn) {
        let resumed = self.resumed_after.as_ref().map_or(Lsn::ZERO, |position| {
            // Outside of a transaction, one that starts to commit there is still to come.
            let is_in = u64::from(position.raw_index().is_none());
            Lsn::new(position.commit_lsn().as_u64().saturating_sub(is_in))
        });
        self.before.0 = self.before.0.max(commit_lsn).max(resumed);
        self.before.1 = self.before.1.max(read);
    }

    /// Returns the first setting in which a capture that continues this one differs.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        [
            ("cluster", self.system_identifier == other.system_identifier),
            ("timeline", self.timeline == other.timeline),
            ("database", self.database == other.database),
            ("slot", self.slot == other.slot),
            ("publication", self.publications == other.publications),
            ("option of the stream", self.options == other.options),
            ("selection of events", self.fingerprint == other.fingerprint),
            ("mask", self.masks == other.masks),
        ]
        .into_iter()
        .find_map(|(setting, is_same)| (!is_same).then_some(setting))
    }
}

#[cfg(test)]
mod tests {
    use pgoutput_decode::Oid;

    use super::*;

    pub(crate) fn header() -> CaptureHeader {
        let mut masked_tables = MaskedTables::default();
        masked_tables.insert(Oid::new(7), "public", "people");
        CaptureHeader {
            writer: "pgoutput-reader 0.1".into(),
            capture: 7,
            file: 2,
            created: TimestampTz::from_micros(5),
            server_version: ServerVersion::new(150_018),
            system_identifier: 7_574_093_210_001_112_223,
            timeline: 1,
            database: "app".into(),
            slot: "my_slot".into(),
            publications: vec!["a".into(), "b c".into()],
            options: vec![("proto_version".into(), "'3'".into())],
            two_phase: true,
            start_lsn: Lsn::new(9),
            masks: vec!["public.people.email".into()],
            masked_tables,
            fingerprint: u64::MAX,
            confirmed: Lsn::new(8),
            resumed_after: "1:7:1:my_slot:79142219578eefc7:0/158FAC8:3.".parse().ok(),
            continues: true,
            before: (Lsn::new(3), Lsn::new(4)),
            idle_prefix: Some("pgoutput.idle".into()),
        }
    }

    #[test]
    fn the_header_is_read_back() {
        let header = header();
        assert_eq!(CaptureHeader::decode(&header.encode(), 5), Ok(header));
    }

    #[test]
    fn unknown_keys_are_ignored_and_bad_values_refused() {
        let mut bytes = header().encode();
        bytes.extend(b"of a later version\0x\0");
        assert_eq!(CaptureHeader::decode(&bytes, 5), Ok(header()));
        for bad in [&b"file\0x\0"[..], b"file\0", b"\xFF\0\0", b"", b"writer\0x\0"] {
            assert!(CaptureHeader::decode(bad, 0).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_difference_is_named() {
        let (one, mut other) = (header(), header());
        assert_eq!(one.difference(&other), None);
        other.masks.clear();
        assert_eq!(one.difference(&other), Some("mask"));
    }
}
