//! The identity of a stream, to which positions belong: the cluster, the timeline, the slot, and
//! the selection of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pgoutput_decode::Oid;

use super::copied::Copied;
use super::fnv::fnv;
use super::known_tables::KnownTables;

/// The number of a reader on one timeline, common to all its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ReaderId(u64);

impl ReaderId {
    /// The id of positions that were stored and read again: no reader of this process.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The facts that decide whether a position means the same to another connection.
#[derive(Debug, Clone)]
pub(crate) struct StreamIdentity {
    pub(crate) reader: ReaderId,
    pub(crate) system_identifier: u64,
    pub(crate) timeline: u32,
    pub(crate) slot: Box<str>,
    pub(crate) publications: u64,
    /// The tables that an initial copy has finished, as long as changes may arrive that it
    /// contains.
    pub(crate) copied: Option<Box<Copied>>,
    /// The published tables that are known, if those that join later are to be copied.
    pub(crate) known: Option<Arc<KnownTables>>,
}

/// Everything except the reader.
pub(crate) type IdentityKey<'a> =
    (u64, u32, &'a str, u64, Option<&'a Copied>, Option<&'a KnownTables>);

impl StreamIdentity {
    /// Returns everything except the reader.
    pub(crate) fn key(&self) -> IdentityKey<'_> {
        let Self { system_identifier, timeline, slot, publications, copied, known, .. } = self;
        let (copied, known) = (copied.as_deref(), known.as_deref());
        (*system_identifier, *timeline, slot, *publications, copied, known)
    }

    /// Returns the same identity with other copied tables.
    pub(crate) fn with_copied(&self, copied: Option<Copied>) -> Self {
        Self { copied: copied.map(Box::new), ..self.clone() }
    }

    /// Returns the same identity with other known tables.
    pub(crate) fn with_known(&self, known: Option<KnownTables>) -> Self {
        Self { known: known.map(Arc::new), ..self.clone() }
    }

    /// Returns the same identity with another known table, if these are kept.
    pub(crate) fn knowing(&self, table: Oid, entries_id: u32) -> Self {
        let known = self.known.as_ref().map(|known| known.with(table, entries_id));
        self.with_known(known)
    }
}

/// The settings that decide which events there are and how they are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventSelection {
    pub(crate) publications: Vec<String>,
    /// Whether logical decoding messages are read.
    pub(crate) messages: bool,
    /// Whether changes that were replicated to the server are left out.
    pub(crate) origin_none: bool,
    /// Whether prepared transactions are sent when they are prepared.
    pub(crate) two_phase: bool,
}

impl EventSelection {
    /// Returns the fingerprint of the selection. The order and repetition of publications do not
    /// count.
    ///
    /// It is stored, so it must stay the same in every version.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut names: Vec<&str> = self.publications.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let options = [
            ("messages", self.messages),
            ("origin none", self.origin_none),
            ("two_phase", self.two_phase),
        ];
        let options = options.into_iter().filter(|(_, on)| *on).map(|(name, _)| name);
        // No name is empty or contains a zero byte: an empty one separates names from options.
        let parts = names.into_iter().chain([""]).chain(options);
        fnv(parts.flat_map(|part| part.bytes().chain([0])))
    }
}

/// Describes how the selection differed when this fingerprint was taken. Tries all options, and one
/// publication more, one less, or one replaced by another.
pub(crate) fn change_since(
    taken: u64,
    now: &EventSelection,
    existing: &[String],
) -> Option<String> {
    let others = existing.iter().filter(|name| !now.publications.contains(name));
    let mut names = vec![(now.publications.clone(), None)];
    for name in &now.publications {
        let kept = now.publications.iter().filter(|other| *other != name).cloned().collect();
        names.push((kept, Some(format!("without publication \"{name}\""))));
    }
    for name in others {
        let more = now.publications.iter().chain([name]).cloned().collect();
        names.push((more, Some(format!("with the further publication \"{name}\""))));
        // One publication was replaced by another.
        for replaced in &now.publications {
            let kept = now.publications.iter().filter(|other| *other != replaced);
            let text = format!("with publication \"{name}\" in place of \"{replaced}\"");
            names.push((kept.chain([name]).cloned().collect(), Some(text)));
        }
    }
    for options in 0..8_u8 {
        let [messages, origin, two_phase] = [1, 2, 4].map(|bit| options & bit != 0);
        for (publications, change) in &names {
            let publications = publications.clone();
            let then = EventSelection { publications, messages, origin_none: origin, two_phase };
            if then.fingerprint() != taken {
                continue;
            }
            let mut changes: Vec<String> = change.iter().cloned().collect();
            for (name, then, now) in [
                ("messages", messages, now.messages),
                ("origin none", origin, now.origin_none),
                ("two_phase", two_phase, now.two_phase),
            ] {
                if then != now {
                    changes.push(format!(
                        "with the option {name} {}",
                        if then { "on" } else { "off" }
                    ));
                }
            }
            return Some(format!("it was taken {}", changes.join(" and ")));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(publications: &[&str]) -> EventSelection {
        EventSelection {
            publications: publications.iter().map(|name| (*name).to_owned()).collect(),
            messages: false,
            origin_none: false,
            two_phase: false,
        }
    }

    /// Stored positions contain it.
    #[test]
    fn the_fingerprint_is_the_same_in_every_release() {
        assert_eq!(format!("{:016x}", select(&["p"]).fingerprint()), "79142219578eefc7");
    }

    #[test]
    fn order_and_repetition_of_names_do_not_matter() {
        let repeated = select(&["b", "a", "b"]);
        assert_eq!(select(&["a", "b"]).fingerprint(), repeated.fingerprint());
    }

    #[test]
    fn every_part_of_the_selection_changes_the_fingerprint() {
        let mut all = vec![select(&["a"]), select(&["b"]), select(&["a", "b"]), select(&["ab"])];
        all.push(select(&["a", "messages"]));
        let mut messages = select(&["a"]);
        messages.messages = true;
        let mut origin = select(&["a"]);
        origin.origin_none = true;
        all.extend([messages, origin]);
        let mut numbers: Vec<u64> = all.iter().map(EventSelection::fingerprint).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all.len());
    }

    #[test]
    fn a_single_change_is_described() {
        let existing = ["a", "b", "c"].map(str::to_owned);
        let mut now = select(&["a", "b"]);
        now.messages = true;
        let changed = |then: &EventSelection| change_since(then.fingerprint(), &now, &existing);
        for (publications, messages, origin, expected) in [
            (&["a", "b"][..], false, false, Some("with the option messages off")),
            (&["b", "a"], true, true, Some("with the option origin none on")),
            (&["a"], true, false, Some("without publication \"b\"")),
            (&["a", "b", "c"], true, false, Some("with the further publication \"c\"")),
            (&["a", "c"], true, false, Some("with publication \"c\" in place of \"b\"")),
            (
                &["a"],
                false,
                false,
                Some("without publication \"b\" and with the option messages off"),
            ),
            (&["gone"], true, false, None),
        ] {
            let mut then = select(publications);
            (then.messages, then.origin_none) = (messages, origin);
            let expected = expected.map(|change| format!("it was taken {change}"));
            assert_eq!(changed(&then), expected);
        }
    }
}
