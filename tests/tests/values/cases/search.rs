//! Text search.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "tsvector",
        &["", "a:1A,2B,3C,4D b", r"'it''s' 'back\\slash' 'x y'"],
        &[
            "array_to_tsvector(array_remove(array_remove(rtexts_flat(), NULL), ''))",
            "to_tsvector('simple', rtext() || ' ' || rtext() || ' b c ' || rtext())",
            "setweight(to_tsvector('simple', 'a b a ' || rtext()), 'B')",
        ],
    )
    .json(),
    // Between operators of the same kind, the text does not show the grouping.
    case(
        "tsquery",
        &[
            "",
            "a & b & c",
            "a & (b | !c)",
            "!(a <-> b) | c:*AB",
            "a <-> (b <-> c)",
            "(a & b) <5> c",
        ],
        &["rquery(1)::tsquery", "rquery(3)::tsquery", "rquery(6)::tsquery", "rrow()::tsquery"],
    )
    .json()
    .vague_text(),
];
