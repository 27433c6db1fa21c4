//! Where a position is good: which cluster, timeline and slot it came from, and what was read of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::SystemId;
use crate::error::{Error, ProtocolError};
use crate::proto::{Origin, StartReplication};

/// What all positions of a reader have in common while it is on one timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ReaderId(u64);

impl ReaderId {
    /// Positions that were stored and read again are of no reader of this process.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What decides whether a position means the same to another connection.
#[derive(Debug, Clone)]
pub(crate) struct StreamIdentity {
    pub(crate) reader: ReaderId,
    pub(crate) system_identifier: u64,
    pub(crate) timeline: u32,
    pub(crate) slot: Box<str>,
    pub(crate) publications: u64,
}

impl StreamIdentity {
    pub(crate) fn new(
        reader: ReaderId,
        system: &SystemId,
        start: &StartReplication,
    ) -> Result<Self, Error> {
        let system_identifier = system
            .system_identifier
            .parse()
            .map_err(|_| ProtocolError::Answer { command: "IDENTIFY_SYSTEM", field: "systemid" })?;
        Ok(Self {
            reader,
            system_identifier,
            timeline: system.timeline,
            slot: start.slot.as_str().into(),
            publications: fingerprint(start),
        })
    }

    /// Everything but the reader.
    pub(crate) fn key(&self) -> (u64, u32, &str, u64) {
        (self.system_identifier, self.timeline, &self.slot, self.publications)
    }
}

/// A number for what decides which events come and how they are counted: the names of the publications, in whatever order and
/// however often they were given; whether messages come; whether changes from elsewhere do; whether prepared transactions come early.
///
/// 64 bits of FNV-1a: it is stored, and has to be the same in every version. The protocol's version and the format of values change
/// no event's place.
pub(crate) fn fingerprint(start: &StartReplication) -> u64 {
    let mut names: Vec<&str> = start.publications.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let options = [
        ("messages", start.messages),
        ("origin none", start.origin == Some(Origin::None)),
        ("two_phase", start.two_phase),
    ];
    let options = options.into_iter().filter(|(_, on)| *on).map(|(name, _)| name);
    // No name is empty or holds a zero byte: an empty one divides names from options.
    let parts = names.into_iter().chain([""]).chain(options);
    fnv(parts.flat_map(|part| part.bytes().chain([0])))
}

/// FNV-1a, 64 bits.
pub(super) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// What was otherwise when this fingerprint was taken: tries the options, one publication more and one less.
pub(crate) fn change_since(
    taken: u64,
    now: &StartReplication,
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
        names.push((more, Some(format!("with publication \"{name}\" besides"))));
        // One in the place of another.
        for replaced in &now.publications {
            let kept = now.publications.iter().filter(|other| *other != replaced);
            let text = format!("with publication \"{name}\" in place of \"{replaced}\"");
            names.push((kept.chain([name]).cloned().collect(), Some(text)));
        }
    }
    for options in 0..8_u8 {
        let [messages, origin, two_phase] = [1, 2, 4].map(|bit| options & bit != 0);
        for (publications, change) in &names {
            let then = StartReplication {
                publications: publications.clone(),
                messages,
                origin: origin.then_some(Origin::None),
                two_phase,
                ..now.clone()
            };
            if fingerprint(&then) != taken {
                continue;
            }
            let is_origin = now.origin == Some(Origin::None);
            let mut changes: Vec<String> = change.iter().cloned().collect();
            for (name, then, now) in [
                ("messages", messages, now.messages),
                ("origin none", origin, is_origin),
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

    fn start(publications: &[&str]) -> StartReplication {
        StartReplication::new("s", publications.iter().copied())
    }

    /// Stored positions hold it.
    #[test]
    fn the_fingerprint_stays_what_it_is() {
        assert_eq!(format!("{:016x}", fingerprint(&start(&["p"]))), "79142219578eefc7");
    }

    #[test]
    fn order_and_repetition_of_names_do_not_count() {
        assert_eq!(fingerprint(&start(&["a", "b"])), fingerprint(&start(&["b", "a", "b"])));
        let mut binary = start(&["a"]);
        (binary.binary, binary.proto_version) = (true, Some(1));
        assert_eq!(fingerprint(&binary), fingerprint(&start(&["a"])));
        let mut any = start(&["a"]);
        any.origin = Some(Origin::Any);
        assert_eq!(fingerprint(&any), fingerprint(&start(&["a"])));
    }

    #[test]
    fn what_changes_the_events_counts() {
        let mut all = vec![start(&["a"]), start(&["b"]), start(&["a", "b"]), start(&["ab"])];
        all.push(start(&["a", "messages"]));
        let mut messages = start(&["a"]);
        messages.messages = true;
        let mut origin = start(&["a"]);
        origin.origin = Some(Origin::None);
        all.extend([messages, origin]);
        let mut numbers: Vec<u64> = all.iter().map(fingerprint).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all.len());
    }

    #[test]
    fn what_has_changed_is_found_where_it_is_one_thing() {
        let existing = ["a", "b", "c"].map(str::to_owned);
        let mut now = start(&["a", "b"]);
        now.messages = true;
        let changed = |then: &StartReplication| change_since(fingerprint(then), &now, &existing);
        for (publications, messages, origin, expected) in [
            (&["a", "b"][..], false, None, Some("with the option messages off")),
            (&["b", "a"], true, Some(Origin::None), Some("with the option origin none on")),
            (&["a"], true, None, Some("without publication \"b\"")),
            (&["a", "b", "c"], true, None, Some("with publication \"c\" besides")),
            (&["a", "c"], true, None, Some("with publication \"c\" in place of \"b\"")),
            (
                &["a"],
                false,
                None,
                Some("without publication \"b\" and with the option messages off"),
            ),
            (&["gone"], true, None, None),
        ] {
            let mut then = start(publications);
            (then.messages, then.origin) = (messages, origin);
            let expected = expected.map(|change| format!("it was taken {change}"));
            assert_eq!(changed(&then), expected);
        }
    }
}
