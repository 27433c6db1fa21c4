//! The identity of a stream, from the commands that start it.

use crate::connection::SystemId;
use crate::event::{EventSelection, ReaderId, StreamIdentity};
use crate::proto::{Origin, StartReplication};

/// The identity of the stream that `start` starts on this server. `two_phase` is whether the slot
/// sends prepared transactions when they are prepared, whatever `start` requests.
pub(crate) fn identify(
    reader: ReaderId,
    system: &SystemId,
    start: &StartReplication,
    two_phase: bool,
) -> StreamIdentity {
    StreamIdentity {
        reader,
        system_identifier: system.system_identifier,
        timeline: system.timeline,
        slot: start.slot.as_str().into(),
        publications: selection(start, two_phase).fingerprint(),
        copied: None,
        known: None,
    }
}

/// Returns the selection of events by `start`. The version of the protocol and the format of values
/// change no event.
pub(super) fn selection(start: &StartReplication, two_phase: bool) -> EventSelection {
    EventSelection {
        publications: start.publications.clone(),
        messages: start.options.messages,
        origin_none: start.options.origin == Some(Origin::None),
        two_phase: two_phase || start.options.two_phase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::StreamOptions;

    #[test]
    fn only_what_changes_the_events_is_selected() {
        let start = |options| selection(&StartReplication::new("s", ["a"]).options(options), false);
        let other = StreamOptions::new().binary(true).proto_version(1).origin(Origin::Any);
        assert_eq!(start(other.clone()), start(StreamOptions::new()));
        let selected = start(other.origin(Origin::None).messages(true));
        assert!(selected.origin_none && selected.messages && !selected.two_phase);
    }
}
