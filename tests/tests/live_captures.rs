//! Comparison of this run's servers with the committed captures.

use pgoutput_harness::servers;
use pgoutput_tests::capture::{kinds, load, record};

#[test]
fn servers_send_the_captured_kinds_of_messages() {
    for server in servers() {
        let major = server.major();
        for (name, live) in record(major).unwrap() {
            let name = format!("{major}/{name}");
            let (committed, _) = load(&name).unwrap();
            let (live, committed) = (kinds(&live).unwrap(), kinds(&committed).unwrap());
            for (live, committed) in live.lines().zip(committed.lines()) {
                assert_eq!(live, committed, "{name}, PostgreSQL {}", server.version());
            }
            assert_eq!(live.lines().count(), committed.lines().count(), "{name}");
        }
    }
}
