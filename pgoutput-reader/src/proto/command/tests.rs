use proptest::prelude::*;

use super::*;
use crate::proto::quote::{identifier, identifier_list, literal};
use crate::proto::{StreamOptions, Streaming};

/// Takes the quoted text at the front, as `repl_scanner.l` reads a literal (xq) and
/// `SplitIdentifierString` a name. A doubled quote is a quote, a single one is the end, and any
/// other character is itself.
fn unquote(text: &str, quote: char) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix(quote)?;
    let mut value = String::new();
    loop {
        let at = rest.find(quote)?;
        value.push_str(&rest[..at]);
        rest = &rest[at + quote.len_utf8()..];
        match rest.strip_prefix(quote) {
            Some(after) => {
                value.push(quote);
                rest = after;
            }
            None => return Some((value, rest)),
        }
    }
}

/// Takes the quoted name at the front, as `repl_scanner.l` reads it (xd): up to the next quote,
/// which cannot be doubled.
fn identifier_read(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// Splits a list of quoted names as `SplitIdentifierString` does.
fn split_identifiers(mut text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    loop {
        let (name, rest) = unquote(text, '"')?;
        names.push(name);
        if rest.is_empty() {
            return Some(names);
        }
        text = rest.strip_prefix(',')?;
    }
}

fn name() -> impl Strategy<Value = String> {
    // The special characters, far more often than by chance.
    prop::collection::vec(
        prop_oneof![
            prop::sample::select(vec!['"', '\'', ',', '\\', ' ', ';', '(', ')', '\n', 'A', 'é']),
            any::<char>().prop_filter("no zero byte", |c| *c != '\0'),
        ],
        0..12,
    )
    .prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn literals_are_read_back(text in name(), tail in "[^']?") {
        let quoted = literal(&text).unwrap() + &tail;
        prop_assert_eq!(unquote(&quoted, '\''), Some((text, &*tail)));
    }

    #[test]
    fn identifiers_are_read_back_or_refused(text in name(), tail in ".?") {
        match identifier(&text) {
            Ok(quoted) => {
                let quoted = quoted + &tail;
                prop_assert_eq!(identifier_read(&quoted), Some((&*text, &*tail)));
            }
            Err(_) => prop_assert!(text.contains('"')),
        }
    }

    #[test]
    fn publication_names_survive_both_layers(names in prop::collection::vec(name(), 1..5)) {
        let quoted = literal(&identifier_list(&names).unwrap()).unwrap();
        let (list, rest) = unquote(&quoted, '\'').unwrap();
        prop_assert_eq!(rest, "");
        prop_assert_eq!(split_identifiers(&list), Some(names));
    }
}

#[test]
fn a_zero_byte_is_refused() {
    assert!(identifier("a\0b").is_err());
    assert!(drop_slot("a\0b", false).is_err());
}

#[test]
fn start_replication_names_every_option() {
    let options = StreamOptions::new()
        .streaming(Streaming::Parallel)
        .binary(true)
        .messages(true)
        .two_phase(true)
        .origin(crate::proto::Origin::None);
    let start = StartReplication::new("my_slot", ["Big One", "it's,\"quoted\""])
        .start_lsn(pgoutput_decode::Lsn::new(0x16_B374_D848))
        .options(options);
    assert_eq!(
        start_replication(&start, ServerVersion::new(160_004)).unwrap(),
        "START_REPLICATION SLOT \"my_slot\" LOGICAL 16/B374D848 (\"proto_version\" '4', \
         \"publication_names\" '\"Big One\",\"it''s,\"\"quoted\"\"\"', \"binary\" 'true', \
         \"messages\" 'true', \"streaming\" 'parallel', \"two_phase\" 'on', \"origin\" 'none')"
    );
}

#[test]
fn slots_are_created_in_the_syntax_of_the_version() {
    let slot = CreateSlot::new("s");
    let on = |slot: &CreateSlot, major: u32| slot.command(ServerVersion::new(major * 10_000));
    assert_eq!(
        on(&slot, 14).unwrap(),
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput NOEXPORT_SNAPSHOT"
    );
    let slot = slot.temporary(true).snapshot(SlotSnapshot::Export);
    assert_eq!(
        on(&slot, 10).unwrap(),
        "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT"
    );
    let slot = slot.two_phase(true).failover(true);
    assert_eq!(
        on(&slot, 17).unwrap(),
        "CREATE_REPLICATION_SLOT \"s\" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export', TWO_PHASE, \
         FAILOVER)"
    );
    for (major, name, first) in [(14, "two_phase", 15), (16, "failover", 17)] {
        assert!(matches!(
            on(&slot, major).unwrap_err().kind(),
            ErrorKind::Unsupported { option, needed, .. } if *option == name && *needed == first
        ));
    }
}

#[test]
fn slots_are_dropped() {
    assert_eq!(drop_slot("s", true).unwrap(), "DROP_REPLICATION_SLOT \"s\" WAIT");
    assert_eq!(drop_slot("s", false).unwrap(), "DROP_REPLICATION_SLOT \"s\"");
}

#[test]
fn a_slot_name_that_the_server_would_truncate_is_refused() {
    let longest = "s".repeat(63);
    assert!(drop_slot(&longest, false).is_ok());
    let cut = format!("{longest}s");
    for refused in
        [drop_slot(&cut, false), CreateSlot::new(&cut).command(ServerVersion::new(150_000))]
    {
        assert!(matches!(refused.unwrap_err().kind(), ErrorKind::Usage(_)));
    }
}

#[test]
fn options_in_parentheses_begin_with_postgresql_15() {
    let command = |version| CreateSlot::new("s").command(ServerVersion::new(version)).unwrap();
    let start = "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput ";
    assert_eq!(command(140_018), format!("{start}NOEXPORT_SNAPSHOT"));
    assert_eq!(command(150_000), format!("{start}(SNAPSHOT 'nothing')"));
}

#[test]
fn the_history_of_a_timeline_is_requested_by_its_number() {
    assert_eq!(timeline_history(7), "TIMELINE_HISTORY 7");
}

#[cfg(feature = "reader")]
#[test]
fn a_slot_is_created_by_sql_with_what_the_server_knows() {
    let slot = CreateSlot::new("s");
    for (version, arguments) in [
        ("10.23", "(E's'::pg_catalog.name, 'pgoutput', false)"),
        ("15.4", "(E's'::pg_catalog.name, 'pgoutput', false, false)"),
        ("17.1", "(E's'::pg_catalog.name, 'pgoutput', false, false, true)"),
    ] {
        let version: ServerVersion = version.parse().unwrap();
        let slot = slot.clone().failover(version.major() >= 17);
        let sql = slot.sql(version).unwrap();
        assert!(sql.contains(&format!("pg_create_logical_replication_slot{arguments}")), "{sql}");
    }
    assert!(slot.failover(true).sql("16.1".parse().unwrap()).is_err());
    assert!(CreateSlot::new("x".repeat(64)).sql("16.1".parse().unwrap()).is_err());
}
