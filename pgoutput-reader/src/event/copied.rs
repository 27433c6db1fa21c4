//! The tables that initial copies have finished.
//!
//! Tables are copied in the order of their oids, so that one oid for each run says which tables
//! it has finished. A copy that continues after an interruption has a snapshot of its own, and so a
//! point of its own. Tables that are added later have any oid, and an entry of their own.

use std::fmt;
use std::str::FromStr;

use pgoutput_decode::{Lsn, Oid};

/// The tables that were copied, and the point of each.
///
/// The *point* of a table is the LSN of its snapshot, which shows exactly the transactions whose
/// commit LSN is before it. The changes of these are in the copy, so the stream's are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Copied {
    /// In ascending order of the oids.
    runs: Vec<Run>,
    /// The table of which some rows were delivered, and not the last one.
    in_part: Option<Oid>,
    /// The tables that were added later, in ascending order of the oids. They precede the runs,
    /// which are complete.
    added: Vec<Added>,
}

/// A table that was added later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Added {
    table: Oid,
    /// `None` until the table is finished.
    point: Option<Lsn>,
}

/// One run of a copy. It has finished the tables after those of the runs before it, through an oid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Run {
    point: Lsn,
    through: Oid,
}

/// The oid after all tables.
const ALL: Oid = Oid::new(u32::MAX);

impl Copied {
    /// Returns the same with this table finished as well, at the point.
    pub(crate) fn with(&self, table: Oid, point: Lsn) -> Self {
        let mut copied = Self { in_part: None, ..self.clone() };
        if let Some(added) = copied.added.iter_mut().find(|added| added.table == table) {
            added.point = Some(point);
            return copied;
        }
        match copied.runs.last_mut() {
            Some(last) if last.point == point => last.through = last.through.max(table),
            _ => copied.runs.push(Run { point, through: table }),
        }
        copied
    }

    /// Returns the same with all remaining tables finished at the point, or without those that were
    /// to be added.
    pub(crate) fn complete(&self, point: Lsn) -> Self {
        if self.added.is_empty() {
            return self.with(ALL, point);
        }
        let mut copied = self.clone();
        copied.added.retain(|added| added.point.is_some());
        copied
    }

    /// Returns the same with the tables before this one, and after those of the last run, marked as
    /// not copied: all their changes are delivered. Their run has point zero.
    pub(crate) fn skipping_before(&self, table: Oid) -> Self {
        let before = Oid::new(table.as_u32().saturating_sub(1));
        let is_next = self.runs.last().map_or(0, |last| last.through.as_u32()) >= before.as_u32();
        if is_next { self.clone() } else { self.with(before, Lsn::ZERO) }
    }

    /// Returns the same with all remaining tables marked as not copied.
    pub(crate) fn skipping_all(&self) -> Self {
        self.with(ALL, Lsn::ZERO)
    }

    /// Returns the same while this table is copied.
    pub(crate) fn during(&self, table: Oid) -> Self {
        if self.is_added(table) {
            return self.clone();
        }
        Self { in_part: Some(table), ..self.clone() }
    }

    /// Returns the same, of a complete copy, with these tables to be added.
    pub(crate) fn adding(&self, tables: impl IntoIterator<Item = Oid>) -> Self {
        let mut copied = self.clone();
        for table in tables {
            copied.added.retain(|added| added.table != table);
            copied.added.push(Added { table, point: None });
        }
        copied.added.sort_unstable_by_key(|added| added.table);
        copied
    }

    /// Returns the tables to be added.
    pub(crate) fn to_add(&self) -> impl Iterator<Item = Oid> {
        self.added.iter().filter(|added| added.point.is_none()).map(|added| added.table)
    }

    /// Returns what changes from this LSN on may be contained in; `None` if they are in no copy.
    pub(crate) fn after(&self, lsn: Lsn) -> Option<Self> {
        let mut copied = self.clone();
        copied.added.retain(|added| added.point.is_none_or(|point| lsn < point));
        if copied.runs.iter().all(|run| run.point <= lsn) {
            copied.runs.clear();
        }
        (!copied.is_empty()).then_some(copied)
    }

