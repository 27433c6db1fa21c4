//! What is written to the database: transactions of changes, and the rows that they amount to.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The tables, in ascending order.
pub(super) const TABLES: [u32; 4] = [16_384, 16_385, 16_400, 70_000];

/// The rows of each table: values by key.
pub(super) type State = BTreeMap<u32, BTreeMap<u32, u32>>;

#[derive(Debug, Clone)]
pub(super) enum Change {
    Insert { table: u32, id: u32, value: u32 },
    Update { table: u32, id: u32, value: u32 },
    Delete { table: u32, id: u32 },
    Truncate(Vec<u32>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Transaction {
    pub(super) changes: Vec<Change>,
    /// The number of transactions that commit between its changes and its own commit.
    pub(super) spans: usize,
    /// Whether the server sends its changes in a chunk, before it commits.
    pub(super) is_chunk: bool,
}

/// All transactions, in the order of their commits.
pub(super) type History = Arc<[Transaction]>;

/// The state after this many transactions.
pub(super) fn state(history: &[Transaction], transactions: usize) -> State {
    let mut state = State::new();
    let transactions = history.iter().take(transactions);
    let changes = transactions.flat_map(|transaction| &transaction.changes);
    changes.for_each(|change| change.apply(&mut state));
    state
}

pub(super) fn without_empty(mut state: State) -> State {
    state.retain(|_, rows| !rows.is_empty());
    state
}

impl Change {
    /// Applies the change, which must fit the state.
    pub(super) fn apply(&self, state: &mut State) {
        match self {
            Self::Insert { table, id, value } => {
                let replaced = state.entry(*table).or_default().insert(*id, *value);
                assert_eq!(replaced, None, "{self:?}");
            }
            Self::Update { table, id, value } => {
                let replaced = state.entry(*table).or_default().insert(*id, *value);
                assert!(replaced.is_some(), "{self:?}");
            }
            Self::Delete { table, id } => {
                let removed = state.entry(*table).or_default().remove(id);
                assert!(removed.is_some(), "{self:?}");
            }
            Self::Truncate(tables) => {
                for table in tables {
                    state.entry(*table).or_default().clear();
                }
            }
        }
    }

    /// Applies the change again, or to a later state.
    pub(super) fn apply_again(&self, state: &mut State) {
        match self {
            Self::Insert { table, id, value } | Self::Update { table, id, value } => {
                state.entry(*table).or_default().insert(*id, *value);
            }
            Self::Delete { table, id } => {
                state.entry(*table).or_default().remove(id);
            }
            Self::Truncate(_) => self.apply(state),
        }
    }

    pub(super) fn tables(&self) -> Vec<u32> {
        match self {
            Self::Insert { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => vec![*table],
            Self::Truncate(tables) => tables.clone(),
        }
    }

    /// The message of the change. In a chunk it has the transaction's xid.
    pub(super) fn frame(&self, xid: Option<u32>) -> Vec<u8> {
        let (tag, rest) = match self {
            Self::Insert { table, id, value } => (b"I", new_row(*table, *id, *value)),
            Self::Update { table, id, value } => (b"U", new_row(*table, *id, *value)),
            Self::Delete { table, id } => {
                (b"D", [&table.to_be_bytes()[..], b"K", &row(*id, 0)].concat())
            }
            Self::Truncate(tables) => {
                let count = u32::try_from(tables.len()).unwrap().to_be_bytes();
                let oids: Vec<u8> = tables.iter().flat_map(|table| table.to_be_bytes()).collect();
                (b"T", [&count[..], b"\0", &oids].concat())
            }
        };
        with_xid(tag, xid, &rest)
    }
}

fn with_xid(tag: &[u8], xid: Option<u32>, rest: &[u8]) -> Vec<u8> {
    let xid = xid.map(u32::to_be_bytes);
    [tag, xid.as_ref().map_or(&[], |xid| &xid[..]), rest].concat()
}

fn row(id: u32, value: u32) -> Vec<u8> {
    let values = [id, value].into_iter().flat_map(|value| {
        let text = value.to_string();
        let len = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&b"t"[..], &len, text.as_bytes()].concat()
    });
    [0, 2].into_iter().chain(values).collect()
}

fn new_row(table: u32, id: u32, value: u32) -> Vec<u8> {
    [&table.to_be_bytes()[..], b"N", &row(id, value)].concat()
}

/// The Relation message of a table. In a chunk it has the transaction's xid.
pub(super) fn relation(table: u32, xid: Option<u32>) -> Vec<u8> {
    let columns = b"d\0\x02\x01id\0\0\0\0\x17\xff\xff\xff\xff\0v\0\0\0\0\x17\xff\xff\xff\xff";
    let name = format!("public\0t{table}\0");
    with_xid(b"R", xid, &[&table.to_be_bytes(), name.as_bytes(), columns].concat())
}
