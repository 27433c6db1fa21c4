//! Values of each type, in all modes.

use pgoutput_harness::servers_from;
use pgoutput_tests::Fixture;

use super::golden::assert_golden;
use super::records::Records;

/// One column for each type, with values that are different in text and binary.
const TYPES: &[(&str, &str)] = &[
    ("boolean", "true"),
    ("smallint", "'-32768'"),
    ("integer", "123456"),
    ("bigint", "9223372036854775807"),
    ("oid", "4000000000"),
    ("real", "3.3"),
    ("real", "'NaN'"),
    ("double precision", "4.44"),
    ("double precision", "3"),
    ("double precision", "'-Infinity'"),
    ("money", "'-1234.11'"),
    ("text", "E'tab\\t \"quotes\" \\\\ é \\U0001F600'"),
    ("varchar(9)", "'v'"),
    ("char(4)", "'ab'"),
    ("\"char\"", "'x'"),
    ("name", "'a name'"),
    ("bytea", "'\\x00ff10'"),
    ("uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    ("json", "'{\"a\" : [1, \"b\"]}'"),
    ("jsonb", "'{\"b\": 1.50, \"a\": null}'"),
    ("xml", "'<a>b</a>'"),
    ("inet", "'192.168.0.1'"),
    ("inet", "'10.0.0.1/8'"),
    ("cidr", "'10.0.0.0/8'"),
    ("macaddr", "'08:00:2b:01:02:03'"),
    ("macaddr8", "'08:00:2b:01:02:03:04:05'"),
    ("bit(1)", "'1'"),
    ("bit(2)", "'11'"),
    ("bit(24)", "'000000110000001000000001'"),
    ("varbit", "'111011010001000110000001000000001'"),
    ("varbit(1)", "'0'"),
    ("point", "'(1,2.5)'"),
    ("line", "'{1,2,3}'"),
    ("lseg", "'[(0,0),(1,1)]'"),
    ("box", "'(1,1),(0,0)'"),
    ("path", "'((0,0),(1,1))'"),
    ("polygon", "'((0,0),(1,1),(1,0))'"),
    ("circle", "'<(1,2),3>'"),
    ("tsvector", "'''direct'':6 ''insert'':8 ''test'':4'"),
    ("tsquery", "'fat & rat'"),
    ("int4range", "'[1,5)'"),
    ("int8range", "'empty'"),
    ("numrange", "'[5.3,6.3)'"),
    ("tsrange", "'[2019-03-31 15:30:00, infinity)'"),
    ("tstzrange", "'[2017-06-05 11:29:12.549426+00,)'"),
    ("daterange", "'[2019-03-31, 2019-04-30]'"),
    ("int4multirange", "'{[1,5),[7,9)}'"),
    ("pg_lsn", "'0/158FAC8'"),
    ("xid8", "'18446744073709551615'"),
    ("tid", "'(1,2)'"),
    ("mood", "'sad'"),
    ("positive", "7"),
    ("amount", "1.50"),
    ("pair", "'(1,\"a b\")'"),
    ("hstore", "'\"a\"=>\"say \\\"hi\\\"\", \"b\"=>NULL'"),
    ("citext", "'Mixed'"),
    ("int[]", "'{1,NULL,3}'"),
    ("int[]", "'{{1,2},{3,4}}'"),
    ("int[]", "'{}'"),
    ("text[]", "'{a,\"b,\\\"c\",NULL}'"),
    ("bytea[]", "'{\"\\\\x00ff\"}'"),
    ("bool[]", "'{t,f}'"),
    ("uuid[]", "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"),
    ("numeric(5,2)[]", "'{1.1,-123.45}'"),
    ("date[]", "'{1970-01-02,2016-11-04}'"),
    ("timestamp(3)[]", "'{2018-06-20 15:13:16.945}'"),
    ("timestamptz[]", "'{2020-04-01 11:51:02+00}'"),
    ("mood[]", "'{ok,sad}'"),
    ("jsonb[]", "ARRAY['{\"a\": 1}'::jsonb]"),
    ("int4range[]", "'{\"[1,5)\"}'"),
    ("varchar(3)[]", "'{abc}'"),
    ("bit(1)[]", "'{1,0}'"),
];

const SETUP: &str = "
    CREATE EXTENSION hstore; CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('ok', 'sad');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN amount AS numeric(5,2);
    CREATE TYPE pair AS (n int, label text);";

#[test]
fn each_type_has_its_encoding() {
    for server in servers_from(14) {
        let columns = TYPES.iter().enumerate().map(|(index, (ty, _))| format!("c{index} {ty}"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let setup = format!("{SETUP} CREATE TABLE types ({columns})");
        let fixture = Fixture::new(server, &setup);
        let records = Records::before(&fixture, ["text", "binary"]);
        let values: Vec<_> = TYPES.iter().map(|(_, value)| *value).collect();
        fixture.run([&*format!("INSERT INTO types VALUES ({})", values.join(", "))]);
        let text = records.read("text", &[]);
        // A line for each column, with its type.
        let golden: Vec<_> = TYPES
            .iter()
            .enumerate()
            .map(|(index, (ty, _))| format!("{ty} {}", value_of(&text[0], index)))
            .collect();
        assert_golden("types", include_str!("golden/types.jsonl"), &golden);
        assert_eq!(records.read("binary", &["--binary"]), text);
    }
}

/// Returns the JSON of the column of this number in the new row.
fn value_of(line: &str, index: usize) -> &str {
    let (_, rest) = line.split_once(&format!("\"c{index}\":")).unwrap();
    let end = rest.find(&format!(",\"c{}\":", index + 1)).or_else(|| rest.find("},\"source\""));
    &rest[..end.unwrap()]
}

#[test]
fn decimals_have_three_modes() {
    for server in servers_from(14) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE decimals (
                id int PRIMARY KEY, d numeric(3,2), dzs numeric(4), dvs numeric, large numeric,
                m money, a numeric(3,2)[], negative numeric(3,2))",
        );
        let modes = ["precise", "string", "double"];
        let records = Records::before(&fixture, modes);
        let binary = Records::before(&fixture, ["precise_b", "string_b", "double_b"]);
        fixture.run(["INSERT INTO decimals VALUES (1, 1.10, 10, 10.1111,
                '-123456789012345678901234567890.5', 1234.11, '{1,NULL}', -1.28)"]);
        for mode in modes {
            let lines = records.read(mode, &["--decimal", mode]);
            let (name, file) = match mode {
                "precise" => ("precise", include_str!("golden/precise.jsonl")),
                "string" => ("string", include_str!("golden/string.jsonl")),
                _ => ("double", include_str!("golden/double.jsonl")),
            };
            assert_golden(name, file, &lines);
            let slot = format!("{mode}_b");
            assert_eq!(binary.read(&slot, &["--decimal", mode, "--binary"]), lines);
        }
    }
}

#[test]
fn numbers_that_are_not_finite_need_another_mode() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, "CREATE TABLE n (n numeric, f numeric(3,2))");
        let records = Records::before(&fixture, ["precise", "string"]);
        fixture.run(["INSERT INTO n VALUES (1, 1)", "INSERT INTO n VALUES ('-Infinity', 'NaN')"]);
        let (printed, error) = records.try_read("precise", &["--batch-count", "1"]);
        assert_eq!(printed.len(), 1, "{printed:?}");
        assert!(error.contains("of public.n: column \"n\" is NaN or infinite"), "{error}");
        assert!(error.contains("use --decimal string"), "{error}");
        let strings = records.read("string", &["--decimal", "string"]);
        assert!(strings[1].contains(r#""n":"NEGATIVE_INFINITY","f":"NAN""#), "{strings:?}");
    }
}

#[test]
fn times_have_two_modes() {
    for server in servers_from(14) {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE times (
                id int PRIMARY KEY, d date, d_inf date, t time, t3 time(3), t0 time(0), tz timetz,
                ts timestamp, ts3 timestamp(3), ts_inf timestamp, bc timestamp, tsz timestamptz,
                tsz3 timestamptz(3), tsz0 timestamptz(0), tsz_inf timestamptz, i interval)",
        );
        let modes = ["adaptive", "isostring"];
        let records = Records::before(&fixture, modes);
        let binary = Records::before(&fixture, ["adaptive_b", "isostring_b"]);
        fixture.run(["INSERT INTO times VALUES (1, '2016-11-04', 'infinity', '13:51:30',
                '13:51:30.123', '24:00', '13:51:30.123789+02', '2018-06-20 15:13:16.945104',
                '2018-06-20 15:13:16.945', '-infinity', '0044-03-15 12:00 BC',
                '2016-11-04 13:51:30.123456+02', '2016-11-04 13:51:30.5+02',
                '2016-11-04 13:51:30+02', 'infinity', '1 year 2 mons 3 days 04:05:06.78')"]);
        for mode in modes {
            let lines = records.read(mode, &["--time", mode]);
            let (name, file) = match mode {
                "adaptive" => ("adaptive", include_str!("golden/adaptive.jsonl")),
                _ => ("isostring", include_str!("golden/isostring.jsonl")),
            };
            assert_golden(name, file, &lines);
            let slot = format!("{mode}_b");
            assert_eq!(binary.read(&slot, &["--time", mode, "--binary"]), lines);
        }
    }
}
