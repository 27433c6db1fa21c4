//! What can be wrong with a position.

use pgoutput_decode::{Lsn, Printable};

use super::{Error, ErrorKind};

const COMMITS_WAIT: &str = ", or by this reader while nothing came, which cannot be known since commits wait for \
                            it (synchronous_standby_names or Acknowledge::Stages)";

/// Why a position is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PositionError {
    /// There is no text.
    #[error(
        "the stored position is empty: it was never written, or lost; without it nothing says which events were dealt with, \
         so start again from a snapshot"
    )]
    Empty,
    /// The text was not stored whole.
    #[error(
        "the stored position ends early, in its {part}: it was cut while it was written; store it in one step with \
         the data, as in a transaction or by renaming a file that was synced"
    )]
    EndsEarly {
        /// The part in which it ends.
        part: &'static str,
    },
    /// The text is not that of a position.
    #[error("not the text of a position: its {part} cannot be read")]
    Malformed {
        /// What could not be read.
        part: &'static str,
    },
    /// An acknowledgement of what this reader did not deliver, such as a stored position.
    #[error(
        "position {position} was not delivered by this reader and cannot be acknowledged on it: acknowledge the positions of its own events; \
         a stored one is for ReaderBuilder::resume",
        position = Printable(.position)
    )]
    NotDelivered {
        /// The position's text.
        position: String,
    },
    /// A stage was acknowledged on a reader that tells one position for all.
    #[error(
        "this reader does not tell written, flushed and applied apart: build it with Acknowledge::Stages, or use `acknowledge`"
    )]
    NoStages,
    /// The position is of another cluster.
    #[error(
        "the position is of the cluster with system identifier {position}, and the server's is {server}: connect to the one it is of; \
         on another one, start anew from a snapshot"
    )]
    OtherCluster {
        /// The position's system identifier.
        position: u64,
        /// The server's.
        server: u64,
    },
    /// The server is on an older timeline than the position: it does not know what was read.
    #[error(
        "the position is of timeline {position}, and the server is still on {server}: connect to the server that was promoted"
    )]
    TimelineBehind {
        /// The position's timeline.
        position: u32,
        /// The server's.
        server: u32,
    },
    /// The server left the position's timeline before the position: what was read of it may never have happened there.
    #[error(
        "the server is on timeline {server}, whose history {}: what was read up to {lsn} may never have happened there; start anew from a snapshot",
        .switch.map_or_else(|| format!("has no timeline {position}"), |switch| format!("left timeline {position} at {switch}"))
    )]
    TimelineForked {
        /// The position's timeline.
        position: u32,
        /// The position's LSN.
        lsn: Lsn,
        /// The server's timeline.
        server: u32,
        /// Where its history left the position's; `None` if it was never on it.
        switch: Option<Lsn>,
    },
    /// The position is of another slot.
    #[error(
        "the position is of slot \"{position}\", and \"{slot}\" is to be read: name the slot it is of",
        position = Printable(.position),
        slot = Printable(.slot)
    )]
    OtherSlot {
        /// The position's slot.
        position: String,
        /// The slot to be read.
        slot: String,
    },
    /// Other publications or options: the events are others, or are counted otherwise.
    #[error(
        "the position was taken with other publications or other options messages, origin or two_phase ({}; fingerprint {position:016x}, now \
         {asked:016x}): name the same, or start again from a new copy of the data",
        Printable(.change.as_deref().unwrap_or("which cannot be told"))
    )]
    OtherPublications {
        /// The position's publication fingerprint.
        position: u64,
        /// That of what is asked for.
        asked: u64,
        /// What has changed, where one change explains it: `the option messages was on`.
        change: Option<String>,
    },
    /// The server's log ends before the position: what was read up to there is not in it.
    #[error(
        "the position is {lsn}, and the server's log ends at {ends}: a standby may still have to replay so far, so wait; else the server \
         has lost log, as by a restored backup: start anew from a snapshot"
    )]
    AheadOfLog {
        /// The position's LSN.
        lsn: Lsn,
        /// Where the server's log ends.
        ends: Lsn,
    },
    /// The slot is ahead of the position and was not confirmed by a reader at the position: it was recreated, or advanced by something else.
    #[error(
        "slot \"{slot}\" is at {confirmed_flush_lsn} and keeps log from {} on, and the position is {lsn}: the slot was recreated, or advanced by \
         another program{}, and what was committed between is not in it; \
         start again from a snapshot, or, if nothing can be missing, set trust_slot(true)",
        .restart_lsn.map_or_else(|| "nowhere".to_owned(), |lsn| lsn.to_string()),
        if *.commits_wait { COMMITS_WAIT } else { "" },
        slot = Printable(.slot)
    )]
    SlotAhead {
        /// The slot.
        slot: String,
        /// The position's LSN.
        lsn: Lsn,
        /// Everything before it is forgotten.
        confirmed_flush_lsn: Lsn,
        /// The oldest log that the slot keeps.
        restart_lsn: Option<Lsn>,
        /// Commits may wait for this reader, so that the LSNs it confirms do not say after which event.
        commits_wait: bool,
    },
    /// The slot is ahead of the position, and what it was confirmed after is another event: the position is not the newest that was acknowledged, or
    /// another reader uses the slot.
    #[error(
        "slot \"{slot}\" was confirmed up to {confirmed_flush_lsn} after another event than the one at {lsn}: an event was acknowledged before its position \
         was stored, an old position was restored, or another reader uses the slot; what is between is not in the slot any more: \
         start again from a snapshot, or, if nothing can be missing, set trust_slot(true)",
        slot = Printable(.slot)
    )]
    Superseded {
        /// The slot.
        slot: String,
        /// The position's LSN.
        lsn: Lsn,
        /// What was confirmed.
        confirmed_flush_lsn: Lsn,
    },
}

impl From<PositionError> for Error {
    fn from(error: PositionError) -> Self {
        ErrorKind::Position(error).into()
    }
}