    /// Returns whether no table is finished or to be added.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.added.is_empty()
    }

    /// Returns whether the copy before the stream has finished all tables.
    pub(crate) fn is_complete(&self) -> bool {
        match self.runs.last() {
            Some(last) => last.through == ALL,
            None => !self.added.is_empty(),
        }
    }

    /// Returns the table of which some rows were delivered, and not the last one.
    pub(crate) fn in_part(&self) -> Option<Oid> {
        self.in_part
    }

    /// Returns whether the table is finished.
    pub(crate) fn has(&self, table: Oid) -> bool {
        self.point(table).is_some()
    }

    /// Returns whether the copy of the table has its changes by the transaction with this commit
    /// LSN.
    pub(crate) fn contains(&self, table: Oid, commit_lsn: Lsn) -> bool {
        self.point(table).is_some_and(|point| commit_lsn < point)
    }

    /// Returns the greatest point: later transactions are in no copy.
    pub(crate) fn end(&self) -> Lsn {
        let added = self.added.iter().filter_map(|added| added.point);
        self.runs.iter().map(|run| run.point).chain(added).max().unwrap_or_default()
    }

    fn is_added(&self, table: Oid) -> bool {
        self.added.iter().any(|added| added.table == table)
    }

    fn point(&self, table: Oid) -> Option<Lsn> {
        match self.added.binary_search_by_key(&table, |added| added.table) {
            Ok(index) => self.added.get(index)?.point,
            Err(_) => self.runs.iter().find(|run| table <= run.through).map(|run| run.point),
        }
    }
}

/// Displays `0/158FAC8-16403,0/1600000-*`, with `+16512` at the end for a table copied in part, and
/// `;0/1700000=16399,?=16520` for tables that were added later, of which one is not finished.
impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Run { point, through }) in self.runs.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match *through {
                ALL => write!(f, "{comma}{point}-*")?,
                through => write!(f, "{comma}{point}-{through}")?,
            }
        }
        if let Some(table) = self.in_part {
            write!(f, "+{table}")?;
        }
        for (index, Added { table, point }) in self.added.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { ";" })?;
            match point {
                Some(point) => write!(f, "{point}={table}")?,
                None => write!(f, "?={table}")?,
            }
        }
        Ok(())
    }
}

/// The text is not one of a [`Copied`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCopied;

impl FromStr for Copied {
    type Err = NotCopied;

    fn from_str(text: &str) -> Result<Self, NotCopied> {
        let (copied, added) = match text.split_once(';') {
            Some((copied, added)) => (copied, Some(added)),
            None => (text, None),
        };
        let (runs, in_part) = match copied.split_once('+') {
            Some((runs, table)) => (runs, Some(oid(table).ok_or(NotCopied)?)),
            None => (copied, None),
        };
        let run = |text: &str| {
            let (point, through) = text.split_once('-')?;
            let through = if through == "*" { ALL } else { oid(through)? };
            Some(Run { point: point.parse().ok()?, through })
        };
        let of_table = |text: &str| {
            let (point, table) = text.split_once('=')?;
            let point = if point == "?" { None } else { Some(point.parse().ok()?) };
            Some(Added { table: oid(table)?, point })
        };
        let runs = if runs.is_empty() && (in_part.is_some() || added.is_some()) {
            Vec::new()
        } else {
            runs.split(',').map(run).collect::<Option<Vec<_>>>().ok_or(NotCopied)?
        };
        let added = added.map(|added| added.split(',').map(of_table).collect::<Option<Vec<_>>>());
        let added = added.unwrap_or_else(|| Some(Vec::new())).ok_or(NotCopied)?;
        let ascends = runs.is_sorted_by(|one, next| one.through < next.through)
            && added.is_sorted_by(|one, next| one.table < next.table);
        let is_after = in_part.is_none_or(|table| runs.iter().all(|run| run.through < table));
        let copied = Self { runs, in_part, added };
        let is_added_later = copied.added.is_empty() || in_part.is_none() && copied.is_complete();
        if ascends && is_after && is_added_later { Ok(copied) } else { Err(NotCopied) }
    }
}

