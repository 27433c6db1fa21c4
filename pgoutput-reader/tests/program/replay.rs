//! `pgoutput replay` on a committed capture, without a server.

use std::fs::File;
use std::process::Output;

use crate::run::program;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders.pgocap");

fn replay(arguments: &[&str]) -> Output {
    let mut replay = program();
    replay.arg("replay").args(arguments).stdin(File::open(CAPTURE).unwrap());
    replay.output().unwrap()
}

#[test]
fn standard_input_is_read_like_a_file() {
    let (file, stdin) = (replay(&[CAPTURE]), replay(&["-"]));
    assert_eq!(file.status.code(), Some(0));
    assert!(!file.stdout.is_empty());
    assert_eq!((stdin.status.code(), stdin.stdout), (Some(0), file.stdout));
}

#[test]
fn a_range_that_cannot_be_read_is_invalid_usage() {
    for (arguments, reason) in [
        (&["-", CAPTURE][..], "name it alone"),
        (&["-", "--from", "2026-11-30T00:00:00Z"], "give an LSN"),
        (&[CAPTURE, "--from", "0/9", "--until", "0/1"], "nothing to print"),
        (
            &[CAPTURE, "--from", "2026-11-30T00:00:00Z", "--until", "2026-11-29T00:00:00Z"],
            "nothing to print",
        ),
    ] {
        let output = replay(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()), "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
    }
}
