//! Metrics in a file and over HTTP, read by a strict parser of the text format.
#![expect(clippy::float_cmp, reason = "the figures are whole numbers")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use pgoutput_harness::{eventually, servers, servers_from};
use pgoutput_reader::Lsn;
use rustix::process::Signal;

use crate::run::{Fixture, Running, assert_success, error_line, finished};

/// The samples of one exposition, by name and further labels such as `op="I"`.
#[derive(Debug)]
struct Exposition {
    samples: BTreeMap<String, f64>,
    /// The labels that every sample has.
    common: String,
}

impl Exposition {
    /// Parses the text format, version 0.0.4. Each metric must have a HELP, a TYPE, and then its
    /// samples, in this order and once.
    fn parse(text: &str) -> Self {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has an end");
        let mut samples = BTreeMap::new();
        let (mut described, mut typed) = (Vec::<String>::new(), None::<(String, String)>);
        let mut common = String::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help");
                assert!(!described.contains(&name.to_owned()), "{name} twice");
                assert!(help.ends_with('.') && !help.contains('\\'), "{help}");
                described.push(name.into());
                typed = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert_eq!(described.last().map(String::as_str), Some(name));
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(matches!(kind, "counter" | "gauge"), "{line}");
                typed = Some((name.into(), kind.into()));
            } else {
                let (head, value) = line.rsplit_once(' ').expect("a value");
                let (name, labels) = head.split_once('{').expect("labels");
                let labels = labels.strip_suffix('}').expect("the end of labels");
                assert_eq!(typed.as_ref().map(|(name, _)| name.as_str()), Some(name), "{line}");
                let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(name.starts_with("pgoutput_") && name.chars().all(is_part), "{name}");
                let pairs = pairs(labels);
                let [database, slot, others @ ..] = &pairs[..] else { panic!("{line}") };
                assert_eq!((database.0.as_str(), slot.0.as_str()), ("database", "slot"));
                common = format!("{},{}", database.1, slot.1);
                let others: Vec<_> =
                    others.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let key = [&[name.to_owned()], &others[..]].concat().join(" ");
                let value = value.parse().unwrap_or_else(|_| panic!("{line}"));
                assert_eq!(samples.insert(key, value), None, "{line}");
            }
        }
        Self { samples, common }
    }

    #[track_caller]
    fn get(&self, key: &str) -> f64 {
        *self.samples.get(key).unwrap_or_else(|| panic!("no {key} in {self:?}"))
    }

    fn lsn(&self, name: &str) -> Lsn {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an LSN")]
        Lsn::new(self.get(&format!("pgoutput_{name}_lsn_bytes")) as u64)
    }
}

/// Parses `name="value"` pairs between commas, with the escapes of the format.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").expect("a label");
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().expect("the end of a value") {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next().expect("an escaped character").1 {
                    'n' => value.push('\n'),
                    c @ ('"' | '\\') => value.push(c),
                    other => panic!("escaped {other}"),
                },
                (_, c) => value.push(c),
            }
        };
        found.push((name.to_owned(), value));
        match after[end..].strip_prefix(',') {
            Some(next) => rest = next,
            None if after[end..].is_empty() => return found,
            None => panic!("{text}"),
        }
    }
}

fn from_file(path: &Path) -> Option<Exposition> {
    let text = fs::read_to_string(path).unwrap();
    (!text.is_empty()).then(|| Exposition::parse(&text))
}

