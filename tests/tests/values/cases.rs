//! The types, their edge values, and how more are made at random.

/// Values of one type.
pub(crate) struct Case {
    pub(crate) ty: &'static str,
    /// The first major of PostgreSQL that has the type, and all these values of it.
    pub(crate) since: u32,
    /// What creates the type.
    pub(crate) setup: &'static [&'static str],
    /// Values in the type's text form.
    pub(crate) values: &'static [&'static str],
    /// Expressions, each evaluated for 100 rows.
    pub(crate) random: &'static [&'static str],
    pub(crate) has_binary: bool,
    pub(crate) has_floats: bool,
    /// The JSON form is what `to_jsonb` makes of the value.
    pub(crate) is_json_as_the_servers: bool,
}

const DEFAULT: Case = Case {
    ty: "",
    since: 10,
    setup: &[],
    values: &[],
    random: &[],
    has_binary: true,
    has_floats: false,
    is_json_as_the_servers: false,
};

const fn case(
    ty: &'static str,
    values: &'static [&'static str],
    random: &'static [&'static str],
) -> Case {
    Case { ty, values, random, ..DEFAULT }
}

impl Case {
    const fn since(mut self, major: u32) -> Self {
        self.since = major;
        self
    }

    const fn setup(mut self, setup: &'static [&'static str]) -> Self {
        self.setup = setup;
        self
    }

    const fn text_only(mut self) -> Self {
        self.has_binary = false;
        self
    }

    const fn floats(mut self) -> Self {
        self.has_floats = true;
        self
    }

    const fn json(mut self) -> Self {
        self.is_json_as_the_servers = true;
        self
    }
}

