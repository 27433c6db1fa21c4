//! The examples, run in the way the documentation shows.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs an example with only these features of the crate and this standard input.
fn example(name: &str, features: &str, arguments: &[&str], input: &[u8]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The directory of this test's own build, so that hardly anything is built again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut child = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--no-default-features", "--features", features])
        .args(["--example", name, "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .arg("--")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout);
    assert_eq!(errors, stderr);
}

#[test]
fn decode_bytes_needs_no_feature() {
    let expected = "\
begin 777 at 0/158FAC8, 2022-01-14 17:22:10.298334+00
table 16403: public.readme
  id of type 23, key
  note of type 25
insert into 16403
  text 42
  null
commit, ends at 0/158FAF8
";
    check(&example("decode_bytes", "", &[], b""), 0, expected, "");
}

#[test]
fn trace_prints_the_sample_one_frame_per_line() {
    let output = example("trace", "", &["examples/readme.frames"], b"");
    let printed = String::from_utf8_lossy(&output.stdout);
    let sample = include_str!("../examples/readme.frames");
    let frames = sample.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    assert_eq!(printed.lines().count(), frames);
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with("0/158F9A0 Begin(BeginBody { final_lsn: 0/158FAC8,"), "{printed}");
    assert!(lines[3].contains("old: Some(Key([Text(\"1\"), Null]))"), "{printed}");
    assert!(
        lines[9].starts_with("  Insert(InsertBody { xid: Some(778), relation: 16403,"),
        "{printed}"
    );
    assert_eq!(lines[12], "StreamAbort(StreamAbortBody { xid: 777, subxid: 778, tail: None })");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn trace_reports_invalid_lines_and_continues() {
    let input = b"# a comment, then an empty line\n\n\
        0/158FAC8 490000\n\
        4500 # Stream Stop with a byte too many\n\
        53 00000309 01\n\
        45\n\
        4\n\
        xy\n\
        0/123456789 45\n";
    let expected = "StreamStart(StreamStartBody { xid: 777, first_segment: 1 })\nStreamStop\n";
    let errors = "\
line 3: truncated relation id at byte 1 of Insert ('I'), WAL 0/158FAC8: needed 4 bytes, had 2
line 4: Stream Stop outside a chunk at byte 0 of Stream Stop ('E')
line 7: half a byte: the number of hexadecimal digits is odd
line 8: not hexadecimal: expected a frame such as 45
line 9: 0/123456789: invalid LSN: expected two hexadecimal numbers of at most 8 digits, \
such as 16/B374D848
";
    check(&example("trace", "", &[], input), 1, expected, errors);
}

#[test]
fn trace_reports_a_file_that_it_cannot_read() {
    let output = example("trace", "", &["no-such-file"], b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("no-such-file: No such file"), "{errors}");
}
