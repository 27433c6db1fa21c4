//! Files: rotation, continuation, ends and damage.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgoutput_harness::{output, servers};
use pgoutput_reader::{
    Capture, CaptureError, CapturedFrame, CapturedFrames, Error, ErrorKind, Lsn, Reader, Snapshot,
    TimestampTz,
};
use pgoutput_tests::{Fixture, InTime as _, line};

use crate::program::{assert_same, captures, printed, program, reads, replayed};
use crate::with_servers;
use crate::workload::{Workload, setup};

/// The files of a rotated capture, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some()).collect();
    files.sort();
    files
}

fn paths(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

/// What `tail` prints of everything up to `end`, without acknowledging it.
fn tail(fixture: &Fixture<'_>, end: &str, arguments: &[&str]) -> String {
    fixture.wait_until_free();
    let mut tail = reads("tail", &fixture.database().dsn(), fixture.slot_name());
    tail.args(["--quiet", "--no-ack", "--until-lsn", end]);
    printed(tail.args(arguments))
}

#[test]
fn files_of_a_rotated_capture_are_whole_in_themselves_and_together() {
    with_servers(|server| {
        let fixture = Fixture::new(server, &setup());
        let mut workload = Workload::new(&fixture, 3);
        workload.run(400);
        let end = fixture.end().to_string();
        let stream: &[&str] = if server.major() >= 14 { &["--messages"] } else { &[] };
        let output: &[&str] = &["--schema-changes", "--commits"];
        let live = tail(&fixture, &end, &[stream, output].concat());
        fixture.wait_until_free();
        let folder = tempfile::tempdir().unwrap();
        let mut capture = captures(&fixture, &folder.path().join("c"));
        printed(capture.args(["--until-lsn", &end, "--rotate-size", "50kB"]).args(stream));
        let files = files(folder.path());
        let context = format!("PostgreSQL {}: {} files", server.major(), files.len());
        assert!(files.len() > 2, "{context}");
        assert!(files[0].ends_with("c.000001"), "{files:?}");
        assert_same(&replayed(&paths(&files), output), &live, &context);
        // One by one, a file does not know the tables as they were in the file before.
        let alone: String = files.iter().map(|file| replayed(&[file], &["--commits"])).collect();
        assert_same(&alone, &replayed(&paths(&files), &["--commits"]), &context);

        // A gap, another order and a file of another capture are refused.
        let other = folder.path().join("other");
        workload.run(5);
        fixture.wait_until_free();
        printed(captures(&fixture, &other).args(["--until-lsn", &fixture.end().to_string()]));
        for (given, reason) in [
            (vec![&*files[0], &*files[2]], "its number is not the next one"),
            (vec![&*files[1], &*files[0]], "its number is not the next one"),
            (vec![&*files[0], &*other], "it is of another capture"),
        ] {
            let output = failed(program().arg("replay").args(given));
            assert!(output.contains(reason), "{output}");
        }
    });
}

/// Runs a command that fails with status 1, and returns its error.
fn failed(command: &mut Command) -> String {
    let output = output(command);
    assert_eq!(output.status.code(), Some(1), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_capture_is_continued_where_it_ended() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY, v text)");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c");
        let twin_slot = fixture.database().slot_name("twin");
        fixture.create_slot(&twin_slot);
        let twin = |end: &str| {
            let mut tail = reads("tail", &fixture.database().dsn(), &twin_slot);
            printed(tail.args(["--quiet", "--no-ack", "--until-lsn", end]))
        };
        for round in 0..3 {
            fixture.run([&*format!(
                "INSERT INTO t SELECT n, 'v' FROM generate_series({}, {}) n",
                10 * round,
                10 * round + 9
            )]);
            let end = fixture.end().to_string();
            fixture.wait_until_free();
            printed(captures(&fixture, &file).args(["--until-lsn", &end]));
            fixture.database().wait_until_free(&twin_slot);
            assert_same(&replayed(&[&file], &[]), &twin(&end), &format!("round {round}"));
        }
        // Another mask is another capture.
        fixture.wait_until_free();
        let error = failed(captures(&fixture, &file).args(["--mask", "t.v"]));
        assert!(error.contains("captured with another mask"), "{error}");
        // Any other file is left alone.
        let notes = folder.path().join("notes");
        fs::write(&notes, "remember the milk").unwrap();
        let error = failed(&mut captures(&fixture, &notes));
        assert!(error.contains("is not a capture"), "{error}");
        assert_eq!(fs::read(&notes).unwrap(), b"remember the milk");
    }
}

