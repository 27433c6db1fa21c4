//! Settings that both connections have, whatever the server, the database, the role or the
//! connection string's `options` specify.

use crate::server_version::ServerVersion;

/// Settings known to every server from PostgreSQL 10 on, so a startup packet may contain them.
pub(super) const PINNED: [(&str, &str); 13] = [
    // Reading values relies on these. Other settings would change the text of values.
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    // The most precise setting in every version. From 12 on any value above 0 is.
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    // No name is resolved in a schema of users, and `regclass` has one text only.
    ("search_path", ""),
    ("quote_all_identifiers", "off"),
    // Higher levels would suppress the warning about a missing publication.
    ("client_min_messages", "notice"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// Settings that were added later. A server refuses a startup packet with an unknown setting, so
/// they are set once its version is known, first the one that could time out soonest.
const PINNED_LATER: [(u32, &str, &str); 2] =
    [(17, "transaction_timeout", "0"), (14, "idle_session_timeout", "0")];

/// SQL that sets what the startup packet could not contain; `None` if there is nothing to set.
pub(crate) fn later(version: ServerVersion) -> Option<String> {
    let known = PINNED_LATER.iter().filter(|(since, ..)| version.major() >= *since);
    let statements: String = known.map(|(_, name, value)| set(name, value)).collect();
    (!statements.is_empty()).then_some(statements)
}

/// SQL that sets everything in a session opened without these settings, except `lc_monetary`. No
/// money values are read in it, and the unit of the database is queried there.
#[cfg(feature = "reader")]
pub(crate) fn all(version: ServerVersion) -> String {
    let pinned = PINNED.iter().filter(|(name, _)| *name != "lc_monetary");
    let pinned = pinned.map(|(name, value)| set(name, value));
    later(version).into_iter().chain(pinned).collect()
}

/// SQL that sets the same for the current transaction.
#[cfg(feature = "reader")]
pub(crate) fn local(version: ServerVersion) -> String {
    all(version).replace("SET ", "SET LOCAL ")
}

/// The select list that sets everything for the current transaction. In a database with the
/// encoding SQL_ASCII, text is sent as it is stored.
#[cfg(feature = "reader")]
pub(crate) fn config_calls(version: ServerVersion, is_sql_ascii: bool) -> String {
    let later = PINNED_LATER.iter().filter(|(since, ..)| version.major() >= *since);
    let later = later.map(|(_, name, value)| (*name, *value));
    let calls = PINNED.into_iter().chain(later).map(|(name, value)| {
        let value = if is_sql_ascii && name == "client_encoding" { "SQL_ASCII" } else { value };
        format!("pg_catalog.set_config('{name}', '{value}', true)")
    });
    calls.collect::<Vec<_>>().join(", ")
}

fn set(name: &str, value: &str) -> String {
    format!("SET {name} TO '{value}';")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_the_server_knows_are_sent() {
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
    fn settings_of_a_transaction_end_with_it() {
        let version = "17.2".parse().unwrap();
        let local = local(version);
        assert!(local.contains("SET LOCAL search_path TO '';"), "{local}");
        assert_eq!(local.matches("SET ").count(), local.matches("SET LOCAL ").count());
        let calls = config_calls(version, true);
        assert!(calls.contains("set_config('transaction_timeout', '0', true)"), "{calls}");
        assert!(calls.contains("set_config('client_encoding', 'SQL_ASCII', true)"), "{calls}");
        assert!(calls.contains("set_config('lc_monetary', 'C', true)"), "{calls}");
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