/// Reads an oid other than the one that stands for all tables.
fn oid(digits: &str) -> Option<Oid> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let oid = digits.parse().ok().filter(|_| is_number).map(Oid::new)?;
    (oid != ALL).then_some(oid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lsn(lsn: u64) -> Lsn {
        Lsn::new(lsn)
    }

    #[test]
    fn each_table_has_the_point_of_the_copy_that_finished_it() {
        let first = Copied::default().with(Oid::new(10), lsn(100)).with(Oid::new(20), lsn(100));
        assert!(first.has(Oid::new(15)) && !first.has(Oid::new(21)) && !first.is_complete());
        let all = first.during(Oid::new(30)).with(Oid::new(30), lsn(200)).complete(lsn(300));
        assert_eq!((all.in_part(), all.is_complete(), all.end()), (None, true, lsn(300)));
        for (table, commit_lsn, is_copied) in [
            (10, 99, true),
            (10, 100, false),
            (20, 150, false),
            (30, 150, true),
            (30, 200, false),
            (31, 299, true),
            (31, 300, false),
        ] {
            assert_eq!(all.contains(Oid::new(table), lsn(commit_lsn)), is_copied, "{table}");
        }
    }

    #[test]
    fn tables_that_are_not_copied_keep_all_their_changes() {
        let first = Copied::default().with(Oid::new(10), lsn(100));
        let some = [11, 14, 20].into_iter().fold(first, |copied, table| {
            copied.skipping_before(Oid::new(table)).with(Oid::new(table), lsn(200))
        });
        let some = some.skipping_all();
        assert_eq!(some.to_string(), "0/64-10,0/C8-11,0/0-13,0/C8-14,0/0-19,0/C8-20,0/0-*");
        assert_eq!(some.to_string().parse(), Ok(some.clone()));
        assert!(some.is_complete() && some.end() == lsn(200));
        for table in [12, 13, 15, 19, 21, u32::MAX] {
            assert!(!some.contains(Oid::new(table), lsn(1)), "{table}");
        }
        for table in [11, 14, 20] {
            assert!(some.contains(Oid::new(table), lsn(199)), "{table}");
        }
    }

    #[test]
    fn an_added_table_has_its_own_point_whatever_its_oid() {
        let initial = Copied::default().complete(lsn(100));
        let adding = initial.adding([20, 10].map(Oid::new));
        assert!(!adding.has(Oid::new(10)) && adding.has(Oid::new(11)) && adding.is_complete());
        assert_eq!(adding.to_add().collect::<Vec<_>>(), [10, 20].map(Oid::new));
        let one = adding.during(Oid::new(10)).with(Oid::new(10), lsn(200));
        assert_eq!(one.to_string(), "0/64-*;0/C8=10,?=20");
        // The other one was not published any more.
        let all = one.complete(lsn(300));
        assert_eq!((all.to_string().as_str(), all.end()), ("0/64-*;0/C8=10", lsn(200)));
        for (table, commit_lsn, is_copied) in
            [(10, 199, true), (10, 200, false), (20, 99, true), (20, 150, false)]
        {
            assert_eq!(all.contains(Oid::new(table), lsn(commit_lsn)), is_copied, "{table}");
        }
        let later = all.after(lsn(150)).unwrap();
        assert_eq!(later.to_string(), ";0/C8=10");
        assert!(later.contains(Oid::new(10), lsn(199)) && !later.contains(Oid::new(9), lsn(50)));
        assert_eq!((all.after(lsn(200)), later.is_complete()), (None, true));
        let again = later.adding([Oid::new(10)]);
        assert_eq!((again.to_string().as_str(), again.has(Oid::new(10))), (";?=10", false));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "0/1",
            "0/1-",
            "0/1-x",
            "-5",
            "0/1-5,",
            "0/1-5,0/2-5",
            "0/1-*,0/2-7",
            "0/1-+5",
            "+",
            "+x",
            "+4294967295",
            "0/1-4294967295",
            "0/1-7+7",
            "0/1-*+7",
            "0/1-+5+6",
            "0/1-+7 ",
            ";",
            ";0/1",
            ";0/1=",
            ";0/1=5,",
            ";0/1=5,0/2=5",
            ";0/1=6,?=5",
            ";?=*",
            "0/1-7;0/2=5",
            "+7;0/2=5",
            ";0/2=5;0/3=6",
        ] {
            assert_eq!(text.parse::<Copied>(), Err(NotCopied), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_text_is_read_back(
            steps in prop::collection::vec((1_u32..1000, 0_u64..50), 0..6),
            in_part: bool,
            complete: bool,
            added in prop::collection::btree_map(1_u32..100_000, prop::option::of(1_u64..99), 0..6),
        ) {
            let (mut copied, mut table, mut point) = (Copied::default(), 16_384, 0x0158_FAC8);
            for (oids, later) in steps {
                table += oids;
                point += later;
                copied = copied.with(Oid::new(table), lsn(point));
            }
            if complete {
                copied = copied.complete(lsn(point + 7));
                for (added, point) in added {
                    copied = copied.adding([Oid::new(added)]);
                    if let Some(point) = point {
                        copied = copied.with(Oid::new(added), lsn(point));
                    }
                }
            } else if in_part || copied == Copied::default() {
                copied = copied.during(Oid::new(table + 3));
            }
            prop_assert_eq!(copied.to_string().parse(), Ok(copied));
        }
    }
}
