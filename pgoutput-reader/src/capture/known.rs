//! What a file repeats of the files before it, so that it can be read alone.

use std::collections::{BTreeMap, BTreeSet};

use pgoutput_decode::{Oid, Tag};

use super::facts;
use super::record::Kind;

/// The descriptions of the stream, and the catalogue's facts about them.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The last Type and Relation message of each type and table, outside of chunks. Types come
    /// first, as from the server.
    descriptions: BTreeMap<(Order, Oid), Vec<u8>>,
    tables: BTreeMap<Oid, Facts>,
    money: Option<Vec<u8>>,
    /// Tables that no longer exist, but of which rows may follow until the next check.
    dropped: BTreeSet<Oid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Type,
    Relation,
}

#[derive(Debug)]
struct Facts {
    number: u32,
    table: Vec<u8>,
    types: Option<Vec<u8>>,
}

impl Known {
    /// Records a message if it describes a table or type.
    pub(super) fn message(&mut self, frame: &[u8], in_stream: bool) {
        let order = match frame.first().copied().map(Tag) {
            Some(Tag::RELATION) => Order::Relation,
            Some(Tag::TYPE) => Order::Type,
            _ => return,
        };
        let body = frame.get(if in_stream { 5 } else { 1 }..).unwrap_or_default();
        let Some((oid, _)) = body.split_first_chunk() else { return };
        let oid = Oid::new(u32::from_be_bytes(*oid));
        let tag = frame.get(..1).unwrap_or_default();
        self.descriptions.insert((order, oid), [tag, body].concat());
    }

    /// Records an answer of the catalogue.
    pub(super) fn facts(&mut self, kind: Kind, payload: &[u8]) {
        match kind {
            Kind::TABLE => {
                let Some((oid, number)) = facts::key(payload) else { return };
                self.tables.insert(oid, Facts { number, table: payload.to_vec(), types: None });
            }
            Kind::TYPES => {
                let Some((oid, number)) = facts::key(payload) else { return };
                if let Some(facts) = self.tables.get_mut(&oid)
                    && facts.number == number
                {
                    facts.types = Some(payload.to_vec());
                }
            }
            Kind::MONEY => self.money = Some(payload.to_vec()),
            Kind::DROPPED => {
                let dropped = facts::dropped(payload).map(|(tables, _)| tables);
                for oid in std::mem::replace(&mut self.dropped, dropped.unwrap_or_default()) {
                    self.descriptions.remove(&(Order::Relation, oid));
                    self.tables.remove(&oid);
                }
            }
            _ => {}
        }
    }

    /// Forgets everything: a new stream describes it again.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the records that a new file starts with.
    pub(super) fn records(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let facts = self.tables.values().flat_map(|facts| {
            let types = facts.types.as_deref().map(|types| (Kind::TYPES, types));
            [(Kind::TABLE, &*facts.table)].into_iter().chain(types)
        });
        let descriptions = self.descriptions.values().map(|frame| (Kind::KNOWN, &**frame));
        let money = self.money.as_deref().map(|money| (Kind::MONEY, money));
        descriptions.chain(facts).chain(money)
    }
}
