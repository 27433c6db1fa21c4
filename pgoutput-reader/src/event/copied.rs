//! The tables that initial copies have finished.
//!
//! Tables are copied in the order of their oids, so that one oid for each run says which tables
//! it has finished. A copy that continues after an interruption has a snapshot of its own, and so a
//! point of its own.

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
        let mut runs = self.runs.clone();
        match runs.last_mut() {
            Some(last) if last.point == point => last.through = last.through.max(table),
            _ => runs.push(Run { point, through: table }),
        }
        Self { runs, in_part: None }
    }

    /// Returns the same with all remaining tables finished at the point.
    pub(crate) fn complete(&self, point: Lsn) -> Self {
        self.with(ALL, point)
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
        Self { runs: self.runs.clone(), in_part: Some(table) }
    }

    /// Returns whether no table is finished.
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns whether all tables are finished.
    pub(crate) fn is_complete(&self) -> bool {
        self.runs.last().is_some_and(|last| last.through == ALL)
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
        self.runs.iter().map(|run| run.point).max().unwrap_or_default()
    }

    fn point(&self, table: Oid) -> Option<Lsn> {
        self.runs.iter().find(|run| table <= run.through).map(|run| run.point)
    }
}

/// Displays `0/158FAC8-16403,0/1600000-*`, with `+16512` at the end for a table copied in part.
impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Run { point, through }) in self.runs.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match *through {
                ALL => write!(f, "{comma}{point}-*")?,
                through => write!(f, "{comma}{point}-{through}")?,
            }
        }
        self.in_part.map_or(Ok(()), |table| write!(f, "+{table}"))
    }
}

/// The text is not one of a [`Copied`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCopied;

impl FromStr for Copied {
    type Err = NotCopied;

    fn from_str(text: &str) -> Result<Self, NotCopied> {
        let (runs, in_part) = match text.split_once('+') {
            Some((runs, table)) => (runs, Some(oid(table).ok_or(NotCopied)?)),
            None => (text, None),
        };
        let run = |text: &str| {
            let (point, through) = text.split_once('-')?;
            let through = if through == "*" { ALL } else { oid(through)? };
            Some(Run { point: point.parse().ok()?, through })
        };
        let runs = match (runs, in_part) {
            ("", Some(_)) => Vec::new(),
            (runs, _) => runs.split(',').map(run).collect::<Option<Vec<_>>>().ok_or(NotCopied)?,
        };
        let ascends = runs.is_sorted_by(|one, next| one.through < next.through);
        let is_after = in_part.is_none_or(|table| runs.iter().all(|run| run.through < table));
        if ascends && is_after { Ok(Self { runs, in_part }) } else { Err(NotCopied) }
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
        ) {
            let (mut copied, mut table, mut point) = (Copied::default(), 16_384, 0x0158_FAC8);
            for (oids, later) in steps {
                table += oids;
                point += later;
                copied = copied.with(Oid::new(table), lsn(point));
            }
            if complete {
                copied = copied.complete(lsn(point + 7));
            } else if in_part || copied == Copied::default() {
                copied = copied.during(Oid::new(table + 3));
            }
            prop_assert_eq!(copied.to_string().parse(), Ok(copied));
        }
    }
}
