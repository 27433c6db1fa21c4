//! `boolean`, integers, floats, `numeric`, `money`, bit strings.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // The cast to text returns a word, the output function a letter.
    case("bool", &["t", "f"], &["random() < 0.5"])
        .json()
        .cast(|text| if text == "t" { "true" } else { "false" }.to_owned()),
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
    case("numeric(9,4)", &["0", "-12345.6789"], &["(rint(99999999) / 10000.0)::numeric(9,4)"]),
    case("numeric", &["Infinity", "-Infinity"], &[]).since(14),
    case(
        "money",
        &["0", "-1.00", "92233720368547758.07", "-92233720368547758.08"],
        &["(rint(2000000000) - 1000000000)::money / 100"],
    ),
    case("bit(9)", &["000000000", "101010101"], &["rint(512)::bit(9)"]).json(),
    case(
        "varbit",
        &["", "1", "01010101", "1111111100000000"],
        &["right(rint(65536)::bit(16)::text, rint(17))::varbit"],
    )
    .json(),
];
