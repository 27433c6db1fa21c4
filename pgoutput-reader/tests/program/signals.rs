//! Signals where an orderly end could take for ever.

use std::io::Read as _;
use std::net::TcpListener;

use pgoutput_harness::{PATIENCE, Server, servers, waiting};
use rustix::process::Signal;

use crate::run::{Fixture, PUBLICATION, Running, program, wait};

/// More than the buffers between program, pipe and socket hold.
const ROWS: u64 = 200_000;

/// More bytes than this in a pipe of 64 KiB, and the next write of the program does not fit.
const NEARLY_FULL: u64 = 56 * 1024;

fn fill(fixture: &Fixture<'_>) {
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n"));
}

/// Everything comes again: nothing of it was acknowledged.
fn comes_whole(fixture: &Fixture<'_>) {
    let mut running = Running::start(&mut fixture.tail(&["--no-ack"]));
    for id in 1..=3 {
        assert_eq!(running.line()["after"]["id"], id);
    }
}

#[test]
fn a_signal_ends_it_while_it_connects() {
    for signal in [Signal::INT, Signal::TERM] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut command = program();
        command.args(["tail", "--slot", "s", "--publication", "p", "--dsn"]);
        command.arg(format!("host=127.0.0.1 port={port} user=u sslmode=disable"));
        let running = Running::start(&mut command);
        let (mut socket, _) = waiting("the program to connect", || listener.accept()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // It has said what it wants, and gets no answer.
        assert_ne!(socket.read(&mut [0; 1024]).unwrap(), 0);
        running.signal(signal);
        let (printed, status, said) = running.end_with_complaints();
        assert_eq!((printed.as_str(), status), ("", Some(1)));
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("before it was connected"), "{said}");
    }
}

/// A slot waits for open transactions when it is created: nothing is left of it.
#[test]
fn a_signal_ends_it_while_it_creates_a_slot() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let slot = fixture.database.slot_name("waits");
        let mut client = fixture.client();
        let mut open = client.transaction().unwrap();
        open.batch_execute("INSERT INTO t VALUES (1)").unwrap();
        let dsn = fixture.database.dsn();
        let mut tail = program();
        tail.args(["tail", "--dsn", &dsn, "--slot", &slot, "--publication", PUBLICATION]);
        let running = Running::start(tail.arg("--create-slot"));
        let slots = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}'");
        wait("the slot to be there", || fixture.text(&slots) == "1");
        running.signal(Signal::TERM);
        let (printed, status, said) = running.end_with_complaints();
        assert_eq!((printed.as_str(), status), ("", Some(1)));
        assert!(said.contains("before it was connected"), "{said}");
        // Though the transaction is still open.
        wait("the slot to be gone", || fixture.text(&slots) == "0");
        open.rollback().unwrap();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let fixture = Fixture::new(servers()[0]);
    fill(&fixture);
    let running = Running::start(&mut fixture.tail(&[]));
    wait("the pipe to be nearly full", || running.unread() > NEARLY_FULL);
    // Nobody reads, so the end that the first one asks for has to wait. Two at once may be taken for one.
    let (status, said) = running.ended_unread(|running| running.signal(Signal::TERM));
    assert_eq!((status, said.as_str()), (Some(1), ""));
    comes_whole(&fixture);
}

#[test]
fn a_signal_ends_a_look_up_that_is_held_up() {
    // In another database, a publication of all tables would discard the file `pg_internal.init`
    // that all share; without it the program's session would wait for the lock.
    let server = Server::of_major(servers()[0].major()).unwrap();
    let fixture = Fixture::new(&server);
    fixture.sql("CREATE TYPE mood AS ENUM ('sad')");
    fixture.sql("CREATE TABLE moods (mood mood)");
    fixture.sql("INSERT INTO t VALUES (1)");
    // Both sides have their connections before the lock, which a new one may wait for.
    let (mut client, mut other, mut looking_on) =
        (fixture.client(), fixture.client(), fixture.client());
    let mut running = Running::start(&mut fixture.tail(&[]));
    assert_eq!(running.line()["after"]["id"], 1);
    let mut lock = client.transaction().unwrap();
    lock.batch_execute("LOCK TABLE pg_catalog.pg_range IN ACCESS EXCLUSIVE MODE").unwrap();
    other.batch_execute("INSERT INTO moods VALUES ('sad')").unwrap();
    wait("the look-up to be held up", || {
        let query = "SELECT count(*) FROM pg_catalog.pg_locks \
                     WHERE NOT granted AND relation = 'pg_catalog.pg_range'::regclass";
        looking_on.query_one(query, &[]).unwrap().get::<_, i64>(0) > 0
    });
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (String::new(), Some(0)));
    lock.rollback().unwrap();
    assert_eq!(Running::start(&mut fixture.tail(&[])).line()["after"]["mood"], "sad");
}

/// Takes its time: the eight seconds that the program waits for somebody to read its output.
#[test]
fn an_output_that_nobody_reads_does_not_keep_it_for_ever() {
    let fixture = Fixture::new(servers()[0]);
    fill(&fixture);
    let running = Running::start(&mut fixture.tail(&[]));
    wait("the pipe to be nearly full", || running.unread() > NEARLY_FULL);
    running.signal(Signal::TERM);
    let (status, said) = running.ended_unread(|_| ());
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("could not end in order within 8 s"), "{said}");
    comes_whole(&fixture);
}

#[test]
fn a_signal_amid_a_large_transaction_does_not_wait_for_the_rest_of_it() {
    let fixture = Fixture::new(servers()[0]);
    let before = fixture.confirmed();
    fill(&fixture);
    let mut running = Running::start(&mut fixture.tail(&[]));
    running.line();
    running.signal(Signal::TERM);
    let (rest, status) = running.end();
    assert_eq!(status, Some(0));
    assert!((rest.lines().count() as u64) < ROWS - 1, "all of it was read");
    assert_eq!(fixture.confirmed(), before);
    comes_whole(&fixture);
}
