//! Files: each change exactly once over all of them, however the program ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pgoutput_harness::{Server, output, servers};
use pgoutput_tests::{Fixture, Random, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::destination::Destination;
use crate::program::pipe;

/// The number of rows that each transaction inserts.
const ROWS: usize = 50;

/// The number of times that the program is killed, on each server.
const KILLS: usize = 12;

/// Files in a folder of the test's own.
pub(crate) struct FileDestination {
    folder: tempfile::TempDir,
    options: &'static str,
}

impl FileDestination {
    pub(crate) fn new() -> Self {
        Self::with("")
    }

    /// Files with options, as in `?rotate_size=1kB`.
    fn with(options: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), options }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn position_path(&self) -> PathBuf {
        self.path("changes.position")
    }

    /// Returns the files of lines in order.
    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.to_string_lossy().contains("changes.position"));
        files.sort();
        files
    }
}

impl Destination for FileDestination {
    fn url(&self, _: u16) -> String {
        format!("file:{}{}", self.path("changes").display(), self.options)
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn values(&self, topic: &str) -> Vec<String> {
        let files = self.files().into_iter().map(|path| fs::read_to_string(path).unwrap());
        let text: String = files.collect();
        // A line may be incomplete while it is written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(|line| value(line, topic)).collect()
    }

    fn kill(&self) {}

    fn restart(&self) {}
}

/// Returns the value in a line: the line itself, or that of a record with this topic; an empty one
/// stands for all.
fn value(line: &str, topic: &str) -> Option<String> {
    let object: Value = serde_json::from_str(line).unwrap();
    let Some(of) = object.get("topic").filter(|_| object.get("key").is_some()) else {
        return Some(line.into());
    };
    (topic.is_empty() || of == topic).then(|| object["value"].to_string())
}

/// Kills a process, also when a check fails.
pub(crate) struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

impl Killed {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_into(command, Stdio::null())
    }

