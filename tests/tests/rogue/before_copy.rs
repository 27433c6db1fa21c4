//! Between authentication and the copy: answers to the queries before a stream starts.

use std::time::Duration;

use pgoutput_reader::{
    Connection, Error, ErrorKind, LimitError, ProtocolError, ReplicationStream, SetupError,
    StartReplication,
};

use crate::memory::peak;
use crate::server::{Client, Rogue, SLOT, accepted_client, message, row};

/// An answer may be 64 MiB, plus the structure that holds it and the buffer it arrived in.
const MEMORY: usize = 128 * 1024 * 1024;

/// The limit of the cases that end by a timeout.
const SHORT: Duration = Duration::from_millis(300);

type Case = (&'static str, fn(&mut Client), fn(&ErrorKind) -> bool);

/// Authenticates the client and waits for its first query.
fn until_query(client: &mut Client) {
    client.startup();
    client.send(accepted_client());
    client.expect(b'Q');
}

/// Starts a stream, which must fail, and returns the error.
fn ends(name: &str, script: fn(&mut Client), limit: Option<Duration>) -> Error {
    let rogue = Rogue::new(script);
    let mut config = rogue.config();
    if let Some(limit) = limit {
        config = config.wal_receiver_timeout(limit);
    }
    let start = StartReplication::new("s", ["p"]);
    let (result, held) = peak(|| -> Result<ReplicationStream, Error> {
        Connection::connect(&config)?.stream(&start)
    });
    let error = result.map(drop).expect_err(name);
    rogue.end_after(error.kind());
    assert!(held < MEMORY, "{name}: {held} bytes");
    assert_eq!(error.to_string().lines().count(), 1, "{name}: {error}");
    error
}

fn check(cases: &[Case], limit: Option<Duration>) {
    for (name, script, expected) in cases {
        let error = ends(name, *script, limit);
        assert!(expected(error.kind()), "{name}: {error:?}");
    }
}

/// Answers the queries before the copy and waits for the command that starts it.
fn starts(client: &mut Client) {
    until_query(client);
    client.send(row(&SLOT));
    client.expect(b'Q');
    client.send(row(&["p", "d"]));
    client.expect(b'Q');
    client.send(row(&["60000"]));
    client.expect(b'Q');
}

#[test]
fn invalid_answers_are_errors() {
    let cases: [Case; 7] = [
        (
            "a copy instead of rows",
            |client| {
                until_query(client);
                client.send(message(b'W', b"\0\0\0"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'W', .. })),
        ),
        (
            "authentication once more",
            |client| {
                until_query(client);
                client.send(accepted_client());
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })),
        ),
        (
            "ready, and nothing sent",
            |client| {
                until_query(client);
                client.send(message(b'Z', b"I"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Setup(SetupError::SlotMissing { .. })),
        ),
        (
            "rows without columns",
            |client| {
                until_query(client);
                client.send(
                    [message(b'D', b"\0\0"), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")]
                        .concat(),
                );
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Setup(SetupError::SlotPhysical { .. })),
        ),
        (
            "more values than the row has bytes",
            |client| {
                until_query(client);
                client.send(message(b'D', b"\x7F\xFF\0\0"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
        (
            "a value of two gigabytes",
            |client| {
                until_query(client);
                client.send(message(b'D', b"\0\x01\x7F\xFF\xFF\xFFabc"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
        (
            "columns whose names never end",
            |client| {
                until_query(client);
                client.send(message(b'T', b"\0\x02name"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
    ];
    check(&cases, None);
}

#[test]
fn endless_and_missing_answers_are_errors() {
    let cases: [Case; 5] = [
        (
            "rows without end",
            |client| {
                until_query(client);
                client.send_endlessly(message(
                    b'D',
                    [&b"\0\x01\0\0\xFF\0"[..], &vec![b'x'; 0xFF00]].concat(),
                ));
            },
            |kind| matches!(kind, ErrorKind::Limit(LimitError::Kept { unit: "bytes of rows", .. })),
        ),
        (
            "notices without end",
            |client| {
                until_query(client);
                client.send_endlessly(message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"));
            },
            |kind| matches!(kind, ErrorKind::Limit(LimitError::Kept { unit: "notices", .. })),
        ),
        (
            "an error and the end",
            |client| {
                until_query(client);
                client.send(message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mgoing\0\0"));
            },
            |kind| matches!(kind, ErrorKind::Server(_)),
        ),
        (
            "the end in the middle of a row",
            |client| {
                until_query(client);
                client.send(&row(&SLOT)[..100]);
            },
            |kind| matches!(kind, ErrorKind::Io { .. }),
        ),
        (
            "another kind of copy at the start",
            |client| {
                starts(client);
                client.send(message(b'H', b"\0\0\0"));
                client.wait_for_close();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'H', .. })),
        ),
    ];
    check(&cases, None);
}

#[test]
fn a_missing_answer_is_a_timeout() {
    let timed_out: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Timeout { .. });
    let cases: [Case; 3] = [
        (
            "silence",
            |client| {
                until_query(client);
                client.wait_for_silent_close();
            },
            timed_out,
        ),
        (
            "parameters without end",
            |client| {
                until_query(client);
                client.send_endlessly(message(b'S', b"a\0b\0"));
            },
            timed_out,
        ),
        (
            "silence at the start of the copy",
            |client| {
                starts(client);
                client.wait_for_silent_close();
            },
            timed_out,
        ),
    ];
    check(&cases, Some(SHORT));
}
