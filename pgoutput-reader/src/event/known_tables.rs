//! The published tables that a reader knows, so that it finds those that join later.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use pgoutput_decode::Oid;

/// The tables whose content the events before have, each with a number for the publication entries
/// by which it is published. A table that leaves a publication and joins it again has another
/// number, and is not known; so does one of which other operations are published.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct KnownTables(BTreeMap<u32, u32>);

impl KnownTables {
    /// Returns the same with another table.
    pub(crate) fn with(&self, table: Oid, entries_id: u32) -> Self {
        let mut tables = self.0.clone();
        tables.insert(table.as_u32(), entries_id);
        Self(tables)
    }

    /// Returns those that these have as well.
    pub(crate) fn also_in(&self, others: &Self) -> Self {
        let is_in = |(table, entries_id): &(&u32, &u32)| others.0.get(table) == Some(entries_id);
        Self(self.0.iter().filter(is_in).map(|(table, id)| (*table, *id)).collect())
    }

    /// Returns the tables that these do not have.
    pub(crate) fn not_in(&self, others: &Self) -> impl Iterator<Item = Oid> {
        let is_missing =
            |(table, entries_id): &(&u32, &u32)| others.0.get(table) != Some(entries_id);
        self.0.iter().filter(is_missing).map(|(table, _)| Oid::new(*table))
    }
}

impl FromIterator<(Oid, u32)> for KnownTables {
    fn from_iter<I: IntoIterator<Item = (Oid, u32)>>(tables: I) -> Self {
        Self(tables.into_iter().map(|(table, id)| (table.as_u32(), id)).collect())
    }
}

/// Displays `16403/16500,7/1,5`: each oid and number as its difference from the one before. A
/// difference of 0 is left out.
impl fmt::Display for KnownTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut last_table, mut last_id) = (0, 0);
        for (index, (table, id)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}", table - last_table)?;
            match id.wrapping_sub(last_id) {
                0 => {}
                difference => write!(f, "/{difference}")?,
            }
            (last_table, last_id) = (*table, *id);
        }
        Ok(())
    }
}

impl FromStr for KnownTables {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u32>().ok().filter(|_| is_number).ok_or(())
        };
        let mut tables = BTreeMap::new();
        let (mut table, mut id) = (0_u32, 0_u32);
        for entry in text.split(',').filter(|_| !text.is_empty()) {
            let (further, id_difference) = match entry.split_once('/') {
                Some((further, difference)) => (further, number(difference)?),
                None => (entry, 0),
            };
            table = table.checked_add(number(further)?).ok_or(())?;
            id = id.wrapping_add(id_difference);
            if tables.insert(table, id).is_some() {
                return Err(());
            }
        }
        Ok(Self(tables))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_with_another_number_is_not_known() {
        let known = KnownTables::from_iter([(Oid::new(10), 1), (Oid::new(20), 1)]);
        let now = KnownTables::from_iter([(Oid::new(5), 7), (Oid::new(10), 1), (Oid::new(20), 2)]);
        assert_eq!(now.not_in(&known).collect::<Vec<_>>(), [5, 20].map(Oid::new));
        assert_eq!(known.also_in(&now), KnownTables::from_iter([(Oid::new(10), 1)]));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [",", "1,", "1/", "/1", "1,0", "4294967295,1", "+1", "1/-1", "1/2/3", "x"] {
            assert_eq!(text.parse::<KnownTables>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_thousand_tables_take_a_few_kilobytes() {
        let listed: KnownTables =
            (0..1000).map(|n| (Oid::new(16_384 + 5 * n), 30_000 + n)).collect();
        let all: KnownTables = (0..1000).map(|n| (Oid::new(16_384 + 5 * n), 30_000)).collect();
        assert_eq!((listed.to_string().len(), all.to_string().len()), (4_007, 2_009));
    }

    proptest! {
        #[test]
        fn the_text_is_read_back(tables: BTreeMap<u32, u32>) {
            let tables = KnownTables(tables.into_iter().filter(|(table, _)| *table > 0).collect());
            prop_assert_eq!(tables.to_string().parse(), Ok(tables));
        }
    }
}
