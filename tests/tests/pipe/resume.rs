//! Destinations without a position: which slots may be read into them.

use std::process::{Command, Output};

use pgoutput_harness::{output, servers};
use pgoutput_reader::{PipeError, PositionError, Sink};
use pgoutput_tests::{Fixture, PUBLICATION};

use crate::destination::Destination as _;
use crate::file::FileDestination;
use crate::program::pipe;

fn run(fixture: &Fixture<'_>, to: &FileDestination, options: &[&str]) -> Output {
    fixture.wait_until_free();
    let end = fixture.end().to_string();
    let mut command = pipe(fixture, &to.url(0));
    output(command.args(["--quiet", "--until-lsn", &end]).args(options))
}

#[track_caller]
fn assert_stored(ended: &Output) {
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_slot_that_was_read_is_refused_unless_it_is_trusted() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let end = fixture.end().to_string();
        let mut tail = Command::new(env!("CARGO_BIN_EXE_tail"));
        tail.args(["tail", "--quiet", "--dsn", &fixture.database().uri()]);
        tail.args(["--slot", fixture.slot_name(), "--publication", PUBLICATION]);
        assert_stored(&output(tail.args(["--until-lsn", &end])));
        fixture.run(["INSERT INTO t VALUES (2)"]);
        let to = FileDestination::new();
        let refused = run(&fixture, &to, &[]);
        let text = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{text}");
        assert!(text.contains("nothing is stored, but slot"), "{text}");
        assert!(text.contains("start with --trust-slot"), "{text}");
        assert_stored(&run(&fixture, &to, &["--trust-slot"]));
        assert_eq!(to.values("").len(), 1);
        // From here on there is a position.
        fixture.run(["INSERT INTO t VALUES (3)"]);
        assert_stored(&run(&fixture, &to, &[]));
        assert_eq!(to.values("").len(), 2);
    }
}

#[test]
fn a_slot_that_was_never_read_is_accepted_also_after_an_idle_time() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let to = FileDestination::new();
        // Idle, so that the slot is confirmed beyond its start.
        let (_elsewhere, _) = fixture.write_elsewhere();
        assert_stored(&run(&fixture, &to, &[]));
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_stored(&run(&fixture, &to, &[]));
        assert_eq!(to.values("").len(), 1);
    }
}

/// A sink that has nothing and fails at once.
#[derive(Debug)]
struct Failing;

impl Sink for Failing {
    type Error = std::fmt::Error;

    fn position(&mut self) -> Result<Option<pgoutput_reader::Position>, Self::Error> {
        Ok(None)
    }

    fn write(&mut self, _: &pgoutput_reader::ChangeEvent) -> Result<(), Self::Error> {
        Err(std::fmt::Error)
    }

    fn pending_bytes(&self) -> usize {
        0
    }

    fn commit(&mut self, _: &pgoutput_reader::Position) -> Result<(), Self::Error> {
        unreachable!("nothing was written")
    }
}

#[test]
fn a_copy_that_was_not_stored_starts_again() {
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)",
        );
        let drop_slot = "SELECT FROM pg_catalog.pg_drop_replication_slot($1)";
        fixture.client().query_one(drop_slot, &[&fixture.slot_name()]).unwrap();
        let builder = || {
            fixture
                .builder()
                .slot_creation(pgoutput_reader::SlotCreation::IfMissing)
                .snapshot(pgoutput_reader::Snapshot::initial())
        };
        for _ in 0..2 {
            let mut pipe = builder().pipe(Failing).unwrap();
            assert!(matches!(pipe.run(), Err(PipeError::Sink(_))));
            drop(pipe);
            fixture.wait_until_free();
        }
        let to = FileDestination::new();
        assert_stored(&run(&fixture, &to, &["--snapshot", "initial"]));
        let rows = to.values("").iter().filter(|line| line.contains("\"op\":\"R\"")).count();
        assert_eq!(rows, 2);
    }
}

#[test]
fn a_reader_that_polls_refuses_a_slot_that_was_read() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let poll = || fixture.builder().poll(std::time::Duration::from_millis(20));
        drop(poll().pipe(Failing).unwrap());
        fixture.run(["INSERT INTO t VALUES (1)"]);
        assert_eq!(fixture.read().len(), 1);
        fixture.wait_until_free();
        let error = poll().pipe(Failing).unwrap_err();
        let PipeError::Reader(error) = error else { panic!("{error}") };
        let kind = error.kind();
        assert!(
            matches!(
                kind,
                pgoutput_reader::ErrorKind::Position(PositionError::NothingStored { .. })
            ),
            "{error}"
        );
        drop(poll().trust_slot(true).pipe(Failing).unwrap());
    }
}

#[test]
fn settings_that_contradict_a_pipe_are_refused() {
    let servers = servers();
    let fixture = Fixture::new(servers.last().unwrap(), "CREATE TABLE t (id int)");
    for (builder, expected) in [
        (
            fixture.builder().slot_creation(pgoutput_reader::SlotCreation::Temporary),
            "a temporary slot",
        ),
        (
            fixture.builder().acknowledge(pgoutput_reader::Acknowledge::Never),
            "leave Acknowledge::Never out",
        ),
    ] {
        let error = builder.pipe(Failing).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
