//! Errors of stored positions.

use pgoutput_decode::{Lsn, Printable};

use super::{Error, ErrorKind};

const COMMITS_WAIT: &str = ", or by this reader while it was idle (which cannot be determined when \
                            commits wait for it: synchronous_standby_names, Acknowledge::Stages)";

/// An error of a stored position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PositionError {
    /// The text is empty.
    #[error(
        "the stored position is empty: it was never written, or was lost, and the events \
         processed are unknown; start again from a snapshot"
    )]
    Empty,
    /// The text is incomplete.
    #[error(
        "the stored position ends early, in its {part}: its writing was interrupted; store it in \
         one step with the data, in a transaction or by renaming a synced file"
    )]
    EndsEarly {
        /// The part in which it ends.
        part: &'static str,
    },
    /// The text is not a position.
    #[error("invalid text of a position: its {part} cannot be read")]
    Malformed {
        /// The part that cannot be read.
        part: &'static str,
    },
    /// A position was acknowledged that this reader did not deliver, such as a stored one.
    #[error(
        "position {position} was not delivered by this reader and cannot be acknowledged on it: \
         acknowledge positions of its own events; pass a stored one to ReaderBuilder::resume",
        position = Printable(.position)
    )]
    NotDelivered {
        /// The position's text.
        position: String,
    },
    /// A stage was acknowledged on a reader that reports one LSN for all stages.
    #[error(
        "this reader does not distinguish written, flushed and applied: build it with \
         Acknowledge::Stages, or use `acknowledge`"
    )]
    NoStages,
    /// The position is of another slot.
    #[error(
        "the position is of slot \"{position}\", and the reader's slot is \"{slot}\": use the \
         position's slot",
        position = Printable(.position),
        slot = Printable(.slot)
    )]
    OtherSlot {
        /// The position's slot.
        position: String,
        /// The slot to be read.
        slot: String,
    },
    /// The position was taken with other publications or options, so the events differ or are
    /// counted differently.
    #[error(
        "the position was taken with other publications or other options messages, origin or \
         two_phase ({}; fingerprint {position:016x}, now {current:016x}): use the same ones, or \
         start again from a snapshot",
        Printable(.change.as_deref().unwrap_or("it is not known which"))
    )]
    OtherPublications {
        /// The position's publication fingerprint.
        position: u64,
        /// The fingerprint of the publications and options now.
        current: u64,
        /// The change, if a single one explains it: `the option messages was on`.
        change: Option<String>,
    },
    /// The slot is ahead of the position, and no reader at the position confirmed it. It was
    /// recreated, or advanced by another program.
    #[error(
        "slot \"{slot}\" is confirmed up to {confirmed_flush_lsn}, ahead of the position {lsn}, \
         and keeps WAL from {} on: the slot was recreated, or advanced by another program{}, and \
         does not have what was committed in between; start again from a snapshot, or, if nothing \
         can be missing, set trust_slot(true)",
        .restart_lsn.map_or_else(|| "nowhere".to_owned(), |lsn| lsn.to_string()),
        if *.commits_wait { COMMITS_WAIT } else { "" },
        slot = Printable(.slot)
    )]
    SlotAhead {
        /// The slot.
        slot: String,
        /// The position's LSN.
        lsn: Lsn,
        /// The slot's confirmed LSN. Transactions that committed before it are not sent again.
        confirmed_flush_lsn: Lsn,
        /// The oldest WAL that the server keeps for the slot.
        restart_lsn: Option<Lsn>,
        /// Whether commits may wait for this reader. The LSNs that it confirms then do not identify
        /// the last acknowledged event.
        commits_wait: bool,
    },
    /// Nothing is stored, and a reader has acknowledged an event of the slot.
    #[error(
        "nothing is stored, but slot \"{slot}\" was read, and is confirmed up to \
         {confirmed_flush_lsn}: the destination lost its content, or is not the one that was \
         written before; restore it, or start again with a new slot and a snapshot, or, if nothing \
         can be missing, set trust_slot(true)",
        slot = Printable(.slot)
    )]
    NothingStored {
        /// The slot.
        slot: String,
        /// The slot's confirmed LSN. Transactions that committed before it are not sent again.
        confirmed_flush_lsn: Lsn,
    },
    /// The slot is ahead of the position, and was confirmed after another event. The position is
    /// not the newest one acknowledged, or another reader uses the slot.
    #[error(
        "slot \"{slot}\" was confirmed up to {confirmed_flush_lsn} after another event than the \
         one at {lsn}: an event was acknowledged before its position was stored, an old position \
         was restored, or another reader uses the slot, which no longer has what is in between; \
         start again from a snapshot, or, if nothing can be missing, set trust_slot(true)",
        slot = Printable(.slot)
    )]
    Superseded {
        /// The slot.
        slot: String,
        /// The position's LSN.
        lsn: Lsn,
        /// The slot's confirmed LSN.
        confirmed_flush_lsn: Lsn,
    },
}

impl From<PositionError> for Error {
    fn from(error: PositionError) -> Self {
        ErrorKind::Position(error).into()
    }
}
