//! The byte that identifies the kind of a message.

use core::fmt;

/// The first byte of a frame, as received.
///
/// Every byte is a valid tag. `Debug` and `Display` print the manual's name if there is one, else
/// the byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u8);

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $byte:literal, $text:literal;)*) => {
        impl Tag {
            $($(#[$doc])* pub const $name: Self = Self($byte);)*

            /// Returns the name of the message in the manual, section "Logical Replication Message
            /// Formats" or "Streaming Replication Protocol".
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($byte => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    /// Begin.
    BEGIN = b'B', "Begin";
    /// Message, a logical decoding message.
    MESSAGE = b'M', "Message";
    /// Commit.
    COMMIT = b'C', "Commit";
    /// Origin.
    ORIGIN = b'O', "Origin";
    /// Relation.
    RELATION = b'R', "Relation";
    /// Type.
    TYPE = b'Y', "Type";
    /// Insert.
    INSERT = b'I', "Insert";
    /// Update.
    UPDATE = b'U', "Update";
    /// Delete.
    DELETE = b'D', "Delete";
    /// Truncate.
    TRUNCATE = b'T', "Truncate";
    /// Stream Start.
    STREAM_START = b'S', "Stream Start";
    /// Stream Stop.
    STREAM_STOP = b'E', "Stream Stop";
    /// Stream Commit.
    STREAM_COMMIT = b'c', "Stream Commit";
    /// Stream Abort.
    STREAM_ABORT = b'A', "Stream Abort";
    /// Begin Prepare.
    BEGIN_PREPARE = b'b', "Begin Prepare";
    /// Prepare.
    PREPARE = b'P', "Prepare";
    /// Commit Prepared.
    COMMIT_PREPARED = b'K', "Commit Prepared";
    /// Rollback Prepared.
    ROLLBACK_PREPARED = b'r', "Rollback Prepared";
    /// Stream Prepare.
    STREAM_PREPARE = b'p', "Stream Prepare";
    /// XLogData, an envelope around a message.
    XLOG_DATA = b'w', "XLogData";
    /// Primary keepalive message, an envelope without a message.
    PRIMARY_KEEPALIVE = b'k', "Primary keepalive";
    /// Hot standby feedback, sent by the client.
    HOT_STANDBY_FEEDBACK = b'h', "Hot standby feedback";
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            write!(f, "{name} ('{}')", self.0 as char)
        } else if self.0.is_ascii_graphic() {
            write!(f, "message '{}'", self.0 as char)
        } else {
            write!(f, "message 0x{:02X}", self.0)
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
