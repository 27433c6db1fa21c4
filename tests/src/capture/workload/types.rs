//! A wide table with a column of each basic type, and rows of edge values.

/// The first major that has the type, the type, which also names the column, and a literal for each
/// row, or NULL if there is none.
const TYPES: &[(u32, &str, &[&str])] = &[
    (10, "boolean", &["true", "false"]),
    (10, "smallint", &["1", "-32768", "32767"]),
    (10, "integer", &["1", "-2147483648", "2147483647"]),
    (10, "bigint", &["1", "-9223372036854775808", "9223372036854775807"]),
    (10, "real", &["1.5", "-infinity", "NaN"]),
    (10, "double precision", &["0.1", "-1.7976931348623157e308", "5e-324"]),
    (10, "numeric", &["1234.5600", "NaN", "-0.00000000000000000001"]),
    (10, "numeric(12, 3)", &["-1.5", "0", "999999999.999"]),
    (10, "money", &["12.34", "-92233720368547758.08", "92233720368547758.07"]),
    (10, "text", &["plain", "", "'\"\\ tab\tline\nü日\u{1F600}"]),
    (10, "varchar(5)", &["abc", "", "ü日éñß"]),
    (10, "char(5)", &["abc", "", "ü"]),
    (10, "\"char\"", &["x", "", "\\377"]),
    (10, "name", &["abc", "", "a name"]),
    (10, "bytea", &["\\x00ff5c", "", "\\x27"]),
    (10, "uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"]),
    (10, "date", &["2024-02-29", "-infinity", "4713-11-24 BC"]),
    (10, "time", &["12:34:56.789", "00:00", "24:00"]),
    (10, "time(0) with time zone", &["12:34:56+02", "00:00+15:59:59", "24:00-15:59:59"]),
    (10, "timestamp", &["2024-02-29 12:34:56.000001", "infinity", "4713-11-24 00:00:00 BC"]),
    (
        10,
        "timestamptz(3)",
        &["2024-02-29 12:34:56.789+02", "-infinity", "294276-12-31 23:59:59.999+00"],
    ),
    (10, "interval", &["1 year 2 mons -3 days 04:05:06.789", "0", "-178000000 years"]),
    (10, "json", &["{\"a\": [1, null]}", "null", "1e400"]),
    (10, "jsonb", &["{\"b\": 1, \"a\": \"\\u00fc\"}", "null", "[]"]),
    (10, "inet", &["192.168.0.1/24", "::1", "2001:db8::/32"]),
    (10, "cidr", &["10.0.0.0/8", "::/0", "0.0.0.0/0"]),
    (10, "macaddr", &["08:00:2b:01:02:03", "00:00:00:00:00:00"]),
    (10, "macaddr8", &["08:00:2b:01:02:03:04:05"]),
    (10, "bit(3)", &["101", "000"]),
    (10, "bit varying", &["1", "", "1010101011"]),
    (10, "point", &["(1,-2.5)", "(0,Infinity)"]),
    (10, "lseg", &["[(0,0),(1,1)]"]),
    (10, "line", &["{1,-1,0}"]),
    (10, "box", &["(1,1),(0,0)"]),
    (10, "path", &["((0,0),(1,0))", "[(0,0),(1,0)]"]),
    (10, "polygon", &["((0,0),(1,0),(1,1))"]),
    (10, "circle", &["<(1,2),3>"]),
    (10, "oid", &["0", "4294967295"]),
    (10, "regclass", &["pg_class", "4294967295"]),
    (10, "xid", &["3", "4294967295"]),
    (10, "cid", &["0", "4294967295"]),
    (10, "tid", &["(0,1)", "(4294967295,65535)"]),
    (10, "pg_lsn", &["0/0", "FFFFFFFF/FFFFFFFF"]),
    (10, "integer[]", &["{1,NULL,3}", "{}", "[0:1][-1:0]={{1,2},{3,4}}"]),
    (10, "text[]", &["{a,\"b \\\"c\\\"\",NULL,\"NULL\"}", "{}", "{\"\"}"]),
    (10, "numeric[]", &["{1.50,NaN}"]),
    (10, "int4range", &["[1,5)", "empty", "(,)"]),
    (10, "tstzrange", &["[2024-01-01 00:00+00,)"]),
    (10, "numrange", &["[1.0,2.00]"]),
    (10, "tsvector", &["a:1A fat:2,4B 'it''s':3", ""]),
    (10, "tsquery", &["fat & !rat:AB", ""]),
    (10, "int2vector", &["1 -2"]),
    (10, "oidvector", &["1 2"]),
    // Has no binary form.
    (10, "aclitem", &["=r/postgres"]),
    (12, "jsonpath", &["$.a[*] ? (@ > 1)"]),
    (13, "xid8", &["0", "18446744073709551615"]),
    (14, "numeric(3, 1)[]", &["{1.5}"]),
    (14, "int4multirange", &["{[1,3),[5,)}", "{}"]),
];

fn of_major(major: u32) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let known = TYPES.iter().filter(move |(since, ..)| *since <= major);
    known.map(|(_, name, rows)| (*name, *rows))
}

/// Returns the table: `id` and a column for each type.
pub(super) fn table(major: u32) -> String {
    let columns =
        of_major(major).map(|(name, _)| format!(", \"{}\" {name}", name.replace('"', "\"\"")));
    format!("CREATE TABLE types (id int PRIMARY KEY{})", columns.collect::<String>())
}

/// Returns an insert of all rows. The last one has only NULL.
pub(super) fn insert(major: u32) -> String {
    let longest = TYPES.iter().map(|(.., rows)| rows.len()).max().unwrap_or_default();
    let rows = (0..=longest).map(|row| {
        let values = of_major(major).map(|(name, rows)| match rows.get(row) {
            Some(value) => format!(", '{}'::{name}", value.replace('\'', "''")),
            None => format!(", NULL::{name}"),
        });
        format!("({row}{})", values.collect::<String>())
    });
    format!("INSERT INTO types VALUES {}", rows.collect::<Vec<_>>().join(", "))
}
