//! How the records of a batch are sent: one by one, or in atomic batches.

use pgoutput_reader::Lsn;

use crate::pipe::batch::EventId;

/// A run of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Each is visible as soon as it is stored.
    Single(usize),
    /// They are visible at the same time.
    Atomic(usize),
}

/// Divides records: those of a transaction belong to one atomic batch, unless they are more than
/// `limit`. An atomic batch may have several transactions.
pub(super) fn divide(ids: impl Iterator<Item = EventId>, limit: usize) -> Vec<Part> {
    let (mut parts, mut units) = (Vec::new(), ids.map(transaction).peekable());
    while let Some(transaction) = units.next() {
        let mut count = 1;
        while transaction.is_some() && units.peek() == Some(&transaction) {
            units.next();
            count += 1;
        }
        if count == 1 || limit < 2 {
            add(&mut parts, Part::Single(count));
            continue;
        }
        while count > 0 {
            let size = count.min(limit);
            match parts.last_mut() {
                Some(Part::Atomic(last)) if *last + count <= limit => *last += size,
                _ => parts.push(Part::Atomic(size)),
            }
            count -= size;
        }
    }
    parts
}

fn add(parts: &mut Vec<Part>, part: Part) {
    match (parts.last_mut(), part) {
        (Some(Part::Single(last)), Part::Single(count)) => *last += count,
        _ => parts.push(part),
    }
}

/// Returns the transaction that a record must not be separated from.
fn transaction(id: EventId) -> Option<Lsn> {
    match id {
        EventId::InTransaction(commit, _) => Some(commit),
        EventId::Message(_) | EventId::Copied(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(counts: &[usize]) -> impl Iterator<Item = EventId> {
        counts.iter().enumerate().flat_map(|(number, count)| {
            (0..*count)
                .map(move |index| EventId::InTransaction(Lsn::new(8 * number as u64), index as u64))
        })
    }

    #[test]
    fn a_transaction_is_one_part_if_it_fits() {
        use Part::{Atomic, Single};
        assert_eq!(divide(ids(&[]), 10), []);
        assert_eq!(divide(ids(&[1, 1, 1]), 10), [Single(3)]);
        assert_eq!(divide(ids(&[3]), 10), [Atomic(3)]);
        assert_eq!(divide(ids(&[3, 4, 4]), 10), [Atomic(7), Atomic(4)]);
        assert_eq!(divide(ids(&[3, 1, 4]), 10), [Atomic(3), Single(1), Atomic(4)]);
        assert_eq!(divide(ids(&[25, 5]), 10), [Atomic(10), Atomic(10), Atomic(10)]);
        assert_eq!(divide(ids(&[3, 25]), 10), [Atomic(3), Atomic(10), Atomic(10), Atomic(5)]);
        assert_eq!(divide(ids(&[3, 25]), 0), [Single(28)]);
        let copied = [EventId::Copied(Lsn::new(1)); 5];
        assert_eq!(divide(copied.into_iter(), 10), [Single(5)]);
    }

    proptest! {
        #[test]
        fn parts_have_all_records(
            counts in prop::collection::vec(1..30_usize, 0..20), limit in 0..12_usize
        ) {
            let parts = divide(ids(&counts), limit);
            let (mut ends, mut end) = (Vec::new(), 0);
            for part in parts {
                end += match part {
                    Part::Single(count) => count,
                    Part::Atomic(count) => {
                        prop_assert!(count <= limit);
                        count
                    }
                };
                ends.push(end);
            }
            prop_assert_eq!(end, counts.iter().sum::<usize>());
            // A transaction that fits is not divided.
            let mut start = 0;
            for count in counts {
                let inside = ends.iter().any(|end| start < *end && *end < start + count);
                prop_assert!(limit < 2 || count > limit || !inside);
                start += count;
            }
        }
    }
}
