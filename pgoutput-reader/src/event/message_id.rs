//! The id of a change: the same whenever it is delivered from the same publications.

use std::fmt;

use pgoutput_decode::Lsn;

/// An id of a change that every delivery of it has: see
/// [`ChangeEvent::message_id`](crate::ChangeEvent::message_id).
///
/// A version 8 UUID (RFC 9562). `Display` writes it in the usual form, as in
/// `00000000-0158-8fac-a000-000061c5d5b4`. Ids of one cluster sort as its WAL does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

impl MessageId {
    /// Combines the parts in the 122 free bits of a version 8 UUID: 64 of LSN, 1 of kind, 25 of
    /// ordinal, 32 of fingerprint. The LSN comes first, so that ids sort as the WAL does.
    pub(super) fn new(lsn: Lsn, kind: Kind, ordinal: u32, fingerprint: Fingerprint) -> Self {
        let lsn = u128::from(lsn.as_u64());
        // 48 bits, 4 of version, 12 bits, 2 of variant, 62 bits.
        let high = (lsn >> 16) << 80 | 8 << 76 | (lsn >> 4 & 0xFFF) << 64;
        let low = 2 << 62
            | (lsn & 0xF) << 58
            | (kind as u128) << 57
            | u128::from(ordinal & 0x01FF_FFFF) << 32
            | u128::from(fingerprint.0);
        Self((high | low).to_be_bytes())
    }

    /// Combines the parts of an event of an initial copy: 64 bits of LSN, 16 of the table's number,
    /// 41 of the row's, into the last 32 of which the fingerprint is mixed. The number of a table
    /// is not zero, so that no message has the same id, and its kind is not that of a change.
    pub(super) fn of_copy(lsn: Lsn, table: u64, row: u64, fingerprint: Fingerprint) -> Self {
        let number = (table % 0xFFFF + 1) << 41 | row & 0x01FF_FFFF_FFFF;
        let ordinal = u32::try_from(number >> 32).unwrap_or_default();
        let low = u32::try_from(number & 0xFFFF_FFFF).unwrap_or_default();
        Self::new(lsn, Kind::Other, ordinal, Fingerprint(fingerprint.0 ^ low))
    }

    /// Returns the 16 bytes of the UUID, in network order.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Calls `write` with the text.
    pub(super) fn with_text<T>(self, write: impl FnOnce(&str) -> T) -> T {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.iter().enumerate() {
            at += usize::from(matches!(index, 4 | 6 | 8 | 10));
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 0xF)];
            at += 2;
        }
        write(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

#[cfg(feature = "uuid")]
impl From<MessageId> for uuid::Uuid {
    fn from(id: MessageId) -> Self {
        Self::from_bytes(id.0)
    }
}

use super::fnv::fnv;

/// A 32-bit fingerprint of one database of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u32);

impl Fingerprint {
    /// FNV-1a over the cluster's system identifier and the database's name, folded to 32 bits.
    pub(crate) fn new(system_identifier: u64, database: &str) -> Self {
        // No identifier contains a zero byte, so it separates the two.
        let system_identifier = system_identifier.to_string();
        let bytes = system_identifier.bytes().chain([0]).chain(database.bytes());
        let hash = fnv(bytes);
        Self((hash >> 32) as u32 ^ (hash & 0xFFFF_FFFF) as u32)
    }
}

/// The kind of event that an id belongs to. The LSN of a message is the end of its record, where
/// the record of a row may start. The description of a table has the LSN of a row and sorts before
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message or the description of a table.
    Other = 0,
    Change = 1,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn is_a_version_8_uuid_of_the_rfc_variant() {
        let id = MessageId::new(Lsn::MAX, Kind::Change, u32::MAX, Fingerprint(u32::MAX));
        assert_eq!(id.to_string(), "ffffffff-ffff-8fff-bfff-ffffffffffff");
        let id = MessageId::new(Lsn::ZERO, Kind::Other, 0, Fingerprint(0x89AB_CDEF));
        assert_eq!(id.to_string(), "00000000-0000-8000-8000-000089abcdef");
        assert_eq!(id.as_bytes(), b"\0\0\0\0\0\0\x80\0\x80\0\0\0\x89\xAB\xCD\xEF");
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn is_read_by_the_crate_uuid() {
        let id = MessageId::new(Lsn::new(0x0158_FAC8), Kind::Change, 7, Fingerprint(0x61C5_D5B4));
        let uuid = uuid::Uuid::from(id);
        assert_eq!(uuid.get_version_num(), 8);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(uuid.to_string(), id.to_string());
    }

    #[test]
    fn every_part_makes_a_difference() {
        let mut seen = HashSet::new();
        for bit in 0..64 {
            assert!(seen.insert(MessageId::new(
                Lsn::new(1 << bit),
                Kind::Other,
                0,
                Fingerprint(0)
            )));
        }
        assert!(seen.insert(MessageId::new(Lsn::ZERO, Kind::Change, 0, Fingerprint(0))));
        for bit in 0..25 {
            assert!(seen.insert(MessageId::new(Lsn::ZERO, Kind::Other, 1 << bit, Fingerprint(0))));
        }
        for bit in 0..32 {
            assert!(seen.insert(MessageId::new(Lsn::ZERO, Kind::Other, 0, Fingerprint(1 << bit))));
        }
    }

    #[test]
    fn rows_of_copies_have_ids_of_their_own() {
        let mut seen = HashSet::new();
        for (table, row) in [(0, 0), (1, 0), (0, 1), (0, 1 << 40), (7, 1 << 32), (0xFFFE, 5)] {
            assert!(seen.insert(MessageId::of_copy(Lsn::new(8), table, row, Fingerprint(9))));
        }
        for kind in [Kind::Other, Kind::Change] {
            assert!(seen.insert(MessageId::new(Lsn::new(8), kind, 0, Fingerprint(9))));
        }
    }

    #[test]
    fn sorts_as_the_log_does() {
        let at =
            |lsn, ordinal| MessageId::new(Lsn::new(lsn), Kind::Change, ordinal, Fingerprint(7));
        assert!(
            at(0xF, 9) < at(0x10, 0)
                && at(0x10, 0) < at(0x10, 1)
                && at(0xFFFF, 0) < at(0x1_0000, 0)
        );
    }

    #[test]
    fn fingerprint_depends_on_cluster_and_database() {
        let one = Fingerprint::new(7_100_000_000_000_000_001, "app");
        assert_eq!(one, Fingerprint::new(7_100_000_000_000_000_001, "app"));
        assert_ne!(one, Fingerprint::new(7_100_000_000_000_000_002, "app"));
        assert_ne!(one, Fingerprint::new(7_100_000_000_000_000_001, "app2"));
    }
}
