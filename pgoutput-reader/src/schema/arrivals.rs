//! The order in which descriptions of tables and types arrived.
//!
//! The chunks of a transaction in progress describe its tables. Once it is committed, these
//! descriptions also count for what follows, as the server does not repeat them. But while it was
//! in progress, an ordinary transaction may have brought newer ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use pgoutput_decode::{Oid, Relation};

use super::stream_types::NamedType;

/// A table or type that is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Described {
    Table(Oid),
    Type(Oid),
}

/// The description of a table or type.
#[derive(Debug, Clone)]
pub(super) enum Description {
    Table(Arc<Relation>),
    Type(NamedType),
}

/// The order of the current descriptions, and those that a replay has replaced.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    orders: BTreeMap<Described, u64>,
    /// During a replay: each description before the replay, with its order.
    replaced: Option<BTreeMap<Described, (u64, Option<Description>)>>,
}

impl Arrivals {
    /// Records the arrival of a description. `before` returns the one that it replaces.
    pub(super) fn arrived(
        &mut self,
        described: Described,
        order: u64,
        before: impl FnOnce() -> Option<Description>,
    ) {
        let order_before = self.orders.insert(described, order).unwrap_or_default();
        if let Some(replaced) = &mut self.replaced {
            replaced.entry(described).or_insert_with(|| (order_before, before()));
        }
    }

    pub(super) fn start_replay(&mut self) {
        self.replaced = Some(BTreeMap::new());
    }

    /// Ends the replay. Returns the descriptions to be restored: those that arrived after the ones
    /// of the replay.
    pub(super) fn end_replay(&mut self) -> Vec<(Described, Description)> {
        let mut restored = Vec::new();
        for (described, (order, before)) in self.replaced.take().unwrap_or_default() {
            let replayed = self.orders.get(&described).copied().unwrap_or_default();
            if let Some(before) = before
                && order > replayed
            {
                self.orders.insert(described, order);
                restored.push((described, before));
            }
        }
        restored
    }

    /// Forgets what is no longer described.
    pub(super) fn retain(&mut self, is_described: impl Fn(Described) -> bool) {
        self.orders.retain(|described, _| is_described(*described));
    }
}
