//! Values for each line of the table.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{
    Attribute, AttributeList, FieldType, TypeInfo, TypeKind, type_oid as oid,
};

/// A value in PostgreSQL's text, and its JSON.
pub(crate) struct Input {
    pub(crate) ty: FieldType<'static>,
    pub(crate) text: &'static str,
    pub(crate) json: &'static str,
}

const fn of(ty: Oid, text: &'static str, json: &'static str) -> Input {
    Input { ty: FieldType::new(ty), text, json }
}

const fn user(ty: &'static TypeInfo<'static>, text: &'static str, json: &'static str) -> Input {
    Input { ty: FieldType::described(ty), text, json }
}

const fn described(number: u32, name: &'static str, kind: TypeKind<'static>) -> TypeInfo<'static> {
    TypeInfo::new(Oid::new(number), name, kind)
}

static TEXT: TypeInfo<'_> = TypeInfo::new(oid::TEXT, "text", TypeKind::Base);
static INT4: TypeInfo<'_> = TypeInfo::new(oid::INT4, "integer", TypeKind::Base);
static CITEXT: TypeInfo<'_> = described(16_400, "citext", TypeKind::TextLike);
static MOOD: TypeInfo<'_> = described(16_401, "mood", TypeKind::Enum);
static ITEM: TypeInfo<'_> = described(
    16_402,
    "item",
    TypeKind::Composite(AttributeList::new(&[
        Attribute::new("a", FieldType::described(&INT4)),
        Attribute::new("b", FieldType::described(&TEXT)),
    ])),
);
static HSTORE: TypeInfo<'_> = described(16_403, "hstore", TypeKind::Hstore);
static POSITIVE: TypeInfo<'_> =
    described(16_404, "positive", TypeKind::Domain(FieldType::described(&INT4)));
static SHORT: TypeInfo<'_> =
    described(16_405, "short", TypeKind::Domain(FieldType::described(&TEXT)));

/// Lines that describe columns rather than types of values.
pub(crate) const NOT_VALUES: [&str; 4] = [
    "NULL",
    "unchanged TOAST",
    "what is not UTF-8, in a `SQL_ASCII` database",
    "names that are not UTF-8, in a `SQL_ASCII` database",
];

