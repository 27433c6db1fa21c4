//! `pgoutput decode`: what it prints for each form of input, and what it refuses.

mod capture;
mod captures;
mod forms;
mod servers;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Output, Stdio};

use pgoutput_harness::{TIMEOUT, Wait};

use crate::run::{assert_success, error_line, program};

/// Runs `pgoutput decode` with this standard input.
pub(crate) fn decode(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = program();
    command.arg("decode").args(arguments).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let wait = Wait::killing("pgoutput decode to end", TIMEOUT, &child);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may end before it has read everything.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    wait.done();
    output
}

/// Returns what is printed for this input, which must be valid.
#[track_caller]
pub(crate) fn printed(arguments: &[&str], input: &[u8]) -> String {
    let output = decode(arguments, input);
    assert_success(&output);
    String::from_utf8(output.stdout).unwrap()
}

const BEGIN: &[u8] = b"B\0\0\0\0\x01\x58\xFA\xC8\x00\x02\x78\x8C\xCF\xCA\x01\xDE\0\0\x03\x09\n";

/// A table whose names and value are meant for a terminal to obey, with a line feed in each.
const HOSTILE: &[u8] = b"R\0\0\x40\x13pub\x1B[2J\0re\nadme\0d\0\x02\
    \x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\0\xE2\x80\xAEbody\0\0\0\0\x19\xFF\xFF\xFF\xFF\n\
    I\0\0\x40\x13N\0\x02t\0\0\0\x0242t\0\0\0\x0B\x1B[31m\n'\\\xFF\xC3\xA9\n";

#[test]
fn bytes_of_the_server_cannot_move_a_terminals_cursor() {
    let lines = printed(&[], &[BEGIN, HOSTILE].concat());
    assert_eq!(
        lines,
        "Begin xid=777 final_lsn=0/158FAC8 commit_time=2022-01-14T17:22:10.298334+00:00\n  \
         Relation \"pub\\u{1b}[2J\".\"re\\u{a}adme\" oid=16403 replica_identity=default (id \
         integer key, \"\\u{202e}body\" text)\n  \
         Insert \"pub\\u{1b}[2J\".\"re\\u{a}adme\" new (id=42, \
         \"\\u{202e}body\"='\\u{1b}[31m\\n\\'\\\\\\xffé')\n"
    );
    let json = printed(&["--json"], &[BEGIN, HOSTILE].concat());
    let objects: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[2]["new"][0]["text"], "42");
    assert_eq!(objects[2]["new"][1]["text_hex"], "1b5b33316d0a275cffc3a9");
    assert_eq!(objects[1]["schema"], "pub\u{1b}[2J");
    assert!(json.chars().all(|c| c == '\n' || pgoutput_decode::is_printable(c)), "{json:?}");
}

#[test]
fn json_has_every_field() {
    let begin = printed(&["--json"], BEGIN);
    assert_eq!(
        begin,
        "{\"message\":\"Begin\",\"xid\":777,\"final_lsn\":\"0/158FAC8\",\
         \"commit_time\":\"2022-01-14T17:22:10.298334+00:00\"}\n"
    );
    let relation = b"R\0\0\x40\x13\0t\0d\0\x01\x01id\0\0\0\0\x17\xFF\xFF\xFF\xFF\n";
    let update = b"U\0\0\x40\x13K\0\x01b\0\0\0\x04\0\0\0\x07N\0\x01u\n";
    let lines = printed(&["--json"], &[&relation[..], update].concat());
    assert_eq!(
        lines,
        "{\"message\":\"Relation\",\"relation_id\":16403,\"schema\":\"pg_catalog\",\
         \"table\":\"t\",\"replica_identity\":\"default\",\"columns\":[{\"name\":\"id\",\
         \"type_id\":23,\"type_modifier\":-1,\"type\":\"integer\",\"key\":true,\"flags\":1}]}\n\
         {\"message\":\"Update\",\"relation_id\":16403,\"schema\":\"pg_catalog\",\"table\":\"t\",\
         \"key\":[{\"index\":0,\"name\":\"id\",\"type_id\":23,\"binary\":\"00000007\",\
         \"value\":\"7\"}],\"new\":[{\"index\":0,\"name\":\"id\",\"type_id\":23,\
         \"unchanged_toast\":true}]}\n"
    );
}

#[test]
fn long_values_are_shortened_unless_all_of_them_is_wanted() {
    let value = "é".repeat(70);
    let mut input = BEGIN.to_vec();
    input.extend(b"I\0\0\x40\x13N\0\x01t\0\0\0\x8C");
    input.extend(value.as_bytes());
    input.push(b'\n');
    let line = printed(&[], &input);
    let shown = "é".repeat(64);
    // Without a Relation message, the table and the column are numbers.
    assert!(line.ends_with(&format!("  Insert table 16403 new (#0='{shown}…'(140 bytes))\n")));
    assert!(printed(&["--full"], &input).ends_with(&format!("(#0='{value}')\n")));
}

