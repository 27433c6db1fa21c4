//! Between acceptance and the copy: the answers to what is asked before a stream starts.

use std::time::Duration;

use pgoutput_reader::{
    Connection, Error, ErrorKind, LimitError, ProtocolError, ReplicationStream, SetupError,
    StartReplication,
};

use crate::memory::peak;
use crate::server::{Client, Rogue, SLOT, message, row, welcome};

/// An answer may be 64 MiB; counted with what holds it, and the buffer it came in.
const MEMORY: usize = 128 * 1024 * 1024;

/// For the cases that only time ends.
const SHORT: Duration = Duration::from_millis(300);

type Case = (&'static str, fn(&mut Client), fn(&ErrorKind) -> bool);

/// Lets the client in and waits for its first question.
fn asked(client: &mut Client) {
    client.startup();
    client.say(welcome());
    client.expect(b'Q');
}

/// Starts a stream, which must fail.
fn ends(name: &str, script: fn(&mut Client), limit: Option<Duration>) -> Error {
    let rogue = Rogue::new(script);
    let mut config = rogue.config();
    if let Some(limit) = limit {
        config.wal_receiver_timeout(limit);
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

/// Answers the questions before the copy and waits for the command that starts it.
fn starts(client: &mut Client) {
    asked(client);
    client.say(row(&SLOT));
    client.expect(b'Q');
    client.say(row(&["p", "d"]));
    client.expect(b'Q');
    client.say(row(&["60000"]));
    client.expect(b'Q');
}

#[test]
fn answers_that_are_none() {
    let cases: [Case; 7] = [
        (
            "a copy instead of rows",
            |client| {
                asked(client);
                client.say(message(b'W', b"\0\0\0"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'W', .. })),
        ),
        (
            "authentication once more",
            |client| {
                asked(client);
                client.say(welcome());
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'R', .. })),
        ),
        (
            "ready, and nothing said",
            |client| {
                asked(client);
                client.say(message(b'Z', b"I"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Setup(SetupError::SlotMissing { .. })),
        ),
        (
            "rows without columns",
            |client| {
                asked(client);
                client.say(
                    [message(b'D', b"\0\0"), message(b'C', b"SELECT 1\0"), message(b'Z', b"I")]
                        .concat(),
                );
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Setup(SetupError::SlotPhysical { .. })),
        ),
        (
            "more values than the row has bytes",
            |client| {
                asked(client);
                client.say(message(b'D', b"\x7F\xFF\0\0"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
        (
            "a value of two gigabytes",
            |client| {
                asked(client);
                client.say(message(b'D', b"\0\x01\x7F\xFF\xFF\xFFabc"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
        (
            "columns whose names never end",
            |client| {
                asked(client);
                client.say(message(b'T', b"\0\x02name"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Malformed { .. })),
        ),
    ];
    check(&cases, None);
}

#[test]
fn answers_without_end_and_ends_without_an_answer() {
    let cases: [Case; 5] = [
        (
            "rows without end",
            |client| {
                asked(client);
                client.say_for_ever(message(
                    b'D',
                    [&b"\0\x01\0\0\xFF\0"[..], &vec![b'x'; 0xFF00]].concat(),
                ));
            },
            |kind| matches!(kind, ErrorKind::Limit(LimitError::Kept { unit: "bytes of rows", .. })),
        ),
        (
            "notices without end",
            |client| {
                asked(client);
                client.say_for_ever(message(b'N', b"SNOTICE\0C00000\0Mhello\0\0"));
            },
            |kind| matches!(kind, ErrorKind::Limit(LimitError::Kept { unit: "notices", .. })),
        ),
        (
            "an error and the end",
            |client| {
                asked(client);
                client.say(message(b'E', b"SFATAL\0VFATAL\0C57P01\0Mgoing\0\0"));
            },
            |kind| matches!(kind, ErrorKind::Server(_)),
        ),
        (
            "the end in the middle of a row",
            |client| {
                asked(client);
                client.say(&row(&SLOT)[..100]);
            },
            |kind| matches!(kind, ErrorKind::Io { .. }),
        ),
        (
            "another kind of copy at the start",
            |client| {
                starts(client);
                client.say(message(b'H', b"\0\0\0"));
                client.left();
            },
            |kind| matches!(kind, ErrorKind::Protocol(ProtocolError::Unexpected { tag: b'H', .. })),
        ),
    ];
    check(&cases, None);
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for() {
    let timed_out: fn(&ErrorKind) -> bool = |kind| matches!(kind, ErrorKind::Timeout { .. });
    let cases: [Case; 3] = [
        (
            "silence",
            |client| {
                asked(client);
                client.left_in_silence();
            },
            timed_out,
        ),
        (
            "parameters without end",
            |client| {
                asked(client);
                client.say_for_ever(message(b'S', b"a\0b\0"));
            },
            timed_out,
        ),
        (
            "silence at the start of the copy",
            |client| {
                starts(client);
                client.left_in_silence();
            },
            timed_out,
        ),
    ];
    check(&cases, Some(SHORT));
}
