//! Types of users and extensions: `hstore`, enums, domains, composites, ranges over text.

use super::{Case, case};

/// The types, and the functions that create their values.
const TYPES: &[&str] = &[
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
       IF a > b COLLATE \"C\" THEN RETURN textrange(b, a, rbounds());
       ELSE RETURN textrange(a, b, rbounds());
       END IF;
     END $$",
    "CREATE TYPE deep1 AS (v textrange, w textrange[])",
    "CREATE TYPE deep2 AS (v deep1, w deep1[])",
    "CREATE TYPE deep3 AS (v deep2, w deep2[])",
    "CREATE FUNCTION rpair() RETURNS pair LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rtext()), rnull(rtexts()))::pair; END $$",
    "CREATE FUNCTION rdeep1() RETURNS deep1 LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rtextrange()),
       ARRAY[rtextrange(), rnull(rtextrange())])::deep1; END $$",
    "CREATE FUNCTION rdeep2() RETURNS deep2 LANGUAGE plpgsql AS $$
     BEGIN RETURN ROW(rnull(rdeep1()), ARRAY[[rdeep1()], [rnull(rdeep1())]])::deep2; END $$",
    "CREATE FUNCTION rmood() RETURNS mood LANGUAGE plpgsql AS $$
     BEGIN RETURN (enum_range(NULL::mood))[1 + rint(5)]; END $$",
];

const TREE: &str = "
    CREATE TYPE tree AS (id int, p pair, ps pair[], o one, os one[], m mood, b bytea,
        d shorter, h hstore,
        r int4range, t timestamptz, j jsonb, n numeric, f bool, rows row3[], bx area[], e nothing)";

pub(super) const CASES: &[Case] = &[
    case("hstore", &["", "a=>NULL", r#"""=>"", "a\"\\b"=>"NULL""#], &["rhstore()"]).json(),
    case("mood", &["sad", "so so", "a\"b", "é", ""], &["rmood()"]).setup(TYPES).json(),
    case("short", &["", "a"], &["left(rtext(), 40)"]).json(),
    case("shorter", &["", "a"], &["left(rtext(), 40)"]).json(),
    case("row3", &["{}", "{a,b}"], &["rtexts()"]).json(),
    case("area", &["(1,2),(0,0)"], &["box(rpoint(), rpoint())"]).floats().json(),
    case("one", &["()", r#"("")"#, "(a)", "(NULL)"], &["ROW(rnull(rtext()))::one"]).json(),
    case("nothing", &["()"], &[]).json(),
    case("pair", &["(,)", r#"("",{})"#], &["rpair()"]).json(),
    case("pairs", &["{}"], &["ARRAY[rpair(), NULL, rpair()]"]).since(11).json(),
    case("gone", &["(1,2)", "(,)"], &["ROW(rnull(g), rnull(-g))::gone"]).json(),
    case("textrange", &["empty", "(,)", r#"["",a)"#, r#"["",""]"#], &["rtextrange()"]).json(),
    case("textmultirange", &["{}"], &["textmultirange(rtextrange(), rtextrange())"])
        .since(14)
        .json(),
    case("deep3", &["(,)"], &["ROW(rdeep2(), ARRAY[rdeep2(), NULL])::deep3"]).json(),
    case("twosome", &["(,)"], &["rpair()"])
        .since(11)
        .setup(&["CREATE DOMAIN twosome AS pair"])
        .json(),
    case(
        "tree",
        &["(,,,,,,,,,,,,,,,,)"],
        &["ROW(g, rpair(), ARRAY[rpair(), NULL], ROW(rtext()), ARRAY[ROW(rtext())::one], rmood(),
           rbytea(), rtext(), rhstore(),
           int4range(g, NULL), timestamptz '2020-01-01' + rint(9999) * interval '1 s',
           to_jsonb(rtexts()), 0.5 + g, true, NULL,
           ARRAY[box '(1,2),(0,0)']::area[], ROW())::tree"],
    )
    .setup(&[TREE])
    .since(12)
    .json(),
];
