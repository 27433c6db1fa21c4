//! The committed captures: each form of input gives the same lines.

use std::fs;
use std::path::{Path, PathBuf};

use super::forms::{Message, recvlogical, text};
use super::printed;

/// The width of the LSN at the front of a line, and the space after it.
const LSN: usize = 13;

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures");
    let majors = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = majors.filter(|path| path.is_dir()).flat_map(|major| fs::read_dir(major).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "hex"));
    files.sort();
    files
}

fn messages(path: &Path) -> Vec<Message> {
    let file = fs::read_to_string(path).unwrap();
    let lines = file.lines().map(|line| line.split('#').next().unwrap().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (lsn, hex) = line.split_once(' ').unwrap();
            let bytes = hex
                .as_bytes()
                .chunks(2)
                .map(|digits| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap());
            Message { lsn: lsn.into(), bytes: bytes.collect() }
        })
        .collect()
}

#[test]
fn a_capture_is_printed_the_same_from_each_form() {
    let captures = captures();
    assert!(captures.len() > 30, "{captures:?}");
    for path in captures {
        let messages = messages(&path);
        let raw = recvlogical(&messages);
        for style in ["--full", "--json"] {
            let bare = printed(&[style], &raw);
            assert_eq!(bare.lines().count(), messages.len(), "{}", path.display());
            let forms = text(&messages);
            let with_lsn = printed(&[style], &forms[0].input);
            for form in &forms[1..] {
                let expected = if form.has_lsn { &with_lsn } else { &bare };
                let lines = printed(&[style], &form.input);
                assert!(lines == *expected, "{}: {}", path.display(), form.name);
            }
            if style == "--full" {
                let cut: Vec<&str> = with_lsn.lines().map(|line| &line[LSN..]).collect();
                assert!(cut.iter().copied().eq(bare.lines()), "{}", path.display());
                for (line, message) in with_lsn.lines().zip(&messages) {
                    assert_eq!(line[..LSN].trim(), message.lsn);
                }
            } else {
                for (line, message) in with_lsn.lines().zip(&messages) {
                    let object: serde_json::Value = serde_json::from_str(line).unwrap();
                    assert_eq!(object["wal_start"], message.lsn);
                }
            }
        }
    }
}

/// What the lines say, of one capture with streamed and prepared transactions.
#[test]
fn the_lines_of_a_capture_name_tables_columns_and_transactions() {
    let captures = captures();
    let is_wanted =
        |path: &&PathBuf| path.ends_with("18/proto4-parallel-two_phase-messages-binary.hex");
    let messages = messages(captures.iter().find(is_wanted).unwrap());
    let lines = printed(&[], &recvlogical(&messages));
    for expected in [
        "  Update public.account key (id=10) new (id=20, name='ten', balance=10.00)\n",
        "  Delete public.account key (id=11)\n",
        "  Relation public.full_row oid=",
        " replica_identity=full (id integer key, note text key)\n",
        "\nStream Start xid=",
        "\nStream Stop\n",
        "\nStream Commit xid=",
        "\nStream Abort xid=",
        " abort_lsn=0/",
        "\nBegin Prepare xid=",
        "\nPrepare xid=",
        "\nCommit Prepared xid=",
        "\nRollback Prepared xid=",
        "\nStream Prepare xid=",
        "  Type public.",
        "  Origin name='",
        "  Message transactional prefix='",
        "\nMessage prefix='",
        "  Truncate public.",
        "=unchanged",
    ] {
        assert!(lines.contains(expected), "{expected:?} is not in\n{lines}");
    }
    // In a chunk, each change names its (sub)transaction.
    let in_chunk = lines.lines().skip_while(|line| !line.starts_with("Stream Start"));
    let in_chunk: Vec<&str> =
        in_chunk.skip(1).take_while(|line| !line.starts_with("Stream Stop")).collect();
    assert!(in_chunk.iter().all(|line| line.starts_with("  ")), "{in_chunk:?}");
    assert!(in_chunk.iter().any(|line| line.contains(") xid=")), "{in_chunk:?}");
}
