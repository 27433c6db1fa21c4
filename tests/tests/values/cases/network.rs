//! Network addresses.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    // Cast to text, it always has its netmask.
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
        &["rinet()", "host(rinet())::inet"],
    )
    .json()
    .cast(|text| match (text.contains('/'), text.contains(':')) {
        (true, _) => text.to_owned(),
        (false, false) => format!("{text}/32"),
        (false, true) => format!("{text}/128"),
    }),
    case("cidr", &["10.0.0.0/8", "::/0", "2001:db8::/32", "1.2.3.4/32"], &["network(rinet())"])
        .json(),
    case("macaddr", &["00:00:00:00:00:00"], &["left(md5(random()::text), 12)::macaddr"]).json(),
    case("macaddr8", &["00:00:00:00:00:00:00:00"], &["left(md5(random()::text), 16)::macaddr8"])
        .json(),
];