#[test]
fn a_gap_in_what_the_slot_has_sent_is_refused() {
    for server in servers() {
        let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
        let folder = tempfile::tempdir().unwrap();
        let (with, without) = (folder.path().join("with"), folder.path().join("without"));
        fixture.run(["INSERT INTO t VALUES (1)"]);
        let capture = |path: &Path, until| {
            fixture.wait_until_free();
            fixture.builder().until_lsn(until).capture(Capture::new(path)).connect()
        };
        // A program that stores no position.
        let mut reader = capture(&without, fixture.end()).unwrap();
        assert_eq!(reader.in_time().count(), 1);
        reader.stop().unwrap();
        fixture.run(["INSERT INTO t VALUES (2)"]);
        fixture.wait_until_free();
        printed(captures(&fixture, &with).args(["--until-lsn", &fixture.end().to_string()]));
        let error = capture(&without, fixture.end()).unwrap_err();
        let is_gap = matches!(error.kind(), ErrorKind::Capture(CaptureError::Gap { .. }));
        assert!(is_gap, "{error}");
        // One that does: another program reads what follows.
        fixture.run(["INSERT INTO t VALUES (3)"]);
        fixture.wait_until_free();
        assert_eq!(fixture.read().len(), 1);
        fixture.wait_until_free();
        let error = failed(&mut captures(&fixture, &with));
        assert!(error.contains("was confirmed up to"), "{error}");
        assert!(error.contains("to capture what follows, name another file"), "{error}");
        let lines = replayed(&[&with], &[]);
        assert_eq!(lines.lines().count(), 1, "{lines}");
        // The file has the position.
        let position = "1:7:1:s:00000000000000aa:0/1000:3.".parse().unwrap();
        let builder = fixture.builder().resume(position).capture(Capture::new(&with));
        let error = builder.connect().unwrap_err();
        let is_refused =
            matches!(error.kind(), ErrorKind::Capture(CaptureError::Unsupported { .. }));
        assert!(is_refused, "{error}");
    }
}