    /// Starts it with another standard output.
    pub(crate) fn start_into(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        Self(command.stdin(Stdio::null()).stdout(stdout).spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it with SIGTERM, and returns the exit status.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        eventually("the program to end", || self.0.try_wait().unwrap()).code()
    }
}

fn quiet(fixture: &Fixture<'_>, to: &dyn Destination, options: &[&str]) -> Command {
    let mut command = pipe(fixture, &to.url(0));
    command.arg("--quiet").args(options);
    command
}

/// Stores everything committed so far.
fn store_all(fixture: &Fixture<'_>, to: &dyn Destination, options: &[&str]) {
    fixture.wait_until_free();
    let end = fixture.end().to_string();
    let ended = output(quiet(fixture, to, options).args(["--until-lsn", &end]));
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

/// Checks that finished files have not changed, and notes those that are finished by now.
fn check_finished(to: &FileDestination, finished: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for (path, content) in &*finished {
        assert!(fs::read(path).unwrap() == *content, "{} has changed", path.display());
    }
    let text = fs::read_to_string(to.position_path()).unwrap_or_default();
    let Ok(stored) = serde_json::from_str::<Value>(&text) else { return };
    let Some(current) = stored["file"].as_u64() else { return };
    for number in 1..current {
        let path = to.path(&format!("changes.{number:06}"));
        let content = fs::read(&path).unwrap();
        finished.entry(path).or_insert(content);
    }
}

/// Writes while the program is killed, and returns the number of files.
fn killed(server: &'static Server, seed: u64, to: &FileDestination, options: &[&str]) -> usize {
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    let mut random = Random::new(seed);
    let (mut last, mut stored) = (0, 0);
    let mut client = fixture.client();
    let mut finished = BTreeMap::new();
    for _ in 0..KILLS {
        fixture.wait_until_free();
        check_finished(to, &mut finished);
        let before = fs::read(to.position_path()).ok();
        let _running = Killed::start(&mut quiet(&fixture, to, options));
        for _ in 0..=random.below(40) {
            let first = last + 1;
            last += ROWS;
            let insert = format!("INSERT INTO t SELECT generate_series({first}, {last})");
            client.batch_execute(&insert).unwrap();
        }
        // Most often while it stores one position after another, and sometimes before.
        if !random.one_in(4) {
            eventually("a position", || {
                let now = fs::read(to.position_path()).ok();
                (now.as_ref().is_some_and(|now| !now.is_empty()) && now != before).then_some(())
            });
            stored += 1;
        }
        thread::sleep(Duration::from_millis(random.below(100) as u64));
    }
    assert!(stored > KILLS / 4, "{stored} of {KILLS} runs");
    store_all(&fixture, to, options);
    check_finished(to, &mut finished);
    let ids: Vec<u64> = to
        .values("")
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["after"]["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids.len(), last);
    assert!(ids.iter().copied().eq(1..=last as u64), "each change once and in order");
    to.files().len()
}

#[test]
fn a_file_has_each_change_once_however_often_the_program_is_killed() {
    for server in servers() {
        assert_eq!(killed(server, 1, &FileDestination::new(), &[]), 1);
    }
}

/// Parts of transactions are stored, and files are still finished only between transactions.
#[test]
fn rotated_files_have_each_change_once_and_never_change_once_they_are_finished() {
    for server in servers() {
        let to = FileDestination::with("?rotate_size=40kB");
        let options = ["--transaction-size", "4kB", "--lines", "record"];
        let files = killed(server, 2, &to, &options);
        assert!(files > 3, "{files} files");
        for file in to.files() {
            let text = fs::read_to_string(&file).unwrap();
            let whole = text.lines().count() % ROWS == 0;
            assert!(whole, "{} has a part of a transaction", file.display());
        }
    }
}

#[test]
fn a_copy_that_is_killed_has_each_row_once() {
    const TABLES: usize = 3;
    for server in servers() {
        let fixture = Fixture::new(
            server,
            "CREATE TABLE a AS SELECT n AS id FROM generate_series(1, 4000) n;
             CREATE TABLE b AS SELECT n AS id FROM generate_series(1, 4000) n;
             CREATE TABLE c AS SELECT n AS id FROM generate_series(1, 4000) n",
        );
        let drop_slot = "SELECT FROM pg_catalog.pg_drop_replication_slot($1)";
        fixture.client().query_one(drop_slot, &[&fixture.slot_name()]).unwrap();
        let to = FileDestination::with("?rotate_size=300kB");
        let options = [
            "--create-slot",
            "--snapshot",
            "initial",
            "--batch-size",
            "8kB",
            "--transaction-size",
            "8kB",
        ];
        let mut random = Random::new(3);
        let mut parts = 0;
        for round in 0..8 {
            if round > 0 {
                fixture.wait_until_free();
            }
            let length =
                || to.files().iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
            let before = fs::read(to.position_path()).ok();
            let _running = Killed::start(&mut quiet(&fixture, &to, &options));
            eventually("a part of the copy", || {
                let now = fs::read(to.position_path()).ok();
                let text = now.as_ref().map(|now| String::from_utf8_lossy(now).into_owned());
                let is_copied = text.is_some_and(|text| text.contains("\"length\":"));
                (is_copied && now != before && length() > 0).then_some(())
            });
            thread::sleep(Duration::from_millis(random.below(60) as u64));
            parts += 1;
        }
        store_all(&fixture, &to, &options);
        let mut counts = BTreeMap::<String, Vec<u64>>::new();
        let mut ends = 0;
        for line in to.values("") {
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["op"].as_str().unwrap() {
                "R" => counts
                    .entry(event["table_schema"]["table"].as_str().unwrap().into())
                    .or_default()
                    .push(event["after"]["id"].as_u64().unwrap()),
                "Z" => ends += 1,
                // A table that is copied again starts with a truncation.
                "T" => counts
                    .entry(event["table_schema"]["table"].as_str().unwrap().into())
                    .or_default()
                    .clear(),
                other => panic!("{other}"),
            }
        }
        assert_eq!((counts.len(), ends, parts), (TABLES, 1, 8));
        for (table, mut ids) in counts {
            ids.sort_unstable();
            assert!(ids.iter().copied().eq(1..=4000), "{table}: {} rows", ids.len());
        }
    }
}

#[test]
fn a_signal_ends_the_program_after_the_batch() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let to = FileDestination::new();
        let mut running = Killed::start(&mut quiet(&fixture, &to, &[]));
        fixture.run(["INSERT INTO t SELECT generate_series(1, 2000)"]);
        eventually("a line", || (!to.values("").is_empty()).then_some(()));
        assert_eq!(running.terminate(), Some(0));
        assert_eq!(to.values("").len(), 2000);
        store_all(&fixture, &to, &[]);
        assert_eq!(to.values("").len(), 2000);
    }
}

/// Returns the only line on standard error of a run that fails.
fn error(command: &mut Command, status: i32) -> String {
    let ended = output(command);
    let text = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(status), "{text}");
    assert!(status == 2 || text.lines().count() == 1, "{text}");
    text
}

