//! The check that a slot still has everything after a stored position.

use pgoutput_decode::Lsn;

use super::identity::{identify, selection};
use crate::connection::{Connection, SystemId, TimelineSwitch};
use crate::error::{Error, ErrorKind, HistoryError, PositionError};
use crate::event::signature::{COMMIT_LEN, is_signed};
use crate::event::{EventSelection, Position, ReaderId, StreamIdentity, change_since};
use crate::proto::StartReplication;

/// A stored position to resume after.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) position: Position,
    /// Whether the program guarantees that it has processed everything that the slot has confirmed
    /// beyond the position.
    pub(crate) trusted: bool,
    /// Whether the reader acknowledges by stages, so that commits may wait for it.
    pub(crate) by_stages: bool,
}

impl Stored {
    /// Checks that the server will send everything after the position.
    pub(crate) fn verify(
        &self,
        connection: &mut Connection,
        system: &SystemId,
        start: &StartReplication,
    ) -> Result<(), Error> {
        // A slot that cannot be used is reported after a position that does not belong to it.
        let two_phase = match connection.check_slot(&start.slot) {
            Ok(slot) => slot.two_phase,
            Err(error) if matches!(error.kind(), ErrorKind::Setup(_)) => false,
            Err(error) => return Err(error),
        };
        let now = identify(ReaderId::NONE, system, start, two_phase);
        let is_later = self.position.timeline() < now.timeline;
        if is_later && !connection.is_replication() {
            let (expected, found) = (self.position.timeline(), now.timeline);
            return Err(HistoryError::TimelineUnknown { expected, found }.into());
        }
        let history =
            if is_later { connection.timeline_history(now.timeline)? } else { Vec::new() };
        same_source(&self.position, &now, &history)
            .map_err(|error| explained(error, connection, &selection(start, two_phase)))?;
        let slot = connection.check_slot(&start.slot)?;
        self.verify_slot(slot.confirmed, slot.restart, slot.waited_for)?;
        Ok(())
    }

    /// Checks that a slot with these LSNs still has everything after the position. `waited_for` is
    /// whether `synchronous_standby_names` may mean the connection.
    pub(crate) fn verify_slot(
        &self,
        confirmed: Lsn,
        restart: Option<Lsn>,
        waited_for: bool,
    ) -> Result<(), PositionError> {
        if self.trusted {
            return Ok(());
        }
        verify_history(&self.position, confirmed, restart, waited_for || self.by_stages)
    }
}

/// Adds the change since the position was stored to an error, if it can be found.
fn explained(error: Error, connection: &mut Connection, now: &EventSelection) -> Error {
    match error.into_kind() {
        ErrorKind::Position(PositionError::OtherPublications { position, current, .. }) => {
            // A publication that is no longer requested is found only if it still exists.
            let existing = connection.publications().unwrap_or_default();
            let change = change_since(position, now, &existing);
            PositionError::OtherPublications { position, current, change }.into()
        }
        other => other.into(),
    }
}

/// Checks that the position is from the same cluster, slot, publications and history of WAL.
/// `history` leads to the server's timeline.
fn same_source(
    position: &Position,
    now: &StreamIdentity,
    history: &[TimelineSwitch],
) -> Result<(), Error> {
    let then = position.identity();
    if then.system_identifier != now.system_identifier {
        let (expected, found) = (then.system_identifier, now.system_identifier);
        return Err(HistoryError::OtherCluster { expected, found }.into());
    }
    if then.slot != now.slot {
        let (position, slot) = (then.slot.to_string(), now.slot.to_string());
        return Err(PositionError::OtherSlot { position, slot }.into());
    }
    if then.publications != now.publications {
        let (position, current) = (then.publications, now.publications);
        return Err(PositionError::OtherPublications { position, current, change: None }.into());
    }
    Ok(same_log(position, now.timeline, history)?)
}

