//! With Tansu, a broker of others.

use pgoutput_harness::engine::TansuServer;
use pgoutput_harness::{servers, skip};
use pgoutput_tests::Fixture;

use super::{TOPIC, column, consumer, everything, run};

#[test]
fn changes_once_over_restarts() {
    let tansu = match TansuServer::start() {
        Ok(tansu) => tansu,
        Err(reason) => return skip(reason),
    };
    let server = servers()[0];
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    tansu.create_topic(TOPIC, 1);
    for mode in ["transactional", "idempotent"] {
        let port = tansu.port();
        let url =
            format!("kafka://127.0.0.1:{port}?mode={mode}&transactional_id=one&compression=lz4");
        for _ in 0..3 {
            let last = fixture.number("SELECT coalesce(max(id), 0) FROM t");
            fixture.run([
                &format!("INSERT INTO t SELECT generate_series({last} + 1, {last} + 500)"),
                &format!("INSERT INTO t VALUES ({last} + 501)"),
            ]);
            run(&mut everything(&fixture, &url));
        }
    }
    let ids = column(&consumer::values(tansu.port(), TOPIC), "id");
    assert_eq!(ids, (1..=6 * 501).collect::<Vec<_>>());
}