#[test]
fn files_that_cannot_be_continued_are_refused() {
    let servers = servers();
    let server = servers.last().unwrap();
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    let to = FileDestination::with("?rotate_size=1");
    fixture.run(["INSERT INTO t VALUES (1)"]);
    store_all(&fixture, &to, &[]);
    let (first, second) = (to.path("changes.000001"), to.path("changes.000002"));
    assert_eq!(fs::read_to_string(&first).unwrap().lines().count(), 1);
    assert!(fs::read(&second).unwrap().is_empty());
    let refused = |expected: &str| {
        fixture.wait_until_free();
        let text = error(&mut quiet(&fixture, &to, &[]), 1);
        assert!(text.contains(expected), "{text}");
    };
    // The next file is the name of another.
    let third = to.path("changes.000003");
    fs::write(&third, "x").unwrap();
    fixture.run(["INSERT INTO t VALUES (2)"]);
    refused("changes.000003 is not empty");
    fs::remove_file(&third).unwrap();
    store_all(&fixture, &to, &[]);
    assert_eq!(to.values("").len(), 2);
    // Finished files may be gone.
    fs::remove_file(&first).unwrap();
    store_all(&fixture, &to, &[]);
    let position = fs::read(to.position_path()).unwrap();
    fs::remove_file(to.position_path()).unwrap();
    refused("changes.position does not exist: restore that");
    fs::write(to.position_path(), "{").unwrap();
    refused("is not a position file");
    let text = String::from_utf8(position).unwrap();
    let longer = text.replace("\"length\":", "\"length\":9");
    fs::write(to.position_path(), longer).unwrap();
    refused(" bytes, and ");
    fs::write(to.position_path(), text.replace(fixture.slot_name(), "another")).unwrap();
    refused("of slot \"another\"");
    fs::write(to.position_path(), &text).unwrap();
    // Another program.
    let mut running = Killed::start(&mut quiet(&fixture, &to, &[]));
    fixture.run(["INSERT INTO t VALUES (3)"]);
    eventually("the line", || (to.values("").len() == 2).then_some(()));
    let text = error(&mut quiet(&fixture, &to, &[]), 1);
    assert!(text.contains("another process"), "{text}");
    assert_eq!(running.terminate(), Some(0));
    store_all(&fixture, &to, &[]);
    assert_eq!(to.values("").len(), 2);
}

#[test]
fn places_that_are_no_file_are_refused() {
    let servers = servers();
    let server = servers.last().unwrap();
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    for (to, status, expected) in [
        (format!("file:{path}/missing/changes"), 1, "missing is not a folder: create it first"),
        (format!("file:{path}"), 1, "the output must be a regular file"),
        ("file:/dev/full".into(), 1, "the output must be a regular file"),
        (format!("file:{path}/a?rotate=1"), 2, "unknown option rotate: expected"),
        ("file:".into(), 2, "the name of the file is missing"),
    ] {
        let text = error(pipe(&fixture, &to).arg("--quiet"), status);
        assert!(text.contains(expected), "{to}: {text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A limit on the size of files, as a full disk: what was not stored is not acknowledged.
#[test]
fn a_full_disk_ends_the_program_and_loses_nothing() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let to = FileDestination::new();
        fixture.run(["INSERT INTO t VALUES (1)"]);
        store_all(&fixture, &to, &[]);
        fixture.run(["INSERT INTO t SELECT generate_series(2, 5000)"]);
        fixture.wait_until_free();
        let whole = quiet(&fixture, &to, &["--transaction-size", "64kB"]);
        let mut limited = Command::new("sh");
        // In blocks of 512 or 1024 bytes.
        limited.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$@\"", "sh"]);
        limited.arg(whole.get_program()).args(whole.get_args());
        let text = error(&mut limited, 1);
        let path: &Path = &to.path("changes");
        assert!(text.contains(&format!("writing to {}: ", path.display())), "{text}");
        store_all(&fixture, &to, &[]);
        let ids = to.values("");
        let ids = ids.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        assert!(ids.map(|event| event["after"]["id"].as_u64().unwrap()).eq(1..=5000));
    }
}
