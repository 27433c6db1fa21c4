//! Destinations that cannot be meant.

use std::process::Command;

use pgoutput_harness::output;

/// Returns what is printed for a destination that is refused before anything is connected.
fn refused(to: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tail"));
    command.args(["pipe", "--dsn", "host=/nowhere dbname=d", "--slot", "s", "--publication", "p"]);
    let output = output(command.args(["--to", to]));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{to}: {text}");
    assert!(output.stdout.is_empty());
    text
}

#[test]
fn no_password_of_a_url_is_printed() {
    for to in [
        "me:swordfish@host:6379",
        "valkey://me:swordfish@host",
        "redis//me:swordfish@host",
        " redis://me:swordfish@host",
        "redis://me:swordfish@host:x",
        "redis://me:swordfish@host/x",
        "REDIS://me:swordfish@host/x",
        "redis://me:6379?swordfish@host",
        "nats://me:swordfish@host",
        "NATS://me:swordfish@host",
        "nats://me:4222?swordfish@host/S",
        "nats://me:swordfish@host/S?unknown=1",
        "kafka://me:swordfish@host/path",
        "Kafka://me:swordfish@host?unknown=1",
        "kafka://me:9092?swordfish@host",
        "file://me:swordfish@host/a",
        "file:a?swordfish@host",
    ] {
        let text = refused(to);
        assert!(text.contains("--to"), "{to}: {text}");
        assert!(!text.contains("swordfish"), "{to}: {text}");
    }
}

#[test]
fn what_is_expected_is_listed() {
    for to in ["", "x", "http://host", "postgresql://host/d"] {
        let text = refused(to);
        for expected in ["redis://HOST", "nats://HOST/STREAM", "kafka://HOST", "file:PATH", "or -"]
        {
            assert!(text.contains(expected), "{to}: {text}");
        }
    }
}
