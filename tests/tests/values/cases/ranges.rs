//! Ranges and multiranges. Their arrays are derived.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "int4range",
        &["empty", "(,)", "[1,2147483647)", "(,5]"],
        &["int4range(rnull(-rint(99)), rnull(rint(99)), rbounds())"],
    )
    .json(),
    case(
        "int8range",
        &["empty", "[-9223372036854775808,9223372036854775807)"],
        &["int8range(rnull(-rint(99)), rnull(rbig()), rbounds())"],
    )
    .json(),
    case(
        "numrange",
        &["empty", "(1.50,NaN]", "[0.00,0.00]"],
        &["numrange(rnull(-abs(rnumeric())), rnull(abs(rnumeric())), rbounds())"],
    )
    .json(),
    case("numrange", &["(-Infinity,Infinity]"], &[]).since(14).json(),
    case(
        "daterange",
        &["empty", "[4714-11-24 BC,infinity]", "[-infinity,2020-01-01)"],
        &["daterange(rday(), NULL, rbounds_open())"],
    )
    .json(),
    case(
        "tsrange",
        &["empty", "[-infinity,infinity]", "[2020-01-01,2020-01-01]"],
        &["tsrange(rmoment(), 'infinity', rbounds())"],
    )
    .json(),
    case(
        "tstzrange",
        &["empty", "(,2020-01-01]"],
        &["tstzrange('-infinity', rmoment()::timestamptz, rbounds())"],
    )
    .json(),
    case(
        "int4multirange",
        &["{}", "{(,)}", "{(,1),[3,5),[7,)}"],
        &["int4multirange(int4range(1, 5), int4range(6 + rint(9), rnull(40)))"],
    )
    .since(14)
    .json(),
    case(
        "int8multirange",
        &["{}"],
        &["int8multirange(int8range(1, 5), int8range(6 + rint(9), rnull(rbig() + 20)))"],
    )
    .since(14)
    .json(),
    case(
        "nummultirange",
        &["{}", "{[1.0,2.50),(3,Infinity]}"],
        &["nummultirange(numrange(-abs(rnumeric()) - 1, 0.0, rbounds()),
            numrange(0.5, rnull(abs(rnumeric()) + 1), rbounds()))"],
    )
    .since(14)
    .json(),
    case(
        "datemultirange",
        &["{}", "{[2020-01-01,2020-02-01),[2021-01-01,infinity)}"],
        &["datemultirange(daterange(rday(), NULL, rbounds_open()))"],
    )
    .since(14)
    .json(),
    case(
        "tsmultirange",
        &["{}", "{[2020-01-01,2020-02-01),[2021-01-01,infinity]}"],
        &[
            "tsmultirange(tsrange(rmoment(), 'infinity', '[]'))",
            "tsmultirange(tsrange('-infinity', rmoment()))",
        ],
    )
    .since(14)
    .json(),
    case(
        "tstzmultirange",
        &["{}", "{[2020-01-01,2020-02-01)}"],
        &["tstzmultirange(tstzrange('-infinity', rmoment()::timestamptz, rbounds()))"],
    )
    .since(14)
    .json(),
];
