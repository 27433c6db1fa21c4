//! `target_session_attrs` and `load_balance_hosts` with a primary and a standby.

use pgoutput_harness::Server;
use pgoutput_reader::{Config, Connection, Error, ErrorKind};

use super::{majors, majors_from};

fn connect(ports: &[u16], more: &str) -> Result<Connection, Error> {
    Connection::connect(&settings(ports, more))
}

fn settings(ports: &[u16], more: &str) -> Config {
    let hosts = vec!["127.0.0.1"; ports.len()].join(",");
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let dsn = format!(
        "host={hosts} port={} user=postgres dbname=postgres connect_timeout=60 \
        sslmode=disable {more}",
        ports.join(",")
    );
    dsn.parse().unwrap()
}

#[test]
fn the_server_is_chosen_by_its_role() {
    // Before 12, a standby is set up by another file.
    for major in majors_from(12) {
        let primary = Server::of_major(major).unwrap();
        let standby = Server::builder().data_file("standby.signal", "").start(major).unwrap();
        let read_only =
            Server::builder().setting("default_transaction_read_only", "on").start(major).unwrap();
        let (p, s, r) = (primary.port(), standby.port(), read_only.port());
        for (wanted, order, chosen) in [
            ("any", vec![s, p], Some(s)),
            ("read-write", vec![s, r, p], Some(p)),
            ("read-only", vec![p, s], Some(s)),
            ("read-only", vec![p, r, s], Some(r)),
            ("primary", vec![s, r, p], Some(r)),
            ("standby", vec![p, r, s], Some(s)),
            ("prefer-standby", vec![p, s], Some(s)),
            ("prefer-standby", vec![p, r], Some(p)),
            ("read-write", vec![s, r], None),
            ("standby", vec![p], None),
            ("primary", vec![s], None),
        ] {
            let more = format!("target_session_attrs={wanted}");
            let result = connect(&order, &more);
            let ordinary = settings(&order, &more).connect_postgres();
            let there = ordinary.map(|mut client| {
                let row = client.query_one("SELECT current_setting('port')", &[]).unwrap();
                row.get::<_, &str>(0).parse::<u16>().unwrap()
            });
            assert_eq!(there.ok(), chosen, "{wanted}");
            if let Some(port) = chosen {
                assert_eq!(result.unwrap().endpoint().port(), port, "{wanted}");
            } else {
                let error = result.unwrap_err();
                assert!(error.to_string().contains("target_session_attrs"), "{error}");
                let single = matches!(error.kind(), ErrorKind::SessionAttrs { .. });
                assert_eq!(single, order.len() == 1, "{error}");
            }
        }
    }
}

#[test]
fn all_hosts_in_random_order_are_reached() {
    let major = majors()[0];
    let one = Server::of_major(major).unwrap();
    let other = Server::of_major(major).unwrap();
    let mut reached = std::collections::BTreeSet::new();
    // The probability of never reaching one of the two is 2 to the power of -99.
    for _ in 0..100 {
        let connection = connect(&[one.port(), other.port()], "load_balance_hosts=random").unwrap();
        reached.insert(connection.endpoint().port());
        connection.close().unwrap();
    }
    assert_eq!(reached.len(), 2);
    let connection = connect(&[one.port(), other.port()], "").unwrap();
    assert_eq!(connection.endpoint().port(), one.port());
}
