//! The id of a change: the same whenever it is delivered from the same publications.

use pgoutput_decode::Lsn;
use uuid::{Builder, Uuid};

use super::fnv::fnv;

/// 32 bits that stand for one database of one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u32);

impl Fingerprint {
    /// FNV-1a over the cluster's system identifier and the database's name, folded to 32 bits.
    pub(crate) fn new(system_identifier: &str, database: &str) -> Self {
        // No identifier holds a zero byte: it keeps the two apart.
        let bytes = system_identifier.bytes().chain([0]).chain(database.bytes());
        let hash = fnv(bytes);
        Self((hash >> 32) as u32 ^ (hash & 0xFFFF_FFFF) as u32)
    }
}

/// The kind of change that an id is of. The LSN of a message is the end of its record, where the
/// record of a row may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message = 0,
    Change = 1,
}

/// Arranges the parts in the 122 free bits of a version 8 UUID: 64 of LSN, 1 of kind, 25 of
/// ordinal, 32 of fingerprint.
///
/// The LSN comes first, so that ids of one cluster sort as its log does.
pub(crate) fn uuid(lsn: Lsn, kind: Kind, ordinal: u32, fingerprint: Fingerprint) -> Uuid {
    let lsn = u128::from(lsn.as_u64());
    // 48 bits, 4 of version, 12 bits, 2 of variant, 62 bits.
    let high = (lsn >> 16) << 80 | (lsn >> 4 & 0xFFF) << 64;
    let low = (lsn & 0xF) << 58
        | (kind as u128) << 57
        | u128::from(ordinal & 0x01FF_FFFF) << 32
        | u128::from(fingerprint.0);
    Builder::from_custom_bytes((high | low).to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn is_a_version_8_uuid_of_the_rfc_variant() {
        let id = uuid(Lsn::MAX, Kind::Change, u32::MAX, Fingerprint(u32::MAX));
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.to_string(), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }

    #[test]
    fn every_part_makes_a_difference() {
        let mut seen = HashSet::new();
        for bit in 0..64 {
            assert!(seen.insert(uuid(Lsn::new(1 << bit), Kind::Message, 0, Fingerprint(0))));
        }
        assert!(seen.insert(uuid(Lsn::ZERO, Kind::Change, 0, Fingerprint(0))));
        for bit in 0..25 {
            assert!(seen.insert(uuid(Lsn::ZERO, Kind::Message, 1 << bit, Fingerprint(0))));
        }
        for bit in 0..32 {
            assert!(seen.insert(uuid(Lsn::ZERO, Kind::Message, 0, Fingerprint(1 << bit))));
        }
    }

    #[test]
    fn sorts_as_the_log_does() {
        let at = |lsn, ordinal| uuid(Lsn::new(lsn), Kind::Change, ordinal, Fingerprint(7));
        assert!(
            at(0xF, 9) < at(0x10, 0)
                && at(0x10, 0) < at(0x10, 1)
                && at(0xFFFF, 0) < at(0x1_0000, 0)
        );
    }

    #[test]
    fn fingerprint_depends_on_cluster_and_database() {
        let one = Fingerprint::new("7100000000000000001", "app");
        assert_eq!(one, Fingerprint::new("7100000000000000001", "app"));
        assert_ne!(one, Fingerprint::new("7100000000000000002", "app"));
        assert_ne!(one, Fingerprint::new("7100000000000000001", "app2"));
    }
}