/// Checks the timelines: a later one shares the WAL of an earlier one up to where its history left
/// it.
fn same_log(
    position: &Position,
    found: u32,
    history: &[TimelineSwitch],
) -> Result<(), HistoryError> {
    let (expected, lsn) = (position.timeline(), position.commit_lsn());
    if expected == found {
        return Ok(());
    }
    if expected > found {
        return Err(HistoryError::TimelineBehind { expected, found });
    }
    let switch = history.iter().find(|switch| switch.timeline == expected).map(|left| left.lsn);
    // A commit record starts at the LSN of a position; outside of a transaction a record ends
    // there.
    let shared = match position.raw_index() {
        Some(_) => switch.is_some_and(|switch| lsn < switch),
        None => switch.is_some_and(|switch| lsn <= switch),
    };
    if shared {
        return Ok(());
    }
    Err(HistoryError::TimelineForked { expected, found, lsn, switch })
}

/// Checks that the slot has everything after the position.
///
/// A slot that is ahead of the position was moved by a reader at that position if the confirmed LSN
/// has its signature. A confirmed LSN with another signature was confirmed after another event. One
/// without a signature was confirmed by something else. Then the changes in between are unknown,
/// unless no commit record fits in between.
///
/// A reader that commits wait for signs nothing. It accepts a slot that is not new. A new slot
/// keeps no WAL from before its creation, which was after the position.
fn verify_history(
    position: &Position,
    confirmed: Lsn,
    restart: Option<Lsn>,
    commits_wait: bool,
) -> Result<(), PositionError> {
    let lsn = position.commit_lsn();
    if confirmed <= lsn || position.signature().is_in(confirmed, lsn) {
        return Ok(());
    }
    let slot = position.slot().into();
    if is_signed(confirmed) {
        return Err(PositionError::Superseded { slot, lsn, confirmed_flush_lsn: confirmed });
    }
    let beyond = confirmed.as_u64() - lsn.as_u64();
    let least = if position.raw_index().is_some() { 2 * COMMIT_LEN } else { COMMIT_LEN };
    let is_old = commits_wait && restart.is_some_and(|restart| restart <= lsn);
    if beyond < least || is_old {
        return Ok(());
    }
    Err(PositionError::SlotAhead {
        slot,
        lsn,
        confirmed_flush_lsn: confirmed,
        restart_lsn: restart,
        commits_wait,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Position {
        text.parse().unwrap()
    }

    fn stored() -> Position {
        position("1:700:2:s:00000000000000aa:0/1000:3.")
    }

    fn checked(position: &Position, now: &StreamIdentity) -> Result<(), ErrorKind> {
        let switch = |timeline, lsn| TimelineSwitch { timeline, lsn: Lsn::new(lsn) };
        same_source(position, now, &[switch(1, 0x800), switch(2, 0x2000)]).map_err(Error::into_kind)
    }

    fn position_error(now: &StreamIdentity) -> PositionError {
        match checked(&stored(), now) {
            Err(ErrorKind::Position(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn history_error(position: &Position, now: &StreamIdentity) -> HistoryError {
        match checked(position, now) {
            Err(ErrorKind::History(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_difference_has_its_error() {
        let same = stored().identity().clone();
        assert!(checked(&stored(), &same).is_ok());
        assert_eq!(
            history_error(&stored(), &StreamIdentity { system_identifier: 701, ..same.clone() }),
            HistoryError::OtherCluster { expected: 700, found: 701 }
        );
        assert_eq!(
            position_error(&StreamIdentity { slot: "t".into(), ..same.clone() }),
            PositionError::OtherSlot { position: "s".into(), slot: "t".into() }
        );
        assert_eq!(
            position_error(&StreamIdentity { publications: 0xab, ..same.clone() }),
            PositionError::OtherPublications { position: 0xaa, current: 0xab, change: None }
        );
        assert_eq!(
            history_error(&stored(), &StreamIdentity { timeline: 1, ..same }),
            HistoryError::TimelineBehind { expected: 2, found: 1 }
        );
    }

    #[test]
    fn a_later_timeline_shares_the_wal_before_the_switch() {
        let now = StreamIdentity { timeline: 3, ..stored().identity().clone() };
        let at = |timeline: u32, lsn: &str, index: &str| {
            let text = format!("1:700:{timeline}:s:00000000000000aa:{lsn}:{index}.");
            checked(&position(&text), &now).map_err(|error| match error {
                ErrorKind::History(HistoryError::TimelineForked { switch, .. }) => switch,
                other => panic!("{other}"),
            })
        };
        assert_eq!(at(2, "0/1FF8", "0"), Ok(()));
        assert_eq!(at(2, "0/2000", "0"), Err(Some(Lsn::new(0x2000))));
        assert_eq!(at(2, "0/2000", "-"), Ok(()));
        assert_eq!(at(1, "0/1000", "0"), Err(Some(Lsn::new(0x800))));
        let now = StreamIdentity { timeline: 9, ..now };
        let elsewhere = position("1:700:8:s:00000000000000aa:0/10:0.");
        assert!(matches!(
            history_error(&elsewhere, &now),
            HistoryError::TimelineForked { switch: None, .. }
        ));
    }

    #[test]
    fn a_slot_that_may_be_new_is_refused() {
        let checked = |position: &Position, confirmed: u64, restart: Option<u64>| {
            verify_history(position, Lsn::new(confirmed), restart.map(Lsn::new), false)
        };
        for (confirmed, restart, taken) in [
            (0x0F00, Some(0x0E00), true),
            (0x1000, Some(0x1000), true),
            // Moved by another client: its WAL goes back to before the position, but what was sent
            // is unknown.
            (0x9000, Some(0x1000), false),
            // No other commit fits after this one.
            (0x1058, Some(0x1058), true),
            (0x1060, Some(0x1058), false),
            (0x9000, Some(0x8FC8), false),
            (0x9000, None, false),
        ] {
            let result = checked(&stored(), confirmed, restart);
            assert_eq!(result.is_ok(), taken, "{confirmed:x} {restart:x?}");
        }
        // If commits wait for the reader, nothing is signed, and restart_lsn decides.
        for (restart, taken) in [(Some(0x1000), true), (Some(0x8FC8), false), (None, false)] {
            let (confirmed, restart) = (Lsn::new(0x9000), restart.map(Lsn::new));
            let result = verify_history(&stored(), confirmed, restart, true);
            assert_eq!(result.is_ok(), taken, "{restart:?}");
        }
        for (by_stages, waited_for) in [(false, false), (true, false), (false, true)] {
            let stored = Stored { position: stored(), trusted: false, by_stages };
            let (confirmed, restart) = (Lsn::new(0x9000), Some(Lsn::new(0x1000)));
            let result = stored.verify_slot(confirmed, restart, waited_for);
            assert_eq!(result.is_ok(), by_stages || waited_for);
        }
        let signed = stored().signature().before(Lsn::new(0x9000)).as_u64();
        assert_eq!(checked(&stored(), signed, Some(0x8FC8)), Ok(()));
        let signed = stored().signature().after_commit(Lsn::new(0x1000)).as_u64();
        assert_eq!(checked(&stored(), signed, Some(0x0800)), Ok(()));
        // Confirmed after another event, of this or another transaction, whatever WAL is kept.
        let other = position("1:700:2:s:00000000000000aa:0/1000:4.").signature();
        for confirmed in [other.after_commit(Lsn::new(0x1000)), other.before(Lsn::new(0x9000))] {
            let (slot, lsn) = ("s".into(), Lsn::new(0x1000));
            assert_eq!(
                checked(&stored(), confirmed.as_u64(), Some(0x0800)),
                Err(PositionError::Superseded { slot, lsn, confirmed_flush_lsn: confirmed })
            );
        }
        let idle = position("1:700:2:s:00000000000000aa:0/1000:-.");
        assert_eq!(checked(&idle, 0x1028, Some(0x1028)), Ok(()));
        assert!(checked(&idle, 0x1030, Some(0x1028)).is_err());
    }
}
