//! Text and types in text form, `bytea`, JSON, XML.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("text", &["", "NULL", "é😀", "a\nb"], &["rtext()"]).json(),
    case("varchar(40)", &["", "a "], &["rtext()"]).json(),
    // A cast to text removes the padding.
    case("char(5)", &["", "a", "é"], &["left(rtext(), 5)"])
        .json()
        .cast(|text| text.trim_end_matches(' ').to_owned()),
    case("name", &["", "a b"], &["rtext()::name"]).json(),
    case("\"char\"", &["", "a", "\"", "\\"], &["(rint(127) + 1)::\"char\""]).json(),
    case("\"char\"", &["\\200", "\\377"], &["(rint(256) - 128)::\"char\""]).since(16),
    case("refcursor", &["", "<unnamed portal 1>"], &["rtext()::refcursor"]).json(),
    case("citext", &["", "aBc"], &["rtext()::citext"]).json(),
    case("bytea", &["", "\\x00", "\\xdeadbeef"], &["rbytea()"]).json(),
    case(
        "xml",
        &["<a b=\"1\">x</a>", ""],
        &["('<a b=\"' || rint(99) || '\"> é ' || md5(random()::text) || '</a>')::xml"],
    ),
    case(
        "json",
        &["{\"a\": 1, \"a\" :\n 1e400}", "null", "\"\\u0041\""],
        &["to_json(rtext())", "to_json(rtexts())"],
    ),
    case(
        "jsonb",
        &["{\"a\": 10000000000000000000000000000.10}", "[]", "\"\\\"\""],
        &["to_jsonb(rtexts())", "to_jsonb(rnumeric())"],
    ),
    case(
        "jsonpath",
        &["$", r#"strict $."a b"[*] ? (@ > 1)"#, "$.**{2 to last}"],
        &["('$.' || to_json(rtext())::text || '[*] ? (@ == ' ||
            to_json(rtext())::text || ')')::jsonpath"],
    )
    .since(12)
    .json(),
];
