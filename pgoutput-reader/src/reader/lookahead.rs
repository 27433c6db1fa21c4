//! The newest two events: one that is held, and one that is ready.

use crate::event::{ChangeEvent, Context};

/// Holds the newest event until it is known whether it is the last of its transaction.
///
/// There are two places, and only their roles are exchanged, since an event is expensive to move.
#[derive(Debug, Default)]
pub(crate) struct Lookahead {
    places: [Option<ChangeEvent>; 2],
    /// Whether the second place is that of the event that is held.
    second_is_held: bool,
}

impl Lookahead {
    /// Returns the place of the next event, which is then ready. It is empty unless an event is.
    pub(crate) fn next_place(&mut self) -> &mut Option<ChangeEvent> {
        &mut self.places[usize::from(!self.second_is_held)]
    }

    /// Returns the event that is held.
    pub(crate) fn held(&self) -> Option<&ChangeEvent> {
        self.places[usize::from(self.second_is_held)].as_ref()
    }

    /// Returns whether the event that is held is now known to be the last of its transaction.
    pub(crate) fn holds_last(&self) -> bool {
        self.held().is_some_and(|held| held.is_last)
    }

    /// Returns whether the event that is held is part of an initial copy.
    pub(crate) fn holds_copied(&self) -> bool {
        self.held().is_some_and(|held| matches!(held.context, Context::Copy(_)))
    }

    /// Marks the event that is held, if there is one, as the last of its transaction.
    pub(crate) fn mark_last(&mut self) {
        if let Some(held) = &mut self.places[usize::from(self.second_is_held)] {
            held.is_last = true;
        }
    }

    /// Returns the event that is ready.
    pub(crate) fn ready(&self) -> Option<&ChangeEvent> {
        self.places[usize::from(!self.second_is_held)].as_ref()
    }

    /// Takes the event that is ready.
    pub(crate) fn take_ready(&mut self) -> Option<ChangeEvent> {
        self.next_place().take()
    }

    /// Makes the event that is held ready, and holds the one that was ready.
    pub(crate) fn exchange(&mut self) {
        self.second_is_held = !self.second_is_held;
    }
}
