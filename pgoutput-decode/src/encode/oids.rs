//! Builder of the tables of a Truncate message.

use alloc::vec::Vec;
use core::fmt;

use super::writer::Writer;
use crate::id::Oid;
use crate::message::Oids;

/// Builder of a list of object ids in one buffer. [`as_oids`](Self::as_oids) borrows them for a
/// [`TruncateBody`](crate::message::TruncateBody).
///
/// Encoding a message with more than `i32::MAX` ids fails.
///
/// ```
/// use pgoutput_decode::encode::{EncodeError, OidsBuf};
/// use pgoutput_decode::message::{TruncateBody, TruncateFlags};
/// use pgoutput_decode::{Message, Oid};
///
/// let tables: OidsBuf = [Oid::new(16403), Oid::new(16404)].into_iter().collect();
/// let truncate = Message::Truncate(TruncateBody {
///     xid: None,
///     flags: TruncateFlags::CASCADE,
///     relations: tables.as_oids(),
/// });
/// assert_eq!(truncate.to_bytes()?, b"T\0\0\0\x02\x01\0\0\x40\x13\0\0\x40\x14");
/// # Ok::<(), EncodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OidsBuf {
    bytes: Vec<u8>,
}

impl OidsBuf {
    /// Creates a builder without ids.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Adds an id.
    pub fn push(&mut self, oid: Oid) -> &mut Self {
        Writer::new(&mut self.bytes).oid(oid);
        self
    }

    /// Returns the ids, for a Truncate message.
    pub fn as_oids(&self) -> Oids<'_> {
        Oids::from_checked(&self.bytes)
    }
}

impl Extend<Oid> for OidsBuf {
    fn extend<I: IntoIterator<Item = Oid>>(&mut self, oids: I) {
        oids.into_iter().for_each(|oid| {
            self.push(oid);
        });
    }
}

impl FromIterator<Oid> for OidsBuf {
    fn from_iter<I: IntoIterator<Item = Oid>>(oids: I) -> Self {
        let mut buf = Self::new();
        buf.extend(oids);
        buf
    }
}

impl fmt::Debug for OidsBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_oids(), f)
    }
}