pub(crate) const ROWS: &[(&str, &[Input])] = &[
    ("`boolean`", &[of(oid::BOOL, "t", "true"), of(oid::BOOL, "f", "false")]),
    (
        "`smallint`, `integer`, `bigint`",
        &[of(oid::INT2, "-1", "-1"), of(oid::INT4, "2", "2"), of(oid::INT8, "3", "3")],
    ),
    (
        "`oid`, `xid`, `cid` / `xid8` / `tid` / `pg_lsn`",
        &[
            of(oid::OID, "1", "1"),
            of(oid::XID, "2", "2"),
            of(oid::CID, "3", "3"),
            of(oid::XID8, "18446744073709551615", "18446744073709551615"),
            of(oid::TID, "(1,2)", "\"(1,2)\""),
            of(oid::PG_LSN, "0/16B3748", "\"0/16B3748\""),
        ],
    ),
    (
        "`regclass`, `regtype`, …",
        &[
            of(oid::REGCLASS, "pg_class", "\"pg_class\""),
            of(oid::REGTYPE, "double precision", "\"double precision\""),
            // The oid of an object that no longer exists.
            of(oid::REGCLASS, "16384", "16384"),
        ],
    ),
    (
        "`real`, `double precision`",
        &[
            of(oid::FLOAT4, "1.5", "1.5"),
            of(oid::FLOAT8, "0.1", "0.1"),
            of(oid::FLOAT8, "NaN", "\"NaN\""),
            of(oid::FLOAT8, "Infinity", "\"Infinity\""),
            of(oid::FLOAT8, "-Infinity", "\"-Infinity\""),
        ],
    ),
    (
        "`numeric`",
        &[
            of(oid::NUMERIC, "12345678901234567890.00", "12345678901234567890.00"),
            of(oid::NUMERIC, "NaN", "\"NaN\""),
            of(oid::NUMERIC, "Infinity", "\"Infinity\""),
        ],
    ),
    ("`money`", &[of(oid::MONEY, "$1.50", "\"1.50\"")]),
    (
        "`text`, `varchar`, `char`, `name`, `xml`, `citext`, enums",
        &[
            of(oid::TEXT, "a\"", "\"a\\\"\""),
            of(oid::VARCHAR, "a", "\"a\""),
            of(oid::BPCHAR, "a  ", "\"a  \""),
            of(oid::NAME, "a", "\"a\""),
            of(oid::XML, "<a/>", "\"<a/>\""),
            user(&CITEXT, "A", "\"A\""),
            user(&MOOD, "sad", "\"sad\""),
        ],
    ),
    ("`\"char\"`", &[of(oid::CHAR, "a", "\"a\""), of(oid::CHAR, r"\377", r#""\\377""#)]),
    (
        "`bytea`",
        &[of(oid::BYTEA, r"\x00ff", r#""\\x00ff""#), of(oid::BYTEA, r"\000\377", r#""\\x00ff""#)],
    ),
    (
        "`date`, `time`, `timetz`",
        &[
            of(oid::DATE, "2020-01-01", "\"2020-01-01\""),
            of(oid::TIME, "12:30:00.5", "\"12:30:00.500000\""),
            of(oid::TIMETZ, "12:30:00.5+01", "\"12:30:00.5+01\""),
        ],
    ),
    ("`timestamp`", &[of(oid::TIMESTAMP, "2020-01-01 00:00:00", "\"2020-01-01T00:00:00\"")]),
    (
        "`timestamptz`",
        &[of(
            oid::TIMESTAMPTZ,
            "2020-01-01 01:00:00.123456+01",
            "\"2020-01-01T00:00:00.123456+00:00\"",
        )],
    ),
    (
        "infinity, BC and years over 9999 in these",
        &[
            of(oid::DATE, "infinity", "\"infinity\""),
            of(oid::DATE, "0044-03-15 BC", "\"0044-03-15 BC\""),
            of(oid::DATE, "5874897-12-31", "\"5874897-12-31\""),
            of(oid::TIMESTAMP, "-infinity", "\"-infinity\""),
            of(oid::TIMESTAMP, "0044-03-15 12:00:00 BC", "\"0044-03-15 12:00:00 BC\""),
            of(oid::TIMESTAMPTZ, "10000-01-01 00:00:00+00", "\"10000-01-01 00:00:00+00\""),
        ],
    ),
    ("`interval`", &[of(oid::INTERVAL, "1 day 02:03:04", "\"P1DT2H3M4S\"")]),
    (
        "`uuid`",
        &[of(
            oid::UUID,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
        )],
    ),
    (
        "`json`, `jsonb`",
        &[
            of(oid::JSON, "{\"a\":  1.0,\n \"a\": 2}", "{\"a\":  1.0,  \"a\": 2}"),
            of(oid::JSONB, "[1, null]", "[1, null]"),
            of(oid::JSONB, "1e40", "1e40"),
            of(oid::JSON, "1e400", "\"1e400\""),
        ],
    ),
    (
        "`inet`, `cidr`, `macaddr`, `macaddr8`",
        &[
            of(oid::INET, "10.0.0.1/8", "\"10.0.0.1/8\""),
            of(oid::CIDR, "::/0", "\"::/0\""),
            of(oid::MACADDR, "08:00:2b:01:02:03", "\"08:00:2b:01:02:03\""),
            of(oid::MACADDR8, "08:00:2b:01:02:03:04:05", "\"08:00:2b:01:02:03:04:05\""),
        ],
    ),
    ("`bit`, `varbit`", &[of(oid::BIT, "101", "\"101\""), of(oid::VARBIT, "", "\"\"")]),
    (
        "`point`, `line`, `lseg`, `box`, `path`, `polygon`, `circle`",
        &[
            of(oid::POINT, "(1,2)", "\"(1,2)\""),
            of(oid::LINE, "{1,-1,0}", "\"{1,-1,0}\""),
            of(oid::LSEG, "[(0,0),(1,1)]", "\"[(0,0),(1,1)]\""),
            of(oid::BOX, "(1,1),(0,0)", "\"(1,1),(0,0)\""),
            of(oid::PATH, "[(0,0),(1,1)]", "\"[(0,0),(1,1)]\""),
            of(oid::POLYGON, "((0,0),(1,1))", "\"((0,0),(1,1))\""),
            of(oid::CIRCLE, "<(0,0),1>", "\"<(0,0),1>\""),
        ],
    ),
    (
        "`tsvector`, `tsquery`, `jsonpath`, `pg_snapshot`",
        &[
            of(oid::TSVECTOR, "'a':1A 'b'", "\"'a':1A 'b'\""),
            of(oid::TSQUERY, "'a' & !'b'", "\"'a' & !'b'\""),
            of(oid::JSONPATH, "$.\"a\"", "\"$.\\\"a\\\"\""),
            of(oid::PG_SNAPSHOT, "10:20:11,14", "\"10:20:11,14\""),
        ],
    ),
    (
        "arrays of all of these, `int2vector`, `oidvector`",
        &[
            of(oid::INT4_ARRAY, "{{1,2},{3,NULL}}", "[[1,2],[3,null]]"),
            of(oid::TEXT_ARRAY, r#"{a,"b c"}"#, r#"["a","b c"]"#),
            of(oid::INT2VECTOR, "1 2", "[1,2]"),
            of(oid::OIDVECTOR, "", "[]"),
        ],
    ),
    (
        "ranges, multiranges",
        &[
            of(oid::INT4RANGE, "[1,3)", "\"[1,3)\""),
            of(oid::DATEMULTIRANGE, "{[2020-01-01,2020-02-01)}", "\"{[2020-01-01,2020-02-01)}\""),
        ],
    ),
    ("composites", &[user(&ITEM, "(1,)", r#"{"a":1,"b":null}"#)]),
    ("`hstore`", &[user(&HSTORE, r#""a"=>"1", "b"=>NULL"#, r#"{"a":"1","b":null}"#)]),
    ("domains", &[user(&POSITIVE, "1", "1"), user(&SHORT, "a", "\"a\"")]),
    (
        "`aclitem` and every other type without a reader",
        &[of(oid::ACLITEM, "=r/postgres", "\"=r/postgres\"")],
    ),
];
