//! Positions of events: for acknowledging them, and for resuming after them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use pgoutput_decode::Lsn;

use super::signature::Signature;
use super::stream_identity::{IdentityKey, ReaderId, StreamIdentity};
use crate::error::PositionError;

/// The position of an event: the commit LSN of its transaction and its index in it, with the
/// cluster, the timeline, the slot and the publications that it belongs to.
///
/// You pass it to [`Acknowledger::acknowledge`](crate::Acknowledger::acknowledge). Dropping it does
/// nothing. Creating and cloning one does not allocate.
///
/// # Storing
///
/// [`Display`](fmt::Display) and [`FromStr`] have one text form, which `serde` (feature `serde`) uses as well:
///
/// ```text
/// 1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.
/// | |                   | |       |                |         | the end; without it the text is incomplete
/// | |                   | |       |                |         index in the transaction, from 0; "-" outside of one,
/// | |                   | |       |                |         "end" for an event that ends one, and "s3" for the
/// | |                   | |       |                |         description of a table before the event of index 3
/// | |                   | |       |                LSN of the commit record
/// | |                   | |       publication fingerprint, 16 hexadecimal digits
/// | |                   | slot
/// | |                   timeline
/// | system identifier of the cluster
/// version of this form
/// ```
///
/// A position from a [copy of tables](crate::Snapshot), or from shortly after one, has a further
/// part before the end: the tables that are copied, and at which LSNs. With
/// [`Snapshot::added`](crate::Snapshot::added) this part also lists the published tables that are
/// known, in two to five bytes for each.
///
/// A reader resumes after a stored position with
/// [`ReaderBuilder::resume`](crate::ReaderBuilder::resume).
///
/// ```
/// use pgoutput_reader::Position;
///
/// let stored = "1:7574093210001112223:1:my_slot:79142219578eefc7:0/158FAC8:3.";
/// let position: Position = stored.parse()?;
/// assert_eq!((position.slot(), position.index()), ("my_slot", Some(3)));
/// assert_eq!(position.to_string(), stored);
/// # Ok::<(), pgoutput_reader::PositionError>(())
/// ```
///
/// The *publication fingerprint* represents the settings that decide which events there are and how
/// they are numbered: the names of the publications, and the options `messages`, `origin` and
/// `two_phase`. It does not cover the content of the publications: the server uses their content at
/// the time when the transaction was written, however often it sends it. Events that end
/// transactions and descriptions of tables are not counted, so it does not cover these either.
///
/// Two positions are equal when their texts are.
#[derive(Clone)]
pub struct Position {
    identity: Arc<StreamIdentity>,
    commit_lsn: Lsn,
    /// The index of the event in its transaction, the same with [`SCHEMA`], or [`END`]; `None`
    /// outside of a transaction.
    index: Option<u64>,
    /// The number of the event on its reader, from 1, without gaps; 0 for a position that is not an
    /// event of a reader.
    delivery: u64,
    /// Whether this is an idle position, after that event and before the next.
    idle: bool,
}

/// The index of an event that ends a transaction. So many events fit in none.
pub(crate) const END: u64 = u64::MAX;

/// The bit of an index that distinguishes the description of a table from the event of the same
/// index, which follows it.
pub(crate) const SCHEMA: u64 = 1 << 63;

impl Position {
    pub(crate) fn new(
        identity: &Arc<StreamIdentity>,
        commit_lsn: Lsn,
        index: Option<u64>,
        delivery: u64,
    ) -> Self {
        Self { identity: Arc::clone(identity), commit_lsn, index, delivery, idle: false }
    }

    /// Returns the position after the event with this number, when nothing more is published before
    /// `lsn`.
    pub(crate) fn idle(identity: &Arc<StreamIdentity>, lsn: Lsn, delivery: u64) -> Self {
        let identity = Arc::clone(identity);
        Self { identity, commit_lsn: lsn, index: None, delivery, idle: true }
    }

    /// Returns the start of the transaction's commit record. For a message outside of transactions,
    /// or an idle position, it is the LSN up to which everything counts as read.
    pub fn commit_lsn(&self) -> Lsn {
        self.commit_lsn
    }

    /// Returns the index of the event in its transaction, from 0. Many events share one commit LSN:
    /// the index distinguishes them. `None` outside of a transaction, and for an event that ends
    /// one ([`Op::Commit`](crate::Op::Commit)). The description of a table
    /// ([`Op::Schema`](crate::Op::Schema)) has the index of the event that follows it.
    pub fn index(&self) -> Option<u64> {
        self.index.filter(|index| *index != END).map(|index| index & !SCHEMA)
    }

    /// Returns the index as it was passed to [`new`](Self::new).
    pub(crate) fn raw_index(&self) -> Option<u64> {
        self.index
    }

    /// Returns the unique number of the cluster (manual, section "pg_control_system").
    pub fn system_identifier(&self) -> u64 {
        self.identity.system_identifier
    }

    /// Returns the timeline that the server was on when the reader connected.
    pub fn timeline(&self) -> u32 {
        self.identity.timeline
    }

    /// Returns the replication slot.
    pub fn slot(&self) -> &str {
        &self.identity.slot
    }

    /// Returns a number for the publications and the options that decide which events there are.
    pub fn publication_fingerprint(&self) -> u64 {
        self.identity.publications
    }

    pub(crate) fn identity(&self) -> &StreamIdentity {
        &self.identity
    }

    /// Returns the number of the event on this reader, if it is an event of it.
    pub(crate) fn delivery_of(&self, reader: ReaderId) -> Option<u64> {
        (self.identity.reader == reader && reader != ReaderId::NONE).then_some(self.delivery)
    }

