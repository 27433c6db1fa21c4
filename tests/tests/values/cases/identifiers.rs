//! Object and transaction identifiers, `uuid`.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("oid", &["0", "4294967295"], &["rbig()::oid"]),
    case("xid", &["0", "4294967295"], &["rbig()::text::xid"]),
    case("xid8", &["0", "18446744073709551615"], &["(rbig() * rint(99999999))::text::xid8"])
        .since(13),
    case("cid", &["0", "4294967295"], &["rbig()::text::cid"]),
    case(
        "tid",
        &["(0,0)", "(4294967295,65535)"],
        &["('(' || rbig() || ',' || rint(65536) || ')')::tid"],
    )
    .json(),
    case(
        "pg_lsn",
        &["0/0", "FFFFFFFF/FFFFFFFF", "1/A"],
        &["(to_hex(rbig()) || '/' || to_hex(rbig()))::pg_lsn"],
    )
    .json(),
    case(
        "txid_snapshot",
        &["10:10:", "10:20:11,14", "1:9223372036854775807:"],
        &["rsnapshot()::txid_snapshot"],
    )
    .json(),
    case(
        "pg_snapshot",
        &["10:10:", "10:20:11,14", "1:9223372036854775807:"],
        &["rsnapshot()::pg_snapshot"],
    )
    .since(13)
    .json(),
    case("uuid", &["00000000-0000-0000-0000-000000000000"], &["md5(random()::text)::uuid"]).json(),
    case("aclitem", &["postgres=r*w/postgres", "=r/postgres"], &[]).text_only(),
];
