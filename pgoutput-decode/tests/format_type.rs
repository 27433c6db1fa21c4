//! Names of the built-in types as a server's `format_type` prints them.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{PgType, format_type};

/// Lines of oid, modifier and name, written by `data/format_type.sql`.
const SERVER_NAMES: &str = include_str!("data/format_type.tsv");

#[test]
fn names_are_those_of_the_server() {
    let mut seen = Vec::new();
    for line in SERVER_NAMES.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [oid, typmod, expected] = columns[..] else { panic!("three columns: {line}") };
        let oid = Oid::new(oid.parse().unwrap());
        let name = match typmod {
            "" => PgType::from_oid(oid).map(|ty| ty.sql_name().to_owned()),
            _ => format_type(oid, typmod.parse().unwrap()).map(|name| name.to_string()),
        };
        assert_eq!(name.as_deref(), Some(expected), "{line}");
        seen.push(oid);
    }
    // Both sides have the same types.
    seen.dedup();
    assert!(PgType::all().iter().map(PgType::oid).eq(seen));
}