#[test]
fn each_message_is_printed_before_the_next_arrives() {
    let mut child = program()
        .args(["decode", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let wait = Wait::killing("lines of pgoutput decode", TIMEOUT, &child);
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    input.write_all(BEGIN).unwrap();
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("Begin xid=777 "), "{line}");
    // One byte at a time, then all but the end of a message.
    for byte in HOSTILE {
        input.write_all(&[*byte]).unwrap();
    }
    for name in ["Relation", "Insert"] {
        line.clear();
        output.read_line(&mut line).unwrap();
        assert!(line.trim_start().starts_with(name), "{line}");
    }
    input.write_all(b"I\0\0\x40\x13N\0\x01t\0\0\0\x0242"[..14].as_ref()).unwrap();
    drop(input);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    wait.done();
    assert_eq!(status.code(), Some(1));
    let offset = BEGIN.len() + HOSTILE.len();
    let expected = format!(
        "pgoutput: standard input: message at byte {offset}: the input ends inside this message: \
         truncated column value at byte 13 of Insert ('I'): needed 2 bytes, had 1; record it to \
         the end\n"
    );
    assert_eq!(stderr, expected);
}

#[test]
fn what_was_read_before_an_error_is_printed() {
    let output = decode(&[], &[BEGIN, b"E\n"].concat());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("byte 22: Stream Stop outside a chunk"), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn every_refusal_names_the_place_and_what_to_do() {
    for (input, expected) in [
        // Bytes.
        (&b"B\0\0\0\0\x01"[..], "byte 0: the input ends inside this message: truncated final LSN"),
        (b"w\0\0\0\0\x01", "byte 0: unexpected XLogData ('w')"),
        (
            b"X\0\n",
            "byte 0: unknown message 'X' at byte 0 of the frame; expected the output of pg_r",
        ),
        (b"E\0\n", "byte 0: Stream Stop outside a chunk"),
        (b"S\0\0\x03\x09\x01E\n", "Stream Start ('S') is followed by 0x45 instead of a line feed"),
        // Rows.
        (b"\\x4", "line 1 (byte 0): an odd number of digits after \\x: the line is incomplete"),
        (b"\\x4g", "digits 1 and 2 after \\x are not hexadecimal"),
        (b"\\x42", "line 1 (byte 0): truncated final LSN at byte 1 of Begin ('B')"),
        (b" lsn | data\n---+---\n 0/1 | \\x42\n", "line 3 (byte 20): truncated final LSN"),
        (b"0/1|1|\\x530000030901ff\n", "1 trailing bytes at byte 6 of Stream Start ('S'), WAL 0/1"),
        (b"0/1|1|2|\\x45\n", "more columns than lsn, xid and data; select only these"),
        (b"0/1|1|\\x45|\\x45\n", "more columns than lsn, xid and data"),
        (b"0/1|728|\n", "line 1 (byte 0): a row without its column data"),
        (b"0/1|728|B\\000\\000\n", "SET bytea_output = hex"),
        (b"lsn|data\n", "names of columns without rows or their number"),
        (b"lsn|data\n(1 row)\n", "line 2 (byte 9): 1 rows were printed, and 0 are here"),
        (b"lsn | 0/1\nxid | 7\n", "a row without its column data ends before this line"),
        (b"one\ntwo\n", "line 2 (byte 4): neither a row nor the names of its columns"),
        (b"{\"op\":\"I\"}\n", "expected its column data as hexadecimal digits after \\x"),
        (b"\xFF\xFE\n", "line 1 (byte 0): not UTF-8 text"),
    ] {
        let line = error_line(&decode(&[], input), 1);
        assert!(line.starts_with("pgoutput: standard input: "), "{line}");
        assert!(line.contains(expected), "{:?}: {line}", input.escape_ascii().to_string());
    }
}

#[test]
fn an_empty_input_has_no_messages_and_a_missing_file_is_an_error() {
    for input in
        [&b""[..], b"\n", b" lsn | xid | data \n-----+-----+------\n(0 rows)\n\n", b"SET\n"]
    {
        assert_eq!(printed(&[], input), "");
    }
    let line = error_line(&crate::run::finished(program().args(["decode", "/nonexistent"])), 1);
    assert!(line.starts_with("pgoutput: /nonexistent: No such file"), "{line}");
}

#[test]
fn the_form_can_be_chosen() {
    // The digits and the LSN of a row are letters that also begin messages.
    let row = b"B/158FAC8|777|\\x4200000000\
        0158fac80002788ccfca01de00000309\n";
    assert!(printed(&[], row).starts_with("B/158FAC8    Begin xid=777"));
    assert!(printed(&["--input", "psql"], row).starts_with("B/158FAC8    Begin xid=777"));
    let line = error_line(&decode(&["--input", "recvlogical"], row), 1);
    assert!(line.contains("Begin ('B') is followed by 0x30 instead of a line feed"), "{line}");
}

#[test]
fn a_closed_output_is_an_orderly_end() {
    let mut input = Vec::new();
    for _ in 0..20_000 {
        input.extend(BEGIN);
    }
    let mut child = program()
        .args(["decode"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let wait = Wait::killing("pgoutput decode to end", TIMEOUT, &child);
    drop(child.stdout.take());
    // The program ends before it has read all of it.
    let _ = child.stdin.take().unwrap().write_all(&input);
    let output = child.wait_with_output().unwrap();
    wait.done();
    assert_success(&output);
    assert!(output.stderr.is_empty());
}
