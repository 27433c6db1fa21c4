//! Transactions in progress that take more than the memory limit.

#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
#[cfg(target_os = "linux")]
use std::time::Duration;

use pgoutput_harness::Server;
#[cfg(target_os = "linux")]
use pgoutput_harness::skip;
#[cfg(target_os = "linux")]
use pgoutput_reader::Next;
use pgoutput_reader::{Error, ErrorKind, Reader, SpillError, SpillOptions};
#[cfg(target_os = "linux")]
use pgoutput_tests::eventually;
use pgoutput_tests::{Fixture, InTime as _};

use super::with_streaming_servers;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text)";

const ROWS: i32 = 3000;

/// A fixture with one transaction of about 3 MB.
fn fixture(server: &Server) -> Fixture<'_> {
    let fixture = Fixture::new(server, TABLE);
    let rows = format!(
        "INSERT INTO t SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, {ROWS}) n"
    );
    fixture.run([&rows]);
    fixture
}

fn ids(reader: &mut Reader) -> Vec<i32> {
    let events = reader.in_time().map(Result::unwrap);
    events.map(|event| event.after().unwrap().get("id").unwrap()).collect()
}

fn expected() -> Vec<i32> {
    (1..=ROWS).collect()
}

#[test]
fn a_large_transaction_is_written_to_files_without_a_name() {
    with_streaming_servers(|server| {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let options = SpillOptions::new().memory_limit(100_000).dir(folder.path());
        let builder = fixture.builder().spill(options).until_lsn(fixture.end());
        let mut reader = builder.connect().unwrap();
        let first = reader.in_time().next().unwrap().unwrap();
        assert!(reader.health().spilled > 1_000_000, "{}", reader.health().spilled);
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
        assert_eq!(first.after().unwrap().get::<i32>("id").unwrap(), 1);
        assert_eq!(ids(&mut reader), expected()[1..]);
    });
}

/// The limit is on the bytes of files, so the disk itself need not be full.
#[test]
fn at_the_limit_the_reader_goes_on_without_streaming() {
    with_streaming_servers(|server| {
        let fixture = fixture(server);
        let attempts = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&attempts);
        let options = SpillOptions::new().memory_limit(100_000).limit(500_000);
        let mut reader = fixture
            .builder()
            .spill(options)
            .on_reconnect(move |attempt| reported.lock().unwrap().push(attempt.cause.to_string()))
            .until_lsn(fixture.end())
            .connect()
            .unwrap();
        assert_eq!(ids(&mut reader), expected());
        let attempts = attempts.lock().unwrap();
        assert!(attempts[0].contains("--streaming off"), "{attempts:?}");
        assert_eq!(reader.health().reconnects, 1);
        reader.stop().unwrap();
        assert!(fixture.read().is_empty(), "all of it was acknowledged");
    });
}

#[test]
fn a_directory_that_cannot_be_written_to_ends_the_reader_if_it_may_not_go_on() {
    with_streaming_servers(|server| {
        let fixture = fixture(server);
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let is_named = |error: &Error| match error.kind() {
            ErrorKind::Spill(SpillError::Write { dir, .. }) => *dir == missing,
            _ => false,
        };
        let options = || SpillOptions::new().memory_limit(0).dir(&missing).fallback(false);
        let error = fixture.builder().spill(options()).connect().unwrap_err();
        assert!(is_named(&error), "{error:?}");
        std::fs::create_dir(&missing).unwrap();
        let mut reader = fixture.builder().spill(options()).connect().unwrap();
        std::fs::remove_dir(&missing).unwrap();
        let error = reader.in_time().next().unwrap().unwrap_err();
        assert!(is_named(&error), "{error:?}");
        assert!(reader.next().is_none());
        drop(reader);
        fixture.wait_until_free();
        // Nothing was lost.
        assert_eq!(fixture.read().len(), usize::try_from(ROWS).unwrap());
    });
}

/// Damages the spill file, which has no name any more but is still open in this process.
#[cfg(target_os = "linux")]
fn damage_spill_file(folder: &std::path::Path) {
    use std::os::unix::fs::FileExt as _;

    let folder = folder.to_str().unwrap();
    let is_spill_file = |fd: &std::path::PathBuf| {
        let target = std::fs::read_link(fd).unwrap_or_default();
        target.to_string_lossy().starts_with(folder)
    };
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().map(|fd| fd.unwrap().path());
    let fd = fds.filter(|fd| fd.symlink_metadata().is_ok()).find(is_spill_file).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(fd).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 100_000).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 100_000).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_damaged_block_is_an_error_and_never_a_wrong_event() {
    with_streaming_servers(|server| {
        let fixture = Fixture::new(server, TABLE);
        let folder = tempfile::tempdir().unwrap();
        let options = SpillOptions::new().memory_limit(0).dir(folder.path());
        let mut reader = fixture.builder().spill(options).connect().unwrap();
        let mut writer = fixture.client();
        writer.batch_execute("BEGIN").unwrap();
        let rows = format!(
            "INSERT INTO t SELECT n, repeat(md5(n::text), 30) FROM generate_series(1, {ROWS}) n"
        );
        writer.batch_execute(&rows).unwrap();
        // What the server sends before the commit is read, and kept.
        eventually("the chunks", || {
            assert!(matches!(reader.next_timeout(Duration::ZERO), Ok(Next::TimedOut)));
            (reader.health().spilled > 200_000).then_some(())
        });
        damage_spill_file(folder.path());
        writer.batch_execute("COMMIT").unwrap();
        let mut last = 0;
        let error = loop {
            match reader.in_time().next().unwrap() {
                Ok(event) => {
                    let row = event.after().unwrap();
                    let id: i32 = row.get("id").unwrap();
                    assert_eq!(id, last + 1);
                    last = id;
                }
                Err(error) => break error,
            }
        };
        let ErrorKind::Spill(SpillError::Corrupt { offset, lsn, .. }) = error.kind() else {
            panic!("{error:?}")
        };
        assert!(*offset <= 100_000 && !lsn.is_zero() && last > 0, "{error}");
        drop(reader);
        fixture.wait_until_free();
        assert_eq!(fixture.read().len(), usize::try_from(ROWS).unwrap());
    });
}

/// A file system of one megabyte, mounted until this is dropped.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    /// Returns `None` if this user may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn with_a_full_disk_the_reader_goes_on_without_streaming() {
    let Some(disk) = SmallDisk::mount() else {
        return skip("mounting a small file system is not permitted");
    };
    with_streaming_servers(|server| {
        let fixture = fixture(server);
        let causes = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&causes);
        let mut reader = fixture
            .builder()
            .spill(SpillOptions::new().memory_limit(100_000).dir(disk.0.path()))
            .on_reconnect(move |attempt| reported.lock().unwrap().push(attempt.cause.to_string()))
            .until_lsn(fixture.end())
            .connect()
            .unwrap();
        assert_eq!(ids(&mut reader), expected());
        let causes = causes.lock().unwrap();
        assert!(causes[0].contains("No space left on device"), "{causes:?}");
        reader.stop().unwrap();
    });
}