#[test]
fn a_file_is_written_by_one_program_at_a_time_and_stays_if_it_is_not_used() {
    let server = &servers()[0];
    let fixture = Fixture::new(server, "CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c");
    let reader = fixture.builder().capture(Capture::new(&file)).connect().unwrap();
    let error = failed(&mut captures(&fixture, &file));
    assert!(error.contains("is locked by another process"), "{error}");
    reader.stop().unwrap();
    let before = fs::read(&file).unwrap();
    // What cannot be captured is refused before anything is written.
    let snapshot = fixture.builder().snapshot(Snapshot::initial()).capture(Capture::new(&file));
    let error = snapshot.connect().unwrap_err();
    assert!(error.to_string().contains("cannot have an initial copy"), "{error}");
    let no_slot = fixture.builder().slot("none").capture(Capture::new(folder.path().join("new")));
    no_slot.connect().unwrap_err();
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_replay_has_no_server() {
    let mut reader = Reader::replay_from(Cursor::new(small())).open().unwrap();
    assert_eq!(reader.started().server_version.major(), servers()[0].major());
    let is_refused =
        |error: &Error| matches!(error.kind(), ErrorKind::Capture(CaptureError::NoServer { .. }));
    assert!(is_refused(&reader.slot_status().unwrap_err()));
    assert!(is_refused(&reader.published().unwrap_err()));
    assert!(is_refused(&reader.add_tables(["public.t"]).unwrap_err()));
    let error = reader.sync_capture(None).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Capture(CaptureError::NotCapturing)), "{error}");
    reader.tick().unwrap();
    let transactions: Vec<_> = reader.transactions(10).map(Result::unwrap).collect();
    assert_eq!(transactions.iter().map(|one| one.events.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(!reader.health().connected && reader.health().received > Lsn::ZERO);
    reader.stop().unwrap();

    let mut reader = Reader::replay_from(Cursor::new(small())).open().unwrap();
    reader.next().unwrap().unwrap();
    reader.stop_handle().stop();
    assert!(reader.count() <= 1);
}

/// A small capture of one server.
fn small() -> Vec<u8> {
    let fixture = Fixture::new(
        servers()[0],
        "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id int PRIMARY KEY, m money, e mood)",
    );
    fixture.run(["INSERT INTO t VALUES (1, 1, 'ok'), (2, 2, NULL)", "DELETE FROM t WHERE id = 1"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("c");
    let end = fixture.end().to_string();
    printed(captures(&fixture, &file).args(["--until-lsn", &end]));
    fs::read(file).unwrap()
}

fn replay(bytes: &[u8]) -> (Vec<String>, Option<Error>) {
    let mut reader = match Reader::replay_from(Cursor::new(bytes.to_vec())).open() {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut lines = Vec::new();
    for event in &mut reader {
        match event {
            Ok(event) => lines.push(line(&event)),
            Err(error) => return (lines, Some(error)),
        }
    }
    (lines, None)
}

fn is_unfinished(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Capture(CaptureError::Unfinished { .. }))
}

#[test]
fn every_prefix_of_a_capture_has_its_events_and_no_end() {
    let bytes = small();
    let (whole, error) = replay(&bytes);
    assert!(error.is_none() && whole.len() == 3, "{error:?}");
    let mut most = 0;
    for len in 0..bytes.len() {
        let (lines, error) = replay(&bytes[..len]);
        let error = error.unwrap_or_else(|| panic!("{len} bytes have an end"));
        assert!(is_unfinished(&error), "{len}: {error}");
        assert_eq!(lines, whole[..lines.len()], "{len}");
        assert!(lines.len() >= most, "{len}");
        most = lines.len();
    }
    assert_eq!(most, whole.len());
}

#[test]
fn every_flipped_bit_is_found_at_its_record() {
    let bytes = small();
    let (whole, _) = replay(&bytes);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let (lines, error) = replay(&damaged);
        let error = error.unwrap_or_else(|| panic!("the flipped bit at {at} is not found"));
        assert_eq!(lines, whole[..lines.len()], "{at}");
        match error.kind() {
            ErrorKind::Capture(CaptureError::Corrupt { offset, .. }) => {
                assert!(*offset <= at as u64, "{at}: {error}");
            }
            ErrorKind::Capture(CaptureError::NotACapture { .. } | CaptureError::Version { .. }) => {
                assert!(at < 12, "{at}: {error}");
            }
            _ => panic!("{at}: {error}"),
        }
    }
    let (lines, error) = replay(&[&*bytes, b"x"].concat());
    assert_eq!(lines, whole);
    assert!(error.unwrap().to_string().contains("bytes follow the record that ends"));
}

#[test]
fn frames_are_those_of_the_server() {
    let bytes = small();
    let mut frames = CapturedFrames::new(Cursor::new(bytes.clone()), "small").unwrap();
    assert_eq!(frames.header().masks, [""; 0]);
    let mut tags = String::new();
    while let Some(frame) = frames.next_frame().unwrap() {
        if let CapturedFrame::Message { frame, received } = frame {
            assert!(received >= frames_start());
            tags.push(char::from(frame.data[0]));
        }
    }
    // Servers before 15 also send the transactions that have no change of a published table.
    assert!(tags.replace("BC", "").ends_with("BYRIICBDC"), "{tags}");
    assert!(frames.next_frame().unwrap().is_none());
}

/// A time before this project.
fn frames_start() -> TimestampTz {
    TimestampTz::from_unix_micros(1_700_000_000_000_000).unwrap()
}

#[test]
fn a_capture_is_written_to_a_regular_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // No server is needed to find that.
    let dsn = "host=/nowhere connect_timeout=1";
    for file in [&*pipe, folder.path(), Path::new("/dev/stdout"), Path::new("/dev/full")] {
        let output = output(reads("capture", dsn, "s").arg(file));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("is not a regular file"), "{}: {stderr}", file.display());
    }
    let output = output(reads("capture", dsn, "s").arg("-"));
    assert_eq!(output.status.code(), Some(2));
}
