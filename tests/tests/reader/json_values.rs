//! Values in JSON, the same in text and in binary.

use pgoutput_decode::value::JsonOptions;
use pgoutput_harness::{servers, servers_from};
use pgoutput_reader::{Acknowledge, StreamOptions};
use pgoutput_tests::{Fixture, after, formats, line};
use serde_json::{Value, json};

const COLUMNS: &str = "CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"');
    CREATE TABLE t (b bool, i2 int2, i4 int4, i8 int8, f4 real, f8 double precision, n numeric,
        t text, v varchar(20),
        c char(5), nm name, u uuid, d date, tm time, ts timestamp, tz timestamptz, j json, jb jsonb,
        nothing text,
        by bytea, a int[], iv interval, ip inet, m mood)";

/// A row as SQL, and as JSON with the fields after it.
const ROWS: [(&str, &str); 5] = [
    (
        "true, 1, 2, 3, 1.5, 0.1, 1.50, 'text', 'var', 'ab', 'na',
         'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2020-01-01',
         '12:34:56', '2020-01-01 00:00:00', '2020-01-01 00:00:00+00', '{\"a\": [1,  2]}',
         '{\"b\":{\"c\":null}}', NULL,
         '\\xdeadbeef', '{1,NULL,3}', '1 day 02:03:04', '10.0.0.0/8', 'sad'",
        r#"{"b":true,"i2":1,"i4":2,"i8":3,"f4":1.5,"f8":0.1,"n":1.50,"t":"text","v":"var","c":"ab   ","nm":"na","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","d":"2020-01-01","tm":"12:34:56","ts":"2020-01-01T00:00:00","tz":"2020-01-01T00:00:00+00:00","j":{"a": [1,  2]},"jb":{"b": {"c": null}},"nothing":null,"by":"\\xdeadbeef","a":[1,null,3],"iv":"P1DT2H3M4S","ip":"10.0.0.0/8","m":"sad"}"#,
    ),
    (
        "false, -32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', 'NaN',
         E'quote \" slash \\\\ line\\n\\ttab',
         '', '', '', '00000000-0000-0000-0000-000000000000', '0044-03-15 BC', '23:59:59.999999',
         '-infinity', 'infinity',
         'null', '\"text\"', NULL, '', '{}', '-1 mons', '::1', 'it''s \"ok\"'",
        r#"{"b":false,"i2":-32768,"i4":-2147483648,"i8":-9223372036854775808,"f4":"-Infinity","f8":"NaN","n":"NaN","t":"quote \" slash \\ line\n\ttab","v":"","c":"     ","nm":"","u":"00000000-0000-0000-0000-000000000000","d":"0044-03-15 BC","tm":"23:59:59.999999","ts":"-infinity","tz":"infinity","j":null,"jb":"text","nothing":null,"by":"\\x","a":[],"iv":"P-1M","ip":"::1","m":"it's \"ok\""},"json_null":["j"]"#,
    ),
    (
        "NULL, 32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308,
         12345678901234567890123456789012345678901234567890\
         .00000000000000000000000000000000000000000000000001,
         'ünï 😀', NULL, NULL,
         NULL, NULL, 'infinity', '00:00:00.5', '2020-01-01 12:00:00.5', '0001-01-01 00:00:00+00 BC',
         '[1,\n \n2]', '[1.10, 12345678901234567890.123456789]', NULL, '\\x00', '{{1,2},{3,4}}',
         '1 year 2 mons', '1.2.3.4', NULL",
        r#"{"b":null,"i2":32767,"i4":2147483647,"i8":9223372036854775807,"f4":3.4028235e+38,"f8":1.7976931348623157e+308,"n":12345678901234567890123456789012345678901234567890.00000000000000000000000000000000000000000000000001,"t":"ünï 😀","v":null,"c":null,"nm":null,"u":null,"d":"infinity","tm":"00:00:00.500000","ts":"2020-01-01T12:00:00.500000","tz":"0001-01-01 00:00:00+00 BC","j":[1,   2],"jb":[1.10, 12345678901234567890.123456789],"nothing":null,"by":"\\x00","a":[[1,2],[3,4]],"iv":"P1Y2M","ip":"1.2.3.4","m":null}"#,
    ),
    (
        "NULL, 0, 0, 0, '-0', 5e-324, 0, '', NULL, NULL, NULL, NULL, '5874897-12-31', '24:00:00',
         '294276-12-31 23:59:59.999999',
         '2020-06-01 12:00:00.000001+02', '\"\\u0000\"', '{}', NULL, NULL, NULL, '00:00:00', NULL,
         NULL",
        r#"{"b":null,"i2":0,"i4":0,"i8":0,"f4":-0.0,"f8":5e-324,"n":0,"t":"","v":null,"c":null,"nm":null,"u":null,"d":"5874897-12-31","tm":"24:00:00","ts":"294276-12-31 23:59:59.999999","tz":"2020-06-01T10:00:00.000001+00:00","j":"\u0000","jb":{},"nothing":null,"by":null,"a":null,"iv":"PT0S","ip":null,"m":null}"#,
    ),
    (
        "NULL, NULL, NULL, NULL, 1e10, 1e-7, 1e40, NULL, NULL, NULL, NULL, NULL,
         '0001-01-01', NULL, '0044-03-15 12:00:00 BC',
         NULL,
         '1e400', '1e3', NULL, NULL, NULL, NULL, NULL, NULL",
        r#"{"b":null,"i2":null,"i4":null,"i8":null,"f4":1e+10,"f8":1e-07,"n":10000000000000000000000000000000000000000,"t":null,"v":null,"c":null,"nm":null,"u":null,"d":"0001-01-01","tm":null,"ts":"0044-03-15 12:00:00 BC","tz":null,"j":"1e400","jb":1000,"nothing":null,"by":null,"a":null,"iv":null,"ip":null,"m":null},"json_as_text":{"after":["j"]}"#,
    ),
];

