//! Properties of arrays themselves: dimensions, bounds, quotes. All other cases are tested in
//! arrays too.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("bool[]", &["{}", "{t,NULL,f}", "[-1:0]={t,f}"], &[]).json(),
    case(
        "int4[]",
        &[
            "{}",
            "{{1,2},{3,NULL}}",
            "[2147483645:2147483645]={1}",
            "[-2147483648:-2147483647]={1,2}",
            "{{{{{{1,2}}}}}}",
        ],
        &["ARRAY[g, NULL, -g]"],
    )
    .json(),
    case("text[]", &["{}", r#"{""}"#, r#"{NULL,"NULL","null",nULLs}"#], &["rtexts()"]).json(),
    case("bytea[]", &[r#"{"\\x","\\x00"}"#], &["ARRAY[[rbytea()], [rnull(rbytea())]]"]).json(),
    case("jsonb[]", &[r#"{"{\"a\": \"\\\\\\\"\"}",NULL}"#], &["ARRAY[to_jsonb(rtexts()), NULL]"])
        .json(),
    case("json[]", &["{}"], &["ARRAY[to_json(rtexts()), to_json(rtext())]"]).json(),
    case("box[]", &["{{(1,2),(0,0)};{(3,4),(1,1)}}"], &["ARRAY[box(rpoint(), rpoint()), NULL]"])
        .floats()
        .json(),
    case("int2vector", &["", "1", "1 -2 32767"], &["(rint(9) || ' ' || -rint(9))::int2vector"]),
    case("oidvector", &["", "1", "1 4294967295"], &["(rbig() || ' ' || rbig())::oidvector"]),
];