    /// Returns the signature of this event in confirmed LSNs.
    pub(crate) fn signature(&self) -> Signature {
        Signature::new(&self.identity, self.commit_lsn, self.index)
    }

    /// Returns whether it is an idle position, after the event of its number.
    pub(crate) fn is_idle(&self) -> bool {
        self.idle
    }

    fn key(&self) -> (IdentityKey<'_>, Lsn, Option<u64>) {
        (self.identity.key(), self.commit_lsn, self.index)
    }
}

impl PartialEq for Position {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Position {}

impl Hash for Position {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

const VERSION: &str = "1";

/// The end of the text. A text without it was truncated.
const END_OF_TEXT: char = '.';

/// The index of an event that ends a transaction, as text.
const END_OF_TRANSACTION: &str = "end";

/// The letter before the index of the description of a table, as text.
const BEFORE: char = 's';

/// The separator before the known tables, as text.
const KNOWN: char = '!';

/// The parts of the text, in order.
const PARTS: [&str; 8] = [
    "version",
    "system identifier",
    "timeline",
    "slot",
    "publication fingerprint",
    "LSN",
    "index",
    "copied tables",
];

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamIdentity {
            system_identifier, timeline, slot, publications, copied, known, ..
        } = &*self.identity;
        let commit_lsn = self.commit_lsn;
        write!(
            f,
            "{VERSION}:{system_identifier}:{timeline}:{slot}:{publications:016x}:{commit_lsn}:"
        )?;
        match self.index {
            Some(END) => f.write_str(END_OF_TRANSACTION)?,
            Some(index) if index & SCHEMA != 0 => write!(f, "{BEFORE}{}", index & !SCHEMA)?,
            Some(index) => write!(f, "{index}")?,
            None => f.write_str("-")?,
        }
        if copied.is_some() || known.is_some() {
            f.write_str(":")?;
        }
        if let Some(copied) = copied {
            write!(f, "{copied}")?;
        }
        if let Some(known) = known {
            write!(f, "{KNOWN}{known}")?;
        }
        write!(f, "{END_OF_TEXT}")
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let wrong = |part| PositionError::Malformed { part };
        let text = text.trim_ascii();
        // After a power failure, a file system may leave zero bytes in place of the text.
        if text.bytes().all(|byte| byte == 0) {
            return Err(PositionError::Empty);
        }
        let Some(text) = text.strip_suffix(END_OF_TEXT) else {
            let last = text.split(':').count();
            return Err(match PARTS.get(last.saturating_sub(1)) {
                Some(part) if text.starts_with(VERSION) => PositionError::EndsEarly { part },
                Some(_) => wrong("version"),
                None => wrong("end"),
            });
        };
        let mut parts = text.split(':');
        let mut next = |part| parts.next().ok_or_else(|| wrong(part));
        if next("version")? != VERSION {
            return Err(wrong("version"));
        }
        let system_identifier = decimal(next("system identifier")?);
        let timeline = decimal(next("timeline")?);
        let slot = next("slot")?;
        let publications = next("publication fingerprint")?;
        let commit_lsn = next("LSN")?;
        let index = match next("index")? {
            "-" => None,
            END_OF_TRANSACTION => Some(END),
            index => {
                let (digits, bit) = match index.strip_prefix(BEFORE) {
                    Some(digits) => (digits, SCHEMA),
                    None => (index, 0),
                };
                let index = decimal(digits).filter(|index| index & SCHEMA == 0);
                Some(index.ok_or_else(|| wrong("index"))? | bit)
            }
        };
        let (copied, known) = match parts.next().map(|part| (part, part.split_once(KNOWN))) {
            Some((_, Some((copied, known)))) => {
                (Some(copied).filter(|copied| !copied.is_empty()), Some(known))
            }
            Some((copied, None)) => (Some(copied), None),
            None => (None, None),
        };
        if parts.next().is_some() {
            return Err(wrong("end"));
        }
        let is_name = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if slot.is_empty() || slot.len() > 63 || !slot.bytes().all(is_name) {
            return Err(wrong("slot"));
        }
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let publications = Some(publications)
            .filter(|digits| digits.len() == 16 && digits.bytes().all(is_digit))
            .and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let identity = StreamIdentity {
            reader: ReaderId::NONE,
            system_identifier: system_identifier.ok_or_else(|| wrong("system identifier"))?,
            timeline: timeline.ok_or_else(|| wrong("timeline"))?,
            slot: slot.into(),
            publications: publications.ok_or_else(|| wrong("publication fingerprint"))?,
            copied: match copied.map(str::parse) {
                Some(Ok(copied)) => Some(Box::new(copied)),
                Some(Err(_)) => return Err(wrong("copied tables")),
                None => None,
            },
            known: match known.map(str::parse) {
                Some(Ok(known)) => Some(Arc::new(known)),
                Some(Err(())) => return Err(wrong("copied tables")),
                None => None,
            },
        };
        let commit_lsn = commit_lsn.parse().map_err(|_| wrong("LSN"))?;
        Ok(Self { identity: Arc::new(identity), commit_lsn, index, delivery: 0, idle: false })
    }
}

/// Parses digits without a sign.
fn decimal<T: FromStr>(digits: &str) -> Option<T> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(feature = "serde")]
mod of_serde {
    use std::fmt;

    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::Position;

    /// Serialises the position as its text.
    impl Serialize for Position {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    /// Deserialises the position from its text.
    impl<'de> Deserialize<'de> for Position {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Text;

            impl Visitor<'_> for Text {
                type Value = Position;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("the text of a position")
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Position, E> {
                    text.parse().map_err(E::custom)
                }
            }

            deserializer.deserialize_str(Text)
        }
    }
}

#[cfg(test)]
mod tests;
