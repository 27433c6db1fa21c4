//! Invalid input in a live stream: a typed error with its place, then the end, and nothing is
//! confirmed.

use pgoutput_harness::{Server, servers};
use pgoutput_reader::{
    Config, Error, ErrorKind, LimitError, ReaderBuilder, Reconnect, SslMode, StreamError,
};
use pgoutput_tests::{Fixture, Forward, InTime as _, PUBLICATION, Proxy, json};

const ENVELOPE: usize = 25;

/// Returns the message tag of an XLogData payload.
fn tag(payload: &[u8]) -> Option<u8> {
    (payload.first() == Some(&b'w')).then(|| payload.get(ENVELOPE).copied()).flatten()
}

/// Reads two transactions, the second through `script`, and returns the error that the iterator
/// ended with.
///
/// The first one arrives and is acknowledged. The second must be delivered again in any case.
fn final_error(
    server: &'static Server,
    script: fn(&[u8]) -> Forward,
    set: fn(Config) -> Config,
) -> Error {
    let fixture = Fixture::new(
        server,
        "CREATE TABLE t (id int PRIMARY KEY, name text); CREATE TABLE u (b text)",
    );
    fixture.run(["INSERT INTO t VALUES (1, 'one')", "INSERT INTO u VALUES ('two')"]);
    let mut commits = 0;
    let proxy = Proxy::before(server.port(), move |payload| {
        let first = commits == 0;
        commits += u32::from(tag(payload) == Some(b'C'));
        if first { Forward::Pass } else { script(payload) }
    });
    let (own, port) = (format!("port={}", server.port()), format!("port={}", proxy.port()));
    let config: Config = fixture.database().dsn_tcp().replace(&own, &port).parse().unwrap();
    // The proxy reads frames, so the client must not request TLS first.
    let config = set(config.ssl_mode(SslMode::Disable));
    let builder = ReaderBuilder::from(config).slot(fixture.slot_name()).publication(PUBLICATION);
    // Messages that pass would be delivered again and again.
    let builder = builder.until_lsn(fixture.end()).reconnect(Reconnect::never());
    let mut reader = builder.connect().unwrap();
    assert_eq!(json(&reader.next_in_time().unwrap().unwrap())["after"]["id"], 1);
    let error = reader.next_in_time().expect("the reader ended without an error").unwrap_err();
    assert!(reader.next_in_time().is_none());
    assert!(reader.next_in_time().is_none());
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    // Stopping may fail if the connection is gone. Then the first transaction is delivered again.
    let stopped = reader.stop();
    fixture.wait_until_free();
    let again: Vec<_> = fixture.read_json();
    assert_eq!(again.last().unwrap()["after"]["b"], "two", "lost after {error}");
    assert!(again.len() == 1 || stopped.is_err() && again.len() == 2, "{error}, {stopped:?}");
    error
}

/// Returns the payload with one change if it is this message.
fn changed(payload: &[u8], of: u8, change: impl Fn(&mut Vec<u8>)) -> Forward {
    if tag(payload) != Some(of) {
        return Forward::Pass;
    }
    let mut payload = payload.to_vec();
    change(&mut payload);
    Forward::Payload(payload)
}

#[test]
fn a_message_that_cannot_be_decoded_is_an_error() {
    // Insert: tag, relation (4), 'N', columns (2), then 't', length (4), "two".
    const COLUMN: usize = ENVELOPE + 8;
    type Script = fn(&[u8]) -> Forward;
    let scripts: [(&str, Script); 14] = [
        ("truncated", |p| changed(p, b'I', |p| p.truncate(p.len() - 1))),
        ("cut after the tag", |p| changed(p, b'I', |p| p.truncate(ENVELOPE + 1))),
        ("trailing", |p| changed(p, b'I', |p| p.push(0))),
        ("unknown message", |p| changed(p, b'I', |p| p[ENVELOPE] = b'?')),
        ("unknown column kind", |p| changed(p, b'I', |p| p[COLUMN] = b'?')),
        ("unknown tuple kind", |p| changed(p, b'I', |p| p[ENVELOPE + 5] = b'?')),
        ("negative length", |p| changed(p, b'I', |p| p[COLUMN + 1..COLUMN + 5].fill(0xFF))),
        ("oversized length", |p| changed(p, b'I', |p| p[COLUMN + 1] = 0x7F)),
        ("negative column count", |p| changed(p, b'I', |p| p[ENVELOPE + 6..COLUMN].fill(0xFF))),
        ("invalid UTF-8 in a name", |p| changed(p, b'R', |p| p[ENVELOPE + 5] = 0xFF)),
        ("missing terminator", |p| changed(p, b'R', |p| p.truncate(ENVELOPE + 9))),
        ("empty message", |p| changed(p, b'I', |p| p.truncate(ENVELOPE))),
        ("stray Stream Stop", |p| changed(p, b'I', |p| p.splice(ENVELOPE.., *b"E").for_each(drop))),
        ("nested Stream Start", |p| {
            changed(p, b'B', |p| {
                p.splice(ENVELOPE.., *b"S\0\0\0\x01\x01S\0\0\0\x01\x01").for_each(drop);
            })
        }),
    ];
    for server in servers() {
        for (name, script) in scripts {
            let error = final_error(server, script, |config| config);
            let is_expected = match error.kind() {
                ErrorKind::Stream(StreamError::NameNotUtf8 { .. }) => {
                    name == "invalid UTF-8 in a name"
                }
                ErrorKind::Decode(_) => name != "invalid UTF-8 in a name",
                _ => false,
            };
            assert!(is_expected, "{name}: {error:?}");
            let error = error.to_string();
            assert!(error.contains("WAL ") && !error.contains("WAL 0/0"), "{name}: {error}");
        }
    }
}

