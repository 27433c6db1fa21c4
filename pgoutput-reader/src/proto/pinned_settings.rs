//! Settings that both connections have whatever the server, the database, the role or the
//! connection string's `options` say.

use super::ServerVersion;

/// Known to every server from PostgreSQL 10 on: a startup packet may hold them.
pub(super) const PINNED: [(&str, &str); 13] = [
    // The value readers assume these; another setting would change the text of values.
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    // The most exact in every version; from 12 on any value above 0 is.
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    // Nothing in a schema of users is ever chosen for a name, and `regclass` has one text only.
    ("search_path", ""),
    ("quote_all_identifiers", "off"),
    // Or the warning about a publication that was left out would not come.
    ("client_min_messages", "notice"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// Those that came later. A startup packet with a setting that the server does not know is refused,
/// so they are set once the version is known; the shortest time to do it in comes first.
const LATER: [(u32, &str, &str); 2] =
    [(17, "transaction_timeout", "0"), (14, "idle_session_timeout", "0")];

/// SQL that sets what the startup packet could not hold; none where there is nothing to set.
pub(crate) fn later(version: ServerVersion) -> Option<String> {
    let known = LATER.iter().filter(|(since, ..)| version.major() >= *since);
    let statements: String = known.map(|(_, name, value)| set(name, value)).collect();
    (!statements.is_empty()).then_some(statements)
}

/// SQL that sets everything in a session that was opened without these settings, but for `lc_monetary`: no amounts come over
/// it, and which unit they have is asked there.
#[cfg(feature = "reader")]
pub(crate) fn all(version: ServerVersion) -> String {
    let pinned = PINNED.iter().filter(|(name, _)| *name != "lc_monetary");
    let pinned = pinned.map(|(name, value)| set(name, value));
    later(version).into_iter().chain(pinned).collect()
}

fn set(name: &str, value: &str) -> String {
    format!("SET {name} TO '{value}';")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_sent_only_what_it_knows() {
        let of = |version: &str| later(version.parse().unwrap());
        assert_eq!(of("13.9"), None);
        assert_eq!(of("14.1").as_deref(), Some("SET idle_session_timeout TO '0';"));
        assert_eq!(
            of("18beta1").as_deref(),
            Some("SET transaction_timeout TO '0';SET idle_session_timeout TO '0';")
        );
    }

    #[cfg(feature = "reader")]
    #[test]
    fn a_session_has_an_empty_search_path() {
        let all = all("10.0".parse().unwrap());
        assert!(all.contains("SET search_path TO '';"), "{all}");
        assert!(all.contains("SET DateStyle TO 'ISO, MDY';"), "{all}");
        assert!(!all.contains("lc_monetary"), "{all}");
    }
}