/// Sends a request, and returns the head and the body of the response.
fn request(port: u16, request: &str) -> (String, String) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn scrape(port: u16) -> Exposition {
    let (head, body) = request(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    Exposition::parse(&body)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_file_has_the_figures_of_the_server_and_those_of_the_end() {
    for server in servers() {
        for polls in [false, true] {
            let fixture = Fixture::new(server);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pgoutput.prom");
            let mut command = fixture.tail(&["--metrics-file", path.to_str().unwrap()]);
            if polls {
                command.args(["--poll", "0.1"]);
            }
            let restart = fixture.text(&format!(
                "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
                fixture.slot
            ));
            let mut running = Running::start(&mut command);
            fixture.sql("INSERT INTO t VALUES (1), (2); UPDATE t SET id = 3 WHERE id = 1");
            fixture.sql("DELETE FROM t WHERE id = 2");
            let lines: Vec<_> = (0..4).map(|_| running.line()).collect();
            let end: Lsn = fixture.end().parse().unwrap();
            let found = eventually("figures after the changes", || {
                from_file(&path).filter(|found| {
                    let retained = "pgoutput_slot_retained_wal_bytes";
                    found.samples.contains_key(retained)
                        && found.get("pgoutput_idle") > 0.0
                        && found.lsn("received") >= end
                })
            });
            let slot = &fixture.slot;
            assert!(found.common.ends_with(&format!(",{slot}")), "{}", found.common);
            for (op, count) in [("I", 2.0), ("U", 1.0), ("D", 1.0), ("T", 0.0)] {
                assert_eq!(found.get(&format!("pgoutput_events_total op={op}")), count);
            }
            let delivered = Lsn::new(lines[3]["lsn"].as_u64().unwrap());
            assert_eq!(found.lsn("delivered"), delivered);
            assert!(found.lsn("acknowledged") > delivered, "{found:?}");
            assert_eq!(found.get("pgoutput_connected"), 1.0);
            assert_eq!(found.get("pgoutput_reconnects_total"), 0.0);
            assert_eq!(found.get("pgoutput_lag_seconds"), 0.0);
            assert!(found.get("pgoutput_lag_bytes") <= 1024.0);
            // The slot has been queried at some moment before.
            let most: f64 = fixture
                .text(&format!("pg_current_wal_lsn() - '{restart}'::pg_lsn"))
                .parse()
                .unwrap();
            let reported = found.get("pgoutput_slot_retained_wal_bytes");
            assert!(reported > 0.0 && reported <= most, "{reported}, {most}");
            let unconfirmed = found.get("pgoutput_slot_unconfirmed_wal_bytes");
            assert!(unconfirmed <= reported, "{unconfirmed}, {reported}");
            assert_eq!(found.get("pgoutput_slot_lost"), 0.0);

            fixture.sql("INSERT INTO t VALUES (9)");
            running.line();
            running.signal(Signal::TERM);
            assert_eq!(running.end().1, Some(0));
            let last = from_file(&path).unwrap();
            assert_eq!(last.get("pgoutput_events_total op=I"), 3.0);
            let confirmed: Lsn = fixture.confirmed().parse().unwrap();
            assert_eq!(last.lsn("acknowledged"), confirmed);
            assert!(confirmed > delivered);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        }
    }
}

#[test]
fn metrics_are_served_while_the_output_is_not_read() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let mut running = Running::start(&mut fixture.tail(&["--metrics", &address]));
        fixture.sql("INSERT INTO t VALUES (0)");
        assert_eq!(running.line()["after"]["id"], 0);
        assert_eq!(scrape(port).get("pgoutput_connected"), 1.0);
        // More than the pipe holds: the program waits for its reader.
        fixture.sql("INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 3000) n");
        let connections: Vec<_> =
            (0..3).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        eventually("a pipe that fills", || (running.unread() >= 16_384).then_some(()));
        let found = scrape(port);
        assert!(found.get("pgoutput_events_total op=I") >= 1.0);
        drop(connections);
        for (text, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "404"),
            ("DELETE /metrics HTTP/1.1\r\n\r\n", "405"),
            ("nonsense\r\n\r\n", "400"),
        ] {
            let (head, _) = request(port, text);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        }
        let (head, body) = request(port, "HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(head.contains("200 OK") && body.is_empty(), "{head}");
        running.close_output();
        let (status, _) = running.end_without_reading(|_| ());
        assert_eq!(status, Some(0));
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "it ends with the program");
    }
}

#[test]
fn transactions_in_progress_and_their_files_are_counted() {
    let Some(major) = servers_from(14).last().map(|server| server.major()) else { return };
    let server = pgoutput_harness::Server::builder().small_decoding_memory().start(major).unwrap();
    let fixture = Fixture::new(&server);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut running =
        Running::start(&mut fixture.tail(&["--metrics", &address, "--memory-limit", "64kB"]));
    let mut client = fixture.client();
    client
        .batch_execute(
            "BEGIN; INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, 5000) n",
        )
        .unwrap();
    // Something is decoded only once it is flushed.
    let found = eventually("a transaction in progress", || {
        fixture.sql("SELECT pg_logical_emit_message(true, 'flush', '')");
        let found = scrape(port);
        (found.get("pgoutput_transactions_in_progress") > 0.0).then_some(found)
    });
    assert_eq!(found.get("pgoutput_transactions_in_progress"), 1.0);
    let found = eventually("a spill file", || {
        let found = scrape(port);
        (found.get("pgoutput_spill_bytes") > 0.0).then_some(found)
    });
    assert!(found.get("pgoutput_spilled_bytes_total") >= found.get("pgoutput_spill_bytes"));
    client.batch_execute("COMMIT").unwrap();
    running.skip(5000);
    eventually("the end of the transaction", || {
        let found = scrape(port);
        (found.get("pgoutput_transactions_in_progress") == 0.0).then_some(())
    });
    assert_eq!(scrape(port).get("pgoutput_spill_bytes"), 0.0);
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn places_that_cannot_be_used_are_usage_errors_with_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (option, value, advice) in [
        ("--metrics", address.as_str(), "choose another one"),
        ("--metrics", "9187", "as in 127.0.0.1:9187"),
        ("--metrics", "192.0.2.1:9187", "127.0.0.1"),
        ("--metrics-file", "/nonexistent/folder/file", "choose a file"),
    ] {
        let arguments = ["tail", "--slot", "s", "--publication", "p", option, value];
        let output = finished(crate::run::program().args(arguments));
        let line = error_line(&output, 2);
        assert!(line.contains(option) && line.contains(advice), "{line}");
    }
}

#[test]
fn the_database_may_have_any_name() {
    let server = servers()[0];
    let fixture = Fixture::new(server);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pgoutput.prom");
    let end = fixture.end();
    let options = ["--metrics-file", path.to_str().unwrap(), "--until-lsn", &end];
    assert_success(&finished(&mut fixture.tail(&options)));
    assert!(from_file(&path).unwrap().common.starts_with(fixture.database.name()));
}