#[test]
fn an_envelope_that_cannot_be_decoded_is_an_error() {
    type Script = fn(&[u8]) -> Forward;
    let scripts: [(&str, Script); 3] = [
        ("empty", |p| changed(p, b'I', Vec::clear)),
        ("truncated", |p| changed(p, b'I', |p| p.truncate(10))),
        ("unknown", |p| changed(p, b'I', |p| p[0] = b'z')),
    ];
    for server in servers() {
        for (name, script) in scripts {
            let error = final_error(server, script, |config| config);
            assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{name}: {error:?}");
        }
    }
}

#[test]
fn valid_messages_in_the_wrong_order_are_errors() {
    for server in servers() {
        let no_relation =
            |p: &[u8]| if tag(p) == Some(b'R') { Forward::Drop } else { Forward::Pass };
        let error = final_error(server, no_relation, |config| config);
        assert!(
            matches!(error.kind(), ErrorKind::Stream(StreamError::UnknownRelation { .. })),
            "{error:?}"
        );

        let wide = |p: &[u8]| {
            changed(p, b'I', |p| {
                p[ENVELOPE + 7] = 2;
                p.push(b'n');
            })
        };
        let error = final_error(server, wide, |config| config);
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Stream(StreamError::RowWidth { described: 1, sent: 2, .. })
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains("public.u"), "{error}");

        let no_begin = |p: &[u8]| if tag(p) == Some(b'B') { Forward::Drop } else { Forward::Pass };
        let error = final_error(server, no_begin, |config| config);
        assert!(
            matches!(error.kind(), ErrorKind::Stream(StreamError::OutOfSequence { .. })),
            "{error:?}"
        );

        // A Begin in place of the change, which would discard the open transaction.
        let second_begin = |p: &[u8]| {
            changed(p, b'I', |p| {
                p.splice(ENVELOPE.., [&b"B"[..], &[0; 20]].concat()).for_each(drop);
            })
        };
        let error = final_error(server, second_begin, |config| config);
        assert!(
            matches!(error.kind(), ErrorKind::Stream(StreamError::OutOfSequence { .. })),
            "{error:?}"
        );
    }
}

#[test]
fn bytes_that_are_not_messages_are_errors() {
    type Script = fn(&[u8]) -> Forward;
    type Fits = fn(&ErrorKind) -> bool;
    let scripts: [(&str, Script, Fits); 5] = [
        ("nothing", |p| closed(p, b""), |kind| matches!(kind, ErrorKind::Io { .. })),
        ("half a header", |p| closed(p, b"d\0\0"), |kind| matches!(kind, ErrorKind::Io { .. })),
        (
            "half a message",
            |p| closed(p, b"d\0\0\0\x20w123"),
            |kind| matches!(kind, ErrorKind::Io { .. }),
        ),
        (
            "a length below four",
            |p| closed(p, b"d\0\0\0\x03"),
            |kind| matches!(kind, ErrorKind::Protocol(_)),
        ),
        (
            "an unknown message",
            |p| closed(p, b"\x01\0\0\0\x04"),
            |kind| matches!(kind, ErrorKind::Protocol(_)),
        ),
    ];
    for server in servers() {
        for (name, script, fits) in scripts {
            let error = final_error(server, script, |config| config);
            assert!(fits(error.kind()), "{name}: {error:?}");
        }
    }
}

fn closed(payload: &[u8], bytes: &[u8]) -> Forward {
    if tag(payload) == Some(b'I') { Forward::Close(bytes.to_vec()) } else { Forward::Pass }
}

#[test]
fn a_message_over_the_limit_is_an_error() {
    for server in servers() {
        let long = |p: &[u8]| changed(p, b'I', |p| p.resize(100_000, b'x'));
        let error = final_error(server, long, |config| config.max_frame_size(50_000));
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Limit(LimitError::Message { limit, .. }) if *limit <= 50_000
            ),
            "{error:?}"
        );
    }
}
