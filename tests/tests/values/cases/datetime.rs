//! Dates, times, intervals.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
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
    case(
        "time",
        &["00:00", "24:00", "23:59:59.999999"],
        &["(random() * interval '1 day')::time", "make_time(rint(24), rint(60), rint(60))"],
    ),
    case("time(2)", &["00:00:00.01"], &["(random() * interval '1 day')::time"]),
    case(
        "timetz",
        &["00:00+15:59:59", "24:00-15:59:59", "12:00:00.5+05:30"],
        &[
            "(random() * interval '1 day')::time::timetz",
            "timezone(make_interval(
                    0, 0, 0, 0, rint(31) - 15, rint(60), (rint(2) * rint(60))::float8),
                (random() * interval '1 day')::time::timetz)",
        ],
    ),
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
        &["make_interval(rint(9) - 4, rint(9) - 4, 0, rint(9) - 4, rint(99) - 50, rint(99) - 50,
                rfinite()::numeric(16, 6)::float8)"],
    ),
    case("interval", &["infinity", "-infinity"], &[]).since(17),
];
