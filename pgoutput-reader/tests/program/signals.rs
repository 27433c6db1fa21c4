//! Signals where an orderly end could take indefinitely.

use std::io::Read as _;
use std::net::TcpListener;

use pgoutput_harness::{Server, TIMEOUT, servers, waiting};
use rustix::process::Signal;

use crate::run::{Fixture, PUBLICATION, Running, program, wait};

/// More rows than the buffers of the program, the pipe and the socket hold.
const ROWS: u64 = 200_000;

/// With more bytes than this in a pipe of 64 KiB, the program's next write does not fit.
const NEARLY_FULL: u64 = 56 * 1024;

fn fill(fixture: &Fixture<'_>) {
    fixture.sql(&format!("INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, {ROWS}) n"));
}

/// Checks that all rows are delivered again, because none was acknowledged.
fn assert_delivered_again(fixture: &Fixture<'_>) {
    fixture.wait_until_free();
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
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        // The program has sent its startup packet and gets no answer.
        assert_ne!(socket.read(&mut [0; 1024]).unwrap(), 0);
        running.signal(signal);
        let (printed, status, stderr) = running.end_with_stderr();
        assert_eq!((printed.as_str(), status), ("", Some(1)));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("before it was connected"), "{stderr}");
    }
}

/// The creation of a slot waits for open transactions. A signal leaves no slot.
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
        let (printed, status, stderr) = running.end_with_stderr();
        assert_eq!((printed.as_str(), status), ("", Some(1)));
        assert!(stderr.contains("before it was connected"), "{stderr}");
        // The transaction is still open.
        wait("the slot to be dropped", || fixture.text(&slots) == "0");
        open.rollback().unwrap();
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let fixture = Fixture::new(servers()[0]);
    fill(&fixture);
    let running = Running::start(&mut fixture.tail(&[]));
    wait("the pipe to be nearly full", || running.unread() > NEARLY_FULL);
    // The output is not read, so the end that the first signal requests must wait. Two signals at
    // once may count as one.
    let (status, stderr) = running.end_without_reading(|running| running.signal(Signal::TERM));
    assert_eq!((status, stderr.as_str()), (Some(1), ""));
    assert_delivered_again(&fixture);
}

#[test]
fn a_signal_ends_a_blocked_lookup() {
    // A server of its own: a publication of all tables in another database would discard the shared
    // file `pg_internal.init`, and without it the program's session would wait for the lock.
    let server = Server::of_major(servers()[0].major()).unwrap();
    let fixture = Fixture::new(&server);
    fixture.sql("CREATE TYPE mood AS ENUM ('sad')");
    fixture.sql("CREATE TABLE moods (mood mood)");
    fixture.sql("INSERT INTO t VALUES (1)");
    // All sessions are open before the lock, which a new session may wait for.
    let (mut client, mut other, mut observer) =
        (fixture.client(), fixture.client(), fixture.client());
    let mut running = Running::start(&mut fixture.tail(&[]));
    assert_eq!(running.line()["after"]["id"], 1);
    let mut lock = client.transaction().unwrap();
    lock.batch_execute("LOCK TABLE pg_catalog.pg_range IN ACCESS EXCLUSIVE MODE").unwrap();
    other.batch_execute("INSERT INTO moods VALUES ('sad')").unwrap();
    wait("the lookup to be blocked", || {
        let query = "SELECT count(*) FROM pg_catalog.pg_locks \
                     WHERE NOT granted AND relation = 'pg_catalog.pg_range'::regclass";
        observer.query_one(query, &[]).unwrap().get::<_, i64>(0) > 0
    });
    running.signal(Signal::TERM);
    assert_eq!(running.end(), (String::new(), Some(0)));
    lock.rollback().unwrap();
    fixture.wait_until_free();
    assert_eq!(Running::start(&mut fixture.tail(&[])).line()["after"]["mood"], "sad");
}

/// Takes eight seconds: the time that the program waits for its output to be read.
#[test]
fn an_unread_output_does_not_keep_it_running() {
    let fixture = Fixture::new(servers()[0]);
    fill(&fixture);
    let running = Running::start(&mut fixture.tail(&[]));
    wait("the pipe to be nearly full", || running.unread() > NEARLY_FULL);
    running.signal(Signal::TERM);
    let (status, stderr) = running.end_without_reading(|_| ());
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("could not end in an orderly way within 8 s"), "{stderr}");
    assert_delivered_again(&fixture);
}

#[test]
fn a_signal_within_a_large_transaction_does_not_wait_for_its_end() {
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
    assert_delivered_again(&fixture);
}
