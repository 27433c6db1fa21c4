//! Geometric types.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case("point", &["(0,-0)", "(NaN,Infinity)"], &["rpoint()"]).floats().json(),
    case(
        "line",
        &["{1,-1,0}", "{0,-1,1e300}"],
        &["line(point(rfinite(), rfinite()), point(1e10, rfinite()))"],
    )
    .floats()
    .json(),
    case("lseg", &["[(0,0),(0,0)]"], &["lseg(rpoint(), rpoint())"]).floats().json(),
    case("box", &["(1,2),(3,4)"], &["box(rpoint(), rpoint())"]).floats().json(),
    case(
        "path",
        &["[(1,2)]", "((1,2))"],
        &["('[' || rpoints() || ']')::path", "('(' || rpoints() || ')')::path"],
    )
    .floats()
    .json(),
    case("polygon", &["((1,2))"], &["('(' || rpoints() || ')')::polygon"]).floats().json(),
    case("circle", &["<(1,2),0>", "<(1,2),Infinity>"], &["circle(rpoint(), abs(rfinite()))"])
        .floats()
        .json(),
];
