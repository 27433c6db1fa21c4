//! The events that `pgoutput tail` and `pgoutput replay` print.

mod pattern;
mod unpublished;

use pgoutput_reader::{ChangeEvent, Op};

pub(crate) use pattern::TablePattern;

use crate::Failure;
use crate::args::{Pipe, Reading, Replay, SchemaArg, Selection, SnapshotArg, Tail};

/// The operations of all events.
pub(crate) const OPS: [Op; 12] = [
    Op::Insert,
    Op::Update,
    Op::Delete,
    Op::Truncate,
    Op::Message,
    Op::Schema,
    Op::Commit,
    Op::Prepare,
    Op::CommitPrepared,
    Op::RollbackPrepared,
    Op::SnapshotRow,
    Op::SnapshotEnd,
];

/// A choice among the events; by default all of them. Events that it leaves out count as processed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    tables: Vec<TablePattern>,
    excluded: Vec<TablePattern>,
    ops: Vec<Op>,
}

impl Filter {
    /// Returns the filter of `pgoutput tail`.
    ///
    /// # Errors
    /// An operation is named that is not read, or the tables cannot limit the copy.
    pub(crate) fn of_tail(tail: &Tail) -> Result<Self, Failure> {
        let describes = tail.schema_changes || tail.objects.schema == SchemaArg::Once;
        check_ops(&tail.selection, &tail.reading, Some(describes))?;
        check_copy(&tail.selection, &tail.reading)?;
        Ok(Self::of(&tail.selection))
    }

    /// Returns the filter of `pgoutput pipe`.
    ///
    /// # Errors
    /// An operation is named that is not read, or the tables cannot limit the copy.
    pub(crate) fn of_pipe(pipe: &Pipe) -> Result<Self, Failure> {
        check_ops(&pipe.selection, &pipe.reading, None)?;
        check_copy(&pipe.selection, &pipe.reading)?;
        Ok(Self::of(&pipe.selection))
    }

    /// Returns the filter of `pgoutput replay`.
    ///
    /// # Errors
    /// An operation is named that is not requested.
    pub(crate) fn of_replay(replay: &Replay) -> Result<Self, Failure> {
        let describes = replay.schema_changes || replay.objects.schema == SchemaArg::Once;
        for op in &replay.selection.ops {
            match op {
                Op::Commit => check_read(*op, "--commits", replay.commits),
                Op::Schema => check_read(*op, DESCRIBES, describes),
                _ => Ok(()),
            }?;
        }
        Ok(Self::of(&replay.selection))
    }

    fn of(selection: &Selection) -> Self {
        let Selection { tables, excluded, ops } = selection;
        Self { tables: tables.clone(), excluded: excluded.clone(), ops: ops.clone() }
    }

    /// Returns whether it may leave out an event.
    pub(crate) fn is_set(&self) -> bool {
        !(self.tables.is_empty() && self.excluded.is_empty() && self.ops.is_empty())
    }

    /// Returns whether the event is printed. The description of a table belongs to the changes that
    /// need it, whatever their operation is.
    pub(crate) fn prints(&self, event: &ChangeEvent) -> bool {
        let op = event.op();
        if !(self.ops.is_empty() || op == Op::Schema || self.ops.contains(&op)) {
            return false;
        }
        // Messages and the ends of transactions have no table.
        event.table().is_none_or(|table| self.prints_table(table.schema_name(), table.name()))
    }

    /// Returns whether changes of the table may be printed.
    pub(crate) fn prints_table(&self, schema: &str, table: &str) -> bool {
        let matches = |pattern: &TablePattern| pattern.matches(schema, table);
        (self.tables.is_empty() || self.tables.iter().any(matches))
            && !self.excluded.iter().any(matches)
    }
}

/// The options with which there are objects with op S.
const DESCRIBES: &str = "--schema-changes or --schema once";

/// Checks that the operations are read. `describes` is whether tables are described, if they can
/// be.
fn check_ops(
    selection: &Selection,
    reading: &Reading,
    describes: Option<bool>,
) -> Result<(), Failure> {
    for op in &selection.ops {
        match (op, describes) {
            (Op::Message, _) => check_read(*op, "--messages", reading.messages),
            (Op::Commit, _) => check_read(*op, "--commits", reading.commits),
            (Op::Schema, Some(describes)) => check_read(*op, DESCRIBES, describes),
            (Op::Schema, None) => {
                Err(Failure::Usage("--op S: this command stores no descriptions".into()))
            }
            (Op::SnapshotRow | Op::SnapshotEnd, _) => {
                check_read(*op, "--snapshot", !reading.snapshot.is_empty())
            }
            _ => Ok(()),
        }?;
    }
    Ok(())
}

fn check_read(op: Op, option: &str, is_read: bool) -> Result<(), Failure> {
    if is_read {
        return Ok(());
    }
    let code = op.code();
    Err(Failure::Usage(format!("--op {code}: there are such objects only with {option}")))
}

/// Checks that the tables can limit the initial copy, or that there is none.
fn check_copy(selection: &Selection, reading: &Reading) -> Result<(), Failure> {
    let usage = |message: &str| Err(Failure::Usage(message.into()));
    if reading.snapshot.contains(&SnapshotArg::Added) && !selection.tables.is_empty() {
        return usage(
            "--table limits an initial copy, and --snapshot added copies all tables that join the \
             publications: leave out one of them, or use --exclude",
        );
    }
    let is_copied = reading.snapshot.contains(&SnapshotArg::Initial);
    if !is_copied && selection.tables.iter().any(TablePattern::has_condition) {
        return usage(
            "a condition limits only the rows of an initial copy: add --snapshot initial, or leave \
             WHERE out (a publication can filter changes by condition)",
        );
    }
    if is_copied && selection.tables.iter().any(|table| table.to_snapshot_table().is_none()) {
        return usage("an initial copy of some tables needs their names: write --table without *");
    }
    Ok(())
}

/// Reads the letter of an operation.
pub(crate) fn op(text: &str) -> Result<Op, String> {
    let mut letters = text.chars();
    let letter = letters.next().filter(|_| letters.next().is_none());
    let found =
        OPS.into_iter().find(|op| letter.is_some_and(|c| c.eq_ignore_ascii_case(&op.code())));
    found.ok_or_else(|| {
        let letters: Vec<String> = OPS.iter().map(|op| op.code().to_string()).collect();
        format!("expected one of {}", letters.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_letters() {
        assert_eq!((op("I"), op("d")), (Ok(Op::Insert), Ok(Op::Delete)));
        for text in ["", "X", "IU", "insert"] {
            assert!(op(text).unwrap_err().starts_with("expected one of I, U, D, T"), "{text}");
        }
    }
}
