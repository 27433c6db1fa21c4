//! Capture files.

use std::fs;

use pgoutput_harness::servers;

use super::{decode, printed};
use crate::run::{Fixture, PUBLICATION, assert_success, error_line, finished, program};

/// Captures up to the current end.
fn capture(fixture: &Fixture<'_>, file: &str) {
    let (end, dsn) = (fixture.end(), fixture.database.dsn());
    fixture.wait_until_free();
    let mut command = program();
    command.args(["capture", file, "--dsn", &dsn, "--slot", &fixture.slot]);
    command.args(["--publication", PUBLICATION, "--until-lsn", &end]);
    assert_success(&finished(&mut command));
}

#[test]
fn a_capture_is_printed_and_its_streams_are_told_apart() {
    for server in servers() {
        let fixture = Fixture::new(server);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("changes.pgocap");
        let file = file.to_str().unwrap();
        fixture.sql("INSERT INTO t VALUES (1, 'one'), (2, NULL)");
        capture(&fixture, file);
        let lines = printed(&[file], b"");
        let bytes = fs::read(file).unwrap();
        assert_eq!(printed(&[], &bytes), lines);
        let without_lsn: Vec<&str> = lines.lines().map(|line| &line[13..]).collect();
        let [begin, relation, one, two, commit] = without_lsn[..] else { panic!("{lines}") };
        assert!(begin.starts_with("Begin xid=") && commit.starts_with("Commit commit_lsn="));
        assert!(relation.starts_with("  Relation public.t oid=") && lines.starts_with("0/"));
        assert_eq!(one, "  Insert public.t new (id=1, name='one')");
        assert_eq!(two, "  Insert public.t new (id=2, name=null)");
        // A capture that is not complete is an error, after all that it has.
        let output = decode(&[], &bytes[..bytes.len() - 1]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), lines);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("pgoutput: standard input ends at offset "), "{text}");
        let line = error_line(&decode(&[], b"PGOCAP\r\n\0\0\0\x09"), 1);
        assert!(line.contains("version 9"), "{line}");

        // The capture is continued by another stream, which describes the table again.
        fixture.sql("DELETE FROM t WHERE id = 1");
        capture(&fixture, file);
        let continued = printed(&[file], b"");
        let rest = continued.strip_prefix(&lines).unwrap();
        let restart = rest.lines().position(|line| line.contains("(a new stream starts;"));
        assert!(restart.is_some(), "{rest}");
        assert!(rest.contains("  Delete public.t key (id=1)\n"), "{rest}");
        for line in printed(&["--json", file], b"").lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(object["message"].is_string() || object["new_stream"] == true, "{line}");
        }
    }
}