fn fixture(server: &'static pgoutput_harness::Server) -> Fixture<'static> {
    let fixture = Fixture::new(server, COLUMNS);
    for (values, _) in ROWS {
        fixture.run([&format!("INSERT INTO t VALUES ({values})") as &str]);
    }
    fixture
}

#[test]
fn every_kind_of_value_is_preserved() {
    for server in servers() {
        let events = fixture(server).read();
        assert_eq!(events.len(), ROWS.len());
        for (event, (_, expected)) in events.iter().zip(ROWS) {
            assert_eq!(after(event), expected, "PostgreSQL {}", server.major());
            assert_eq!(line(event).lines().count(), 1);
        }
    }
}

#[test]
fn json_from_binary_is_the_same_byte_for_byte() {
    for server in servers_from(14) {
        let fixture = fixture(server);
        let text = fixture.read_with(|builder| builder.acknowledge(Acknowledge::Never));
        let binary =
            fixture.read_with(|builder| builder.options(StreamOptions::new().binary(true)));
        let lines = |events: &[_]| events.iter().map(line).collect::<Vec<_>>();
        assert_eq!(lines(&binary), lines(&text), "PostgreSQL {}", server.major());
    }
}

/// As deep as servers accept with their own limit on the stack.
#[test]
fn a_deep_tsquery_is_the_same_in_text_and_in_binary() {
    let [open, close] = ["!( ", " & 'b' )"].map(|part| part.repeat(7_500));
    let to_the_left = format!("{open}'a'{close}");
    let [open, close] = ["'a' & ( 'b' | ", " )"].map(|part| part.repeat(2_500));
    let to_the_right = format!("{open}'c'{close}");
    for server in servers() {
        // A tsquery must fit into a page, because PostgreSQL does not store it as TOAST.
        let fixture = Fixture::new(server, "CREATE TABLE t (qs tsquery[])");
        fixture.run([
            "INSERT INTO t SELECT ARRAY[q] FROM (SELECT \
             (repeat('!(', 7500) || 'a' || repeat(' & b)', 7500))::tsquery) AS t (q)",
            "INSERT INTO t SELECT ARRAY[q, NULL] FROM (SELECT \
             (repeat('a & (b | ', 2500) || 'c' || repeat(')', 2500))::tsquery) AS t (q)",
        ]);
        for binary in [false, true] {
            if binary && server.major() < 14 {
                continue;
            }
            let events = fixture.read_with(|builder| {
                builder.options(StreamOptions::new().binary(binary)).acknowledge(Acknowledge::Never)
            });
            let left = format!(r#"{{"qs":["{to_the_left}"]}}"#);
            let right = format!(r#"{{"qs":["{to_the_right}",null]}}"#);
            for (event, expected) in events.iter().zip([left, right]) {
                assert!(
                    after(event) == expected,
                    "PostgreSQL {}, binary: {binary}",
                    server.major()
                );
            }
            assert_eq!(events.len(), 2);
        }
    }
}

/// Returns the fields of an event after its rows, which a strict parser must accept, in text and in
/// binary.
fn named(fixture: &Fixture<'_>, options: JsonOptions) -> Vec<Value> {
    let binary = if fixture.major() >= 14 { &[false, true][..] } else { &[false] };
    let mut formats = binary.iter().map(|binary| {
        let events = fixture.read_with(|builder| {
            builder
                .options(StreamOptions::new().binary(*binary))
                .json_options(options)
                .acknowledge(Acknowledge::Never)
        });
        let lines = events.iter().map(|event| {
            let mut direct = String::new();
            event.write_json(&mut direct).unwrap();
            assert_eq!(direct, line(event));
            direct
        });
        lines.collect::<Vec<_>>()
    });
    let text = formats.next().unwrap();
    assert!(formats.all(|binary| binary == text), "PostgreSQL {}", fixture.major());
    text.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn ambiguous_json_values_are_named() {
    for server in servers() {
        let setup = "CREATE DOMAIN document AS jsonb; CREATE TYPE holder AS (j json, a int[]);
            CREATE TABLE t (k int PRIMARY KEY, j json, b jsonb, d document, js json[], h holder,
                a int[], bs jsonb[], hs holder[]);
            ALTER TABLE t REPLICA IDENTITY FULL";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            r#"INSERT INTO t VALUES (1, 'null', 'null', 'null', '{NULL,"null"}', ROW('null', NULL), NULL)"#,
            r#"INSERT INTO t VALUES (2, ' null ', '[null]', '"null"', '{"\"null\""}', ROW('[]', NULL), '{1}')"#,
            "UPDATE t SET j = NULL, b = '1' WHERE k = 1",
            "DELETE FROM t WHERE k = 2",
            r#"INSERT INTO t VALUES (3, '{"a": "\ud800"}', ('[' || repeat('1', 400) || ']')::jsonb, ('' || repeat('9', 309))::jsonb,
                ARRAY['"\udc00"'::json, '1'], ROW('1e400', NULL), NULL)"#,
            "INSERT INTO t SELECT 4, (repeat('[', 125) || repeat(']', 125))::json, NULL, NULL,
                ARRAY[(repeat('[', 124) || repeat(']', 124))::json],
                ROW((repeat('[', 124) || repeat(']', 124))::json, NULL)::holder",
            "INSERT INTO t SELECT 5, (repeat('[', 126) || repeat(']', 126))::json,
                (repeat('[', 3000) || repeat(']', 3000))::jsonb, NULL,
                ARRAY[(repeat('[', 125) || repeat(']', 125))::json],
                ROW((repeat('[', 125) || repeat(']', 125))::json, NULL)::holder",
            "INSERT INTO t VALUES (6, NULL, NULL, NULL, '[0:1]={1,2}', ROW(NULL, '[2:2]={7}'),
                '[0:1][5:6]={{1,2},{3,4}}')",
            "UPDATE t SET a = '{1}' WHERE k = 6",
            // Both are `[null,null]`, and `["1e400","1e400"]`.
            r#"INSERT INTO t (k, bs, js) VALUES (7, ARRAY['null', NULL]::jsonb[], ARRAY['1e400', '"1e400"']::json[])"#,
            r#"INSERT INTO t (k, bs, js) VALUES (8, ARRAY[NULL, 'null']::jsonb[], ARRAY['"1e400"', '1e400']::json[])"#,
            // Bounds in an array that has bounds, with such documents, and without inner bounds.
            r#"INSERT INTO t (k, hs) VALUES (9, '[0:1]={"(null,[3:3]={1})","(1e400,)"}')"#,
            r#"INSERT INTO t (k, hs) VALUES (10, '[0:0]={"(1,{1})"}')"#,
        ]);
        let events = named(&fixture, JsonOptions::default());
        let keys = ["json_null", "json_as_text", "value_text", "array_bounds"];
        let nulls = json!({"js": "{NULL,\"null\"}", "h": "(null,)"});
        let nested = "[".repeat(125) + &"]".repeat(125);
        let expected = [
            json!([["j", "b", "d", "js", "h"], null, {"after": nulls}, null]),
            json!([["j"], null, null, null]),
            json!([
                {"before": ["j", "b", "d", "js", "h"], "after": ["d", "js", "h"]},
                null,
                {"before": nulls, "after": nulls},
                null
            ]),
            json!([["j"], null, null, null]),
            json!([
                null,
                {"after": ["j", "b", "d", "js", "h"]},
                {"after": {"js": r#"{"\"\\udc00\"",1}"#, "h": "(1e400,)"}},
                null
            ]),
            json!([null, null, null, null]),
            json!([
                null,
                {"after": ["j", "b", "js", "h"]},
                {"after": {"js": format!("{{{nested}}}"), "h": format!("({nested},)")}},
                null
            ]),
            json!([
                null,
                null,
                null,
                {"after": {"js": "[0:1]", "h": "(,[2:2]={7})", "a": "[0:1][5:6]"}}
            ]),
            json!([null, null, null, {
                "before": {"js": "[0:1]", "h": "(,[2:2]={7})", "a": "[0:1][5:6]"},
                "after": {"js": "[0:1]", "h": "(,[2:2]={7})"},
            }]),
            json!([
                ["bs"],
                {"after": ["js"]},
                {"after": {"bs": r#"{"null",NULL}"#, "js": r#"{1e400,"\"1e400\""}"#}},
                null
            ]),
            json!([
                ["bs"],
                {"after": ["js"]},
                {"after": {"bs": r#"{NULL,"null"}"#, "js": r#"{"\"1e400\"",1e400}"#}},
                null
            ]),
            json!([
                ["hs"],
                {"after": ["hs"]},
                {"after": {"hs": r#"[0:1]={"(null,[3:3]={1})","(1e400,)"}"#}},
                {"after": {"hs": r#"[0:1]={"(null,[3:3]={1})","(1e400,)"}"#}}
            ]),
            json!([null, null, null, {"after": {"hs": "[0:0]"}}]),
        ];
        assert_eq!(events.len(), expected.len());
        for (event, expected) in events.iter().zip(expected) {
            let found: Vec<&Value> = keys.iter().map(|key| &event[key]).collect();
            assert_eq!(json!(found), expected, "PostgreSQL {}: {event}", server.major());
        }
        assert_eq!(events[4]["after"]["j"], json!(r#"{"a": "\ud800"}"#));
        assert_eq!(events[4]["after"]["js"], json!([r#""\udc00""#, 1]));
        assert_eq!(events[4]["after"]["h"], json!({"j": "1e400", "a": null}));
        let deep = events[6]["after"]["b"].as_str().unwrap();
        assert_eq!(deep, "[".repeat(3000) + &"]".repeat(3000));
        for same in ["js", "bs"] {
            assert_eq!(events[9]["after"][same], events[10]["after"][same]);
        }
    }
}

/// Arrays of domains exist from 11 on.
#[test]
fn all_bounds_of_nested_arrays_are_named() {
    for server in servers_from(11) {
        let setup = "CREATE DOMAIN counts AS int[]; CREATE TABLE t (c counts[])";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            r#"INSERT INTO t VALUES ('[2:2]={"[5:5]={1}"}')"#,
            r#"INSERT INTO t VALUES ('[2:3]={"{1}",NULL}')"#,
            r#"INSERT INTO t VALUES ('{"{1}","[5:5]={1}"}')"#,
        ]);
        let events = named(&fixture, JsonOptions::default());
        let bounds = [r#"[2:2]={"[5:5]={1}"}"#, "[2:3]", r#"{"{1}","[5:5]={1}"}"#];
        assert_eq!(events.len(), bounds.len());
        for (event, bounds) in events.iter().zip(bounds) {
            let expected = json!({"after": {"c": bounds}});
            assert_eq!(event["array_bounds"], expected, "PostgreSQL {}", server.major());
        }
    }
}

#[test]
fn large_integers_are_strings_with_the_option() {
    for server in servers() {
        let setup = "CREATE TYPE pair AS (a bigint, b int); CREATE DOMAIN big AS bigint;
            CREATE TABLE t (i bigint, r bigint, a bigint[], p pair, d big, n int, range int8range)";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            "INSERT INTO t VALUES (9007199254740991, -9007199254740992, '{1,9223372036854775807}',
            ROW(9007199254740992, 2), -9223372036854775808, -2147483648, '[1,9007199254740993)')",
        ]);
        let events = named(&fixture, JsonOptions::default().bigint_as_string(true));
        let expected = json!({"i": 9_007_199_254_740_991_i64, "r": "-9007199254740992",
            "a": [1, "9223372036854775807"], "p": {"a": "9007199254740992", "b": 2},
            "d": "-9223372036854775808", "n": -2_147_483_648_i64, "range": "[1,9007199254740993)"});
        assert_eq!(events[0]["after"], expected, "PostgreSQL {}", server.major());
        let events = named(&fixture, JsonOptions::default());
        assert_eq!(events[0]["after"]["a"], json!([1, 9_223_372_036_854_775_807_i64]));
    }
}

#[test]
fn numeric_is_a_string_with_the_option() {
    for server in servers() {
        let setup = "CREATE TYPE price AS (amount numeric); CREATE DOMAIN share AS numeric;
            CREATE TABLE t (n numeric, ns numeric[], p price, s share, i int)";
        let fixture = Fixture::new(server, setup);
        fixture.run([
            "ALTER TABLE t REPLICA IDENTITY FULL",
            "INSERT INTO t VALUES (1.50, '{2.0,NaN}', ROW(0.10), 3.000, 4)",
            "UPDATE t SET i = 5",
        ]);
        for binary in formats(server) {
            let options = JsonOptions::default().numeric_as_string(true);
            let events = fixture.read_with(|builder| {
                builder
                    .options(StreamOptions::new().binary(*binary))
                    .json_options(options)
                    .acknowledge(Acknowledge::Never)
            });
            let row = r#"{"n":"1.50","ns":["2.0","NaN"],"p":{"amount":"0.10"},"s":"3.000","i":"#;
            assert_eq!(after(&events[0]), format!("{row}4}}"));
            let update = line(&events[1]);
            assert!(
                update.ends_with(&format!(r#","before":{row}4}},"after":{row}5}}}}"#)),
                "{update}"
            );
            let mut written = String::new();
            events[1].write_json(&mut written).unwrap();
            assert_eq!(written, update);
        }
    }
}

#[test]
fn numeric_has_infinities_from_14_on() {
    for server in servers_from(14) {
        let fixture = Fixture::new(server, "CREATE TABLE t (n numeric, m numeric)");
        fixture.run(["INSERT INTO t VALUES ('Infinity', '-Infinity')"]);
        for binary in [false, true] {
            let events = fixture.read_with(|builder| {
                builder.options(StreamOptions::new().binary(binary)).acknowledge(Acknowledge::Never)
            });
            assert_eq!(after(&events[0]), r#"{"n":"Infinity","m":"-Infinity"}"#);
        }
    }
}