/// Settings as a reader of changes sets them, and functions for random values. They are in PL/pgSQL so that they are
/// called anew for every row.
pub(crate) const SETUP: &str = r#"
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = postgres;
SET extra_float_digits = 3;
SET bytea_output = hex;
SET lc_monetary = 'C';
SET xmloption = content;
SET client_min_messages = warning;
SELECT setseed(0.5);
CREATE EXTENSION hstore;
CREATE EXTENSION citext;
CREATE FUNCTION rint(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN RETURN floor(random() * n); END $$;
CREATE FUNCTION rtext() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := '';
BEGIN
  FOR i IN 1..rint(6) LOOP
    t := t || (ARRAY['a', 'B', '"', '\', '''', '{', '}', '(', ')', '[', ']', '<', '>', ',', ';', ':', '=', ' ', E'\t', E'\n',
      E'\r', E'\u000B', E'\f', 'NULL', 'null', 'é', E'\u00A0', E'\u2028', '😀', '0', '-', '.', '%', '&', '|', '!', E'\u0001'])[1 + rint(37)];
  END LOOP;
  RETURN t;
END $$;
CREATE FUNCTION rnull(t anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$
BEGIN RETURN CASE WHEN random() < 0.2 THEN NULL ELSE t END; END $$;
CREATE FUNCTION rtexts() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE a text[] := '{}';
BEGIN
  CASE rint(5)
    WHEN 0 THEN RETURN ARRAY[[rtext(), rnull(rtext())], [rnull(rtext()), rtext()], [rtext(), rtext()]];
    WHEN 1 THEN RETURN ARRAY[[[rtext()], [rnull(rtext())]]];
    WHEN 2 THEN a[rint(9) - 4] := rtext(); a[array_upper(a, 1) + 1 + rint(3)] := rtext(); RETURN a;
    ELSE FOR i IN 1..rint(4) LOOP a := a || rnull(rtext()); END LOOP; RETURN a;
  END CASE;
END $$;
CREATE FUNCTION rbytea() RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN RETURN decode(left(md5(random()::text), 2 * rint(9)), 'hex'); END $$;
CREATE FUNCTION rfloat() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(9) WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN rint(9) - 4
    ELSE (random() - 0.5) * 10.0 ^ (rint(60) - 30) END;
END $$;
CREATE FUNCTION rfinite() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN RETURN (random() - 0.5) * 10.0 ^ (rint(20) - 10); END $$;
CREATE FUNCTION rpoint() RETURNS point LANGUAGE plpgsql AS $$
BEGIN RETURN point(rfloat(), rfloat()); END $$;
CREATE FUNCTION rpoints() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := point(rfinite(), rfinite())::text;
BEGIN FOR i IN 1..rint(5) LOOP t := t || ',' || rpoint()::text; END LOOP; RETURN t; END $$;
CREATE FUNCTION rnumeric() RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE t text := '';
BEGIN
  FOR i IN 1..1 + rint(12) LOOP t := t || (ARRAY['0', '0000', '1', '9999', '10', '57'])[1 + rint(6)]; END LOOP;
  IF random() < 0.5 THEN
    t := t || '.';
    FOR i IN 1..1 + rint(12) LOOP t := t || (ARRAY['0', '0000', '1', '9999', '10', '57'])[1 + rint(6)]; END LOOP;
  END IF;
  RETURN (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || t)::numeric;
END $$;
CREATE FUNCTION rday() RETURNS date LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(10) WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' ELSE date '0050-01-01' + rint(1400000) - 40000 END;
END $$;
CREATE FUNCTION rmoment() RETURNS timestamp LANGUAGE plpgsql AS $$
BEGIN
  RETURN CASE rint(10) WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN rday()::timestamp
    ELSE timestamp '0001-06-01' + (rint(4000000) - 200000) * interval '1 day' + random() * interval '1 day' END;
END $$;
CREATE FUNCTION rbounds() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN (ARRAY['()', '[)', '(]', '[]'])[1 + rint(4)]; END $$;
CREATE FUNCTION rlexeme() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN '''' || replace(replace(regexp_replace(rtext(), '\s', '', 'g') || 'x', '\', '\\'), '''', '''''') || ''''
    || CASE WHEN random() < 0.3 THEN ':' || (ARRAY['*', 'A', 'BC', '*D', 'ABCD'])[1 + rint(5)] ELSE '' END;
END $$;
CREATE FUNCTION rquery(depth int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF depth = 0 OR random() < 0.2 THEN RETURN rlexeme(); END IF;
  IF random() < 0.25 THEN RETURN '!' || '(' || rquery(depth - 1) || ')'; END IF;
  RETURN '(' || rquery(depth - 1) || ')' || (ARRAY['&', '|', '<->', '<0>', '<16384>', '<2>'])[1 + rint(6)] || '(' || rquery(depth - 1) || ')';
END $$;
CREATE FUNCTION rrow() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text := rlexeme();
BEGIN FOR i IN 1..rint(50) LOOP t := t || (ARRAY['&', '|', '<->', '& !', '<3>'])[1 + rint(5)] || rlexeme(); END LOOP; RETURN t; END $$;
CREATE FUNCTION rtexts_flat() RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE a text[] := '{}';
BEGIN FOR i IN 1..rint(5) LOOP a := a || rnull(rtext()); END LOOP; RETURN a; END $$;
CREATE FUNCTION rbounds_open() RETURNS text LANGUAGE plpgsql AS $$
BEGIN RETURN (ARRAY['()', '[)'])[1 + rint(2)]; END $$;
CREATE FUNCTION rhstore() RETURNS hstore LANGUAGE plpgsql AS $$
DECLARE h hstore := '';
BEGIN FOR i IN 1..rint(5) LOOP h := h || hstore(rtext(), rnull(rtext())); END LOOP; RETURN h; END $$;
"#;

const COMPOSITES: &[&str] = &[
    "CREATE TYPE mood AS ENUM ('sad', 'so so', 'a\"b', 'é', '')",
    "CREATE DOMAIN short AS text CHECK (length(value) < 100)",
    "CREATE DOMAIN shorter AS short CHECK (length(value) < 50)",
    "CREATE DOMAIN row3 AS text[]",
    "CREATE DOMAIN area AS box",
    "CREATE TYPE one AS (\"only\" text)",
    "CREATE TYPE pair AS (\"a\"\"b\" text, list text[])",
    "CREATE TYPE nothing AS ()",
    "CREATE TYPE gone AS (a int, b text, c int)",
    "ALTER TYPE gone DROP ATTRIBUTE b",
    "CREATE DOMAIN pairs AS pair[]",
    "CREATE TYPE textrange AS RANGE (subtype = text, collation = \"C\")",
    "CREATE FUNCTION rtextrange() RETURNS textrange LANGUAGE plpgsql AS $$
     DECLARE a text := rnull(rtext()); b text := rnull(rtext());
     BEGIN
       IF a > b COLLATE \"C\" THEN RETURN textrange(b, a, rbounds()); ELSE RETURN textrange(a, b, rbounds()); END IF;
     END $$",
    "CREATE TYPE deep1 AS (v textrange, w textrange[])",
    "CREATE TYPE deep2 AS (v deep1, w deep1[])",
    "CREATE TYPE deep3 AS (v deep2, w deep2[])",
    "CREATE FUNCTION rpair() RETURNS pair LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rtext()), rnull(rtexts()))::pair; END $$",
    "CREATE FUNCTION rdeep1() RETURNS deep1 LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rtextrange()), ARRAY[rtextrange(), rnull(rtextrange())])::deep1; END $$",
    "CREATE FUNCTION rdeep2() RETURNS deep2 LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rdeep1()), ARRAY[[rdeep1()], [rnull(rdeep1())]])::deep2; END $$",
    "CREATE FUNCTION rmood() RETURNS mood LANGUAGE plpgsql AS $$
     BEGIN RETURN (enum_range(NULL::mood))[1 + rint(5)]; END $$",
];

pub(crate) const CASES: &[Case] = &[
    // Scalars.
    case("bool", &["t", "f"], &[]).json(),
    case("int2", &["0", "-32768", "32767"], &["(rint(65536) - 32768)::int2"]).json(),
    case(
        "int4",
        &["0", "-2147483648", "2147483647"],
        &["(random() * 4294967295 - 2147483648)::int4"],
    )
    .json(),
    case(
        "int8",
        &["0", "-9223372036854775808", "9223372036854775807"],
        &["(random() * 1.8e19 - 9e18)::int8"],
    )
    .json(),
    case("oid", &["0", "4294967295"], &["(random() * 4294967295)::int8::oid"]),
    case(
        "float4",
        &["0", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "1e6", "123456"],
        &["(rfinite())::float4"],
    )
    .floats(),
    case(
        "float8",
        &["0", "-0", "1e15", "1e-5", "5e-324", "1.7976931348623157e308", "0.1"],
        &["rfloat()"],
    )
    .floats(),
    case(
        "numeric",
        &["0", "0.000", "-0.5", "NaN", "1e131071", "1e-16383", "10000", "99999999.00010000"],
        &["rnumeric()"],
    ),
    case("numeric", &["Infinity", "-Infinity"], &[]).since(14),
    case(
        "money",
        &["0", "-1.00", "92233720368547758.07", "-92233720368547758.08"],
        &["(rint(2000000000) - 1000000000)::money / 100"],
    ),
    case("text", &["", "NULL", "é😀", "a\nb"], &["rtext()"]).json(),
    case("varchar(40)", &["", "a "], &["rtext()"]).json(),
    case("char(5)", &["", "a", "é"], &["left(rtext(), 5)"]).json(),
    case("name", &["", "a b"], &["rtext()::name"]).json(),
    case("\"char\"", &["", "a", "\"", "\\"], &["(rint(127) + 1)::\"char\""]).json(),
    case("\"char\"", &["\\200", "\\377"], &["(rint(256) - 128)::\"char\""]).since(16),
    case("xml", &["<a b=\"1\">x</a>", ""], &[]),
    case("citext", &["", "aBc"], &["rtext()::citext"]).json(),
    case("bytea", &["", "\\x00", "\\xdeadbeef"], &["rbytea()"]).json(),
    case("uuid", &["00000000-0000-0000-0000-000000000000"], &["md5(random()::text)::uuid"]).json(),
    case(
        "date",
        &[
            "4714-11-24 BC",
            "0001-12-31 BC",
            "0001-01-01",
            "9999-12-31",
            "10000-01-01",
            "5874897-12-31",
        ],
        &["rday()"],
    ),
    case("time", &["00:00", "24:00", "23:59:59.999999"], &["(random() * interval '1 day')::time"])
        ,
    case(
        "timetz",
        &["00:00+15:59:59", "24:00-15:59:59", "12:00:00.5+05:30"],
        &["(random() * interval '1 day')::time::timetz"],
    )
    ,
    case(
        "timestamp",
        &["4714-11-24 00:00 BC", "294276-12-31 23:59:59.999999", "2000-01-01"],
        &["rmoment()"],
    ),
    case(
        "timestamptz",
        &["4714-11-24 00:00+00 BC", "294276-12-31 23:59:59.999999+00", "2000-01-01"],
        &["rmoment()::timestamptz"],
    ),
    case(
        "interval",
        &["0", "-1 mon", "1 year -1 mon 3 days -04:05:06.789", "178000000 years", "-1 day 1 us"],
        &[
            "make_interval(rint(9) - 4, rint(9) - 4, 0, rint(9) - 4, rint(99) - 50, rint(99) - 50, rfinite()::numeric(16, 6)::float8)",
        ],
    ),
    case("interval", &["infinity", "-infinity"], &[]).since(17),
    case("json", &["{\"a\": 1, \"a\" :\n 1e400}", "null", "\"\\u0041\""], &["to_json(rtext())"]),
    case(
        "jsonb",
        &["{\"a\": 10000000000000000000000000000.10}", "[]", "\"\\\"\""],
        &["to_jsonb(rtexts())"],
    ),
    case(
        "inet",
        &[
            "0.0.0.0/0",
            "255.255.255.255",
            "::",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:7:8/9",
            "::1.2.3.4",
            "1::8/128",
        ],
        &["'0.0.0.0'::inet + (random() * 4294967295)::int8"],
    )
    .json(),
    case("cidr", &["10.0.0.0/8", "::/0", "2001:db8::/32", "1.2.3.4/32"], &[]).json(),
    case("macaddr", &["00:00:00:00:00:00"], &["left(md5(random()::text), 12)::macaddr"]).json(),
    case("macaddr8", &["00:00:00:00:00:00:00:00"], &["left(md5(random()::text), 16)::macaddr8"])
        .json(),
    case("bit(9)", &["000000000", "101010101"], &["rint(512)::bit(9)"]).json(),
    case(
        "varbit",
        &["", "1", "01010101", "1111111100000000"],
        &["right(rint(65536)::bit(16)::text, rint(17))::varbit"],
    )
    .json(),
    case("xid", &["0", "4294967295"], &[]),
    case("xid8", &["0", "18446744073709551615"], &[]).since(13),
    case("cid", &["0", "4294967295"], &[]),
    case("tid", &["(0,0)", "(4294967295,65535)"], &[]).json(),
    case("pg_lsn", &["0/0", "FFFFFFFF/FFFFFFFF", "1/A"], &[]).json(),
    // Types with a form of their own.
    case("point", &["(0,-0)", "(NaN,Infinity)"], &["rpoint()"]).floats().json(),
    case("line", &["{1,-1,0}", "{0,-1,1e300}"], &["line(point(rfinite(), rfinite()), point(1e10, rfinite()))"]).floats().json(),
    case("lseg", &["[(0,0),(0,0)]"], &["lseg(rpoint(), rpoint())"]).floats().json(),
    case("box", &["(1,2),(3,4)"], &["box(rpoint(), rpoint())"]).floats().json(),
    case("path", &["[(1,2)]", "((1,2))"], &["('[' || rpoints() || ']')::path", "('(' || rpoints() || ')')::path"]).floats().json(),
    case("polygon", &["((1,2))"], &["('(' || rpoints() || ')')::polygon"]).floats().json(),
    case("circle", &["<(1,2),0>", "<(1,2),Infinity>"], &["circle(rpoint(), abs(rfinite()))"]).floats().json(),
    case(
        "tsvector",
        &["", "a:1A,2B,3C,4D b", r"'it''s' 'back\\slash' 'x y'"],
        &[
            "array_to_tsvector(array_remove(array_remove(rtexts_flat(), NULL), ''))",
            "to_tsvector('simple', rtext() || ' ' || rtext() || ' b c ' || rtext())",
            "setweight(to_tsvector('simple', 'a b a ' || rtext()), 'B')",
        ],
    ).json(),
    case(
        "tsquery",
        &["", "a & b & c", "a & (b | !c)", "!(a <-> b) | c:*AB", "a <-> (b <-> c)", "(a & b) <5> c"],
        &["rquery(1)::tsquery", "rquery(3)::tsquery", "rquery(6)::tsquery", "rrow()::tsquery"],
    ).json(),
    case("jsonpath", &["$", r#"strict $."a b"[*] ? (@ > 1)"#, "$.**{2 to last}"], &[]).since(12).json(),
    case("txid_snapshot", &["10:10:", "10:20:11,14", "1:9223372036854775807:"], &[]).json(),
    case("pg_snapshot", &["10:10:", "10:20:11,14", "1:9223372036854775807:"], &[]).since(13).json(),
    case("aclitem", &["postgres=r*w/postgres"], &[]).text_only(),
    // Arrays.
    case("bool[]", &["{}", "{t,NULL,f}", "[-1:0]={t,f}"], &[]).json(),
    case(
        "int4[]",
        &["{}", "{{1,2},{3,NULL}}", "[2147483645:2147483645]={1}", "[-2147483648:-2147483647]={1,2}", "{{{{{{1,2}}}}}}"],
        &["ARRAY[g, NULL, -g]"],
    ).json(),
    case("text[]", &["{}", r#"{""}"#, r#"{NULL,"NULL","null",nULLs}"#], &["rtexts()"]).json(),
    case("varchar(9)[]", &["{a}"], &[]).json(),
    case("bytea[]", &[r#"{"\\x","\\x00"}"#], &["ARRAY[[rbytea()], [rnull(rbytea())]]"]).json(),
    case("\"char\"[]", &[r#"{"",a,"\"","\\"}"#], &[]).json(),
    case("float8[]", &["{NaN,-0,1e15}"], &["ARRAY[rfloat(), rnull(rfloat())]"]).floats(),
    case("numeric[]", &["{NaN,0.00}"], &["ARRAY[rnumeric(), rnull(rnumeric())]"]),
    case("timestamptz[]", &["{infinity}"], &["ARRAY[rmoment()::timestamptz]"]),
    case("interval[]", &[r#"{0,"1 day"}"#], &[]),
    case("date[]", &["{infinity,2020-01-01}"], &["ARRAY[rday()]"]),
    case("uuid[]", &["{}"], &["ARRAY[md5(random()::text)::uuid]"]).json(),
    case("inet[]", &["{::1,10.0.0.0/8}"], &[]).json(),
    case("jsonb[]", &[r#"{"{\"a\": \"\\\\\\\"\"}",NULL}"#], &["ARRAY[to_jsonb(rtexts()), to_jsonb(rtext())]"]).json(),
    case("json[]", &["{}"], &["ARRAY[to_json(rtexts()), to_json(rtext())]"]).json(),
    case("xml[]", &["{<a/>}"], &[]),
    case("citext[]", &[r#"{a,"B c"}"#], &["rtexts()::citext[]"]).json(),
    case("money[]", &[r#"{"$1,000.00",$1.00}"#], &[]),
    case("varbit[]", &[r#"{"",101}"#], &[]).json(),
    case("tid[]", &[r#"{"(1,2)"}"#], &[]).json(),
    case("point[]", &[r#"{"(1,2)",NULL}"#], &["ARRAY[rpoint()]"]).floats().json(),
    case(
        "box[]",
        &["{(1,2),(0,0);(3,4),(1,1);NULL}", "{{(1,2),(0,0)};{(3,4),(1,1)}}"],
        &["ARRAY[box(rpoint(), rpoint()), NULL]"],
    ).floats().json(),
    case("polygon[]", &[r#"{"((1,2))"}"#], &[]).floats().json(),
    case(
        "tsvector[]",
        &["{}"],
        &[
            "ARRAY[to_tsvector('simple', rtext() || ' x y')]",
            "ARRAY[array_to_tsvector(array_remove(array_remove(rtexts_flat(), NULL), ''))]",
        ],
    ).json(),
    case("tsquery[]", &["{}"], &["ARRAY[rquery(2)::tsquery]"]).json(),
    case("jsonpath[]", &[r#"{"$.\"a b\""}"#], &[]).since(12).json(),
    case("pg_snapshot[]", &["{10:20:11}", r#"{"10:20:11,14"}"#], &[]).since(13).json(),
    case("aclitem[]", &["{postgres=r*w/postgres,=r/postgres}"], &[]).text_only(),
    case("int2vector", &["", "1", "1 -2 32767"], &[]),
    case("oidvector", &["", "1", "1 4294967295"], &[]),
    case("int2vector[]", &[r#"{"1 2",3,""}"#], &[]),
    // Ranges.
    case("int4range", &["empty", "(,)", "[1,2147483647)", "(,5]"], &["int4range(rnull(-rint(99)), rnull(rint(99)), rbounds())"]).json(),
    case(
        "int8range",
        &["empty", "[-9223372036854775808,9223372036854775807)"],
        &["int8range(rnull(-rint(99)), rnull(rint(99)), rbounds())"],
    ).json(),
    case(
        "numrange",
        &["empty", "(1.50,NaN]", "[0.00,0.00]"],
        &["numrange(rnull(-abs(rnumeric())), rnull(abs(rnumeric())), rbounds())"],
    ).json(),
    case("numrange", &["(-Infinity,Infinity]"], &[]).since(14).json(),
    case(
        "daterange",
        &["empty", "[4714-11-24 BC,infinity]", "[-infinity,2020-01-01)"],
        &["daterange(rday(), NULL, rbounds_open())"],
    ).json(),
    case("tsrange", &["empty", "[-infinity,infinity]", "[2020-01-01,2020-01-01]"], &["tsrange(rmoment(), 'infinity', rbounds())"]).json(),
    case("tstzrange", &["empty", "(,2020-01-01]"], &["tstzrange('-infinity', rmoment()::timestamptz, rbounds())"]).json(),
    case("int4range[]", &[r#"{empty,"[1,2)"}"#], &["ARRAY[int4range(1, rnull(5), rbounds()), NULL]"]).json(),
    case("tsrange[]", &["{}"], &["ARRAY[tsrange(rmoment(), 'infinity', rbounds())]"]).json(),
    case(
        "int4multirange",
        &["{}", "{(,)}", "{(,1),[3,5),[7,)}"],
        &["int4multirange(int4range(1, 5), int4range(6 + rint(9), rnull(40)))"],
    ).since(14).json(),
    case("int8multirange", &["{}"], &["int8multirange(int8range(1, 5), int8range(6 + rint(9), rnull(40)))"]).since(14).json(),
    case("nummultirange", &["{}", "{[1.0,2.50),(3,Infinity]}"], &[]).since(14).json(),
    case("datemultirange", &["{}", "{[2020-01-01,2020-02-01),[2021-01-01,infinity)}"], &[]).since(14).json(),
    case(
        "tsmultirange",
        &["{}", "{[2020-01-01,2020-02-01),[2021-01-01,infinity]}"],
        &["tsmultirange(tsrange(rmoment(), 'infinity', '[]'))"],
    ).since(14).json(),
    case("tstzmultirange", &["{}", "{[2020-01-01,2020-02-01)}"], &[]).since(14).json(),
    case("tsmultirange[]", &["{}"], &["ARRAY[tsmultirange(tsrange('-infinity', rmoment()))]"]).since(14).json(),
    // Types of users and extensions.
    case("hstore", &["", "a=>NULL", r#"""=>"", "a\"\\b"=>"NULL""#], &["rhstore()"]).json(),
    case("hstore[]", &["{}", r#"{""}"#], &["ARRAY[rhstore(), NULL, rhstore()]"]).json(),
    case("mood", &["sad", "so so", "a\"b", "é", ""], &[]).setup(COMPOSITES).json(),
    case("mood[]", &[r#"{sad,"so so","a\"b","",NULL}"#], &[]).json(),
    case("short", &["", "a"], &["left(rtext(), 40)"]).json(),
    case("shorter", &["", "a"], &["left(rtext(), 40)"]).json(),
    case("shorter[]", &["{}"], &["ARRAY[rtext(), rnull(rtext())]::shorter[]"]).since(11).json(),
    case("row3", &["{}", "{a,b}"], &["rtexts()"]).json(),
    case("row3[]", &["{}", r#"{"{}",NULL,"{a,\"\"}"}"#], &["ARRAY[rtexts()::row3, rnull(rtexts())::row3]"]).since(11).json(),
    case("area[]", &["{(1,2),(0,0);NULL}"], &[]).since(11).floats().json(),
    case("one", &["()", r#"("")"#, "(a)", "(NULL)"], &["ROW(rnull(rtext()))::one"]).json(),
    case("one[]", &[r#"{(),(a),"(\"\")",NULL}"#], &["ARRAY[ROW(rtext())::one, NULL, ROW(rnull(rtext()))::one]"]).json(),
    case("nothing", &["()"], &[]).json(),
    case("nothing[]", &["{(),NULL}"], &[]).json(),
    case("pair", &["(,)", r#"("",{})"#], &["rpair()"]).json(),
    case("pair[]", &["{}"], &["ARRAY[rpair(), NULL, rpair()]"]).json(),
    case("pairs", &["{}"], &["ARRAY[rpair(), NULL, rpair()]"]).since(11).json(),
    case("gone", &["(1,2)", "(,)"], &[]).json(),
    case("textrange", &["empty", "(,)", r#"["",a)"#, r#"["",""]"#], &["rtextrange()"]).json(),
    case("textrange[]", &["{}"], &["ARRAY[rtextrange(), NULL, rtextrange()]"]).json(),
    case("deep3", &["(,)"], &["ROW(rdeep2(), ARRAY[rdeep2(), NULL])::deep3"]).json(),
    case("twosome", &["(,)"], &["rpair()"]).since(11).setup(&["CREATE DOMAIN twosome AS pair"]).json(),
    case("twosome[]", &["{}"], &["ARRAY[rpair(), NULL, rpair()]::twosome[]"]).since(11).json(),
    case("deep3[]", &[r#"{"(,)"}"#], &["ARRAY[ROW(rdeep2(), ARRAY[NULL, rdeep2()])::deep3]"]).json(),
    case(
        "tree",
        &["(,,,,,,,,,,,,,,,,)"],
        &["ROW(g, rpair(), ARRAY[rpair(), NULL], ROW(rtext()), ARRAY[ROW(rtext())::one], rmood(), rbytea(), rtext(), rhstore(),
           int4range(g, NULL), date_trunc('second', now()), to_jsonb(rtexts()), 0.5 + g, true, NULL, ARRAY[box '(1,2),(0,0)']::area[], ROW())::tree"],
    )
    .setup(&["CREATE TYPE tree AS (id int, p pair, ps pair[], o one, os one[], m mood, b bytea, d shorter, h hstore, r int4range,
        t timestamptz, j jsonb, n numeric, f bool, rows row3[], bx area[], e nothing)"])
    .since(12).json(),
];
