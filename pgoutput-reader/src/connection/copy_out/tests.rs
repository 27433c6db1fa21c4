//! Copies of a scripted server.

use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::connection::tests::{Scripted, accepted_client, error, message, ready, row, soon};
use crate::error::ErrorKind;

const COPY: &str = "COPY t TO STDOUT";

fn copy_out() -> Vec<u8> {
    message(b'H', b"\0\0\x01\0\0")
}

fn data(bytes: &[u8]) -> Vec<u8> {
    message(b'd', bytes)
}

/// The end of a copy.
fn end() -> Vec<u8> {
    [message(b'c', b""), message(b'C', b"COPY 2\0"), ready()].concat()
}

fn advance(connection: &mut Connection) -> Result<CopyOutAdvance, Error> {
    connection.advance_copy_out(|| Some(soon()))
}

/// Starts a copy.
fn start(connection: &mut Connection) -> Result<(), Error> {
    connection.send_copy_out(COPY)?;
    assert_eq!(advance(connection)?, CopyOutAdvance::Started);
    Ok(())
}

/// The remaining parts of a copy.
fn rest(connection: &mut Connection) -> Result<Vec<Vec<u8>>, Error> {
    let mut parts = Vec::new();
    loop {
        match advance(connection)? {
            CopyOutAdvance::Data(part) => parts.push(connection.copied(part).to_vec()),
            CopyOutAdvance::Complete => return Ok(parts),
            other => panic!("{other:?}"),
        }
    }
}

fn parts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn the_parts_come_as_they_are_sent_and_the_next_command_follows() {
    let scripted = Scripted::new("copy-out", |mut server| {
        server.send(&accepted_client());
        assert_eq!(server.expect(b'Q'), b"COPY t TO STDOUT\0");
        let notice = message(b'N', b"SWARNING\0VWARNING\0C01000\0Mlooks odd\0\0");
        let parameter = message(b'S', b"TimeZone\0UTC\0");
        let first = [notice, copy_out(), data(b"1\n"), parameter, data(b""), end()].concat();
        server.send(&first);
        assert_eq!(server.expect(b'Q'), b"COPY t TO STDOUT\0");
        server.send(&[copy_out(), end()].concat());
        server.expect(b'Q');
        server.send(&row(&["one"], &["1"]));
        server.expect(b'X');
        server.closed();
    });
    let mut connection = scripted.connect();
    start(&mut connection).unwrap();
    let CopyOutAdvance::Data(part) = advance(&mut connection).unwrap() else { panic!() };
    assert_eq!(connection.copied(part), b"1\n");
    // Everything has arrived, so that nothing waits.
    let next = connection.advance_copy_out(|| panic!("no deadline is needed")).unwrap();
    assert!(matches!(next, CopyOutAdvance::Data(part) if connection.copied(part).is_empty()));
    assert_eq!(rest(&mut connection).unwrap(), parts(&[]));
    assert_eq!(connection.parameter("TimeZone"), Some("UTC"));
    assert_eq!(connection.take_notices()[0].message(), "looks odd");
    start(&mut connection).unwrap();
    assert_eq!(rest(&mut connection).unwrap(), parts(&[]));
    let rows = connection.simple_query("SELECT 1").unwrap();
    assert_eq!(rows[0].rows[0].get("one"), Some("1"));
    connection.close().unwrap();
    scripted.end();
}

/// Bytes that are not UTF-8 would be an error of the server.
#[test]
fn a_database_without_an_encoding_is_copied_as_it_is() {
    let scripted = Scripted::new("copy-out-ascii", |mut server| {
        server.send(&message(b'R', b"\0\0\0\0"));
        server.send(&message(b'S', b"server_version\x0018.1\0"));
        server.send(&message(b'S', b"server_encoding\0SQL_ASCII\0"));
        server.send(&[ready(), message(b'C', b"SET\0"), ready()].concat());
        assert_eq!(server.expect(b'Q'), b"SET client_encoding TO SQL_ASCII\0");
        server.send(&[message(b'C', b"SET\0"), ready()].concat());
        assert_eq!(server.expect(b'Q'), b"COPY t TO STDOUT\0");
        server.send(&[copy_out(), data(b"\xE9\n"), end()].concat());
        server.ended();
    });
    let mut connection = scripted.connect();
    connection.set_client_encoding().unwrap();
    start(&mut connection).unwrap();
    assert_eq!(rest(&mut connection).unwrap(), [b"\xE9\n"]);
    drop(connection);
    scripted.end();
}

#[test]
fn an_error_of_the_server_leaves_the_connection_usable() {
    let scripted = Scripted::new("copy-out-error", |mut server| {
        server.send(&accepted_client());
        let before = [error("42501", "permission denied"), ready()].concat();
        let halfway = [copy_out(), data(b"1\n"), error("22P05", "no equivalent"), ready()].concat();
        for answer in [before, halfway, [copy_out(), data(b"2\n"), end()].concat()] {
            server.expect(b'Q');
            server.send(&answer);
        }
        server.ended();
    });
    let mut connection = scripted.connect();
    assert_eq!(start(&mut connection).unwrap_err().sqlstate(), Some("42501"));
    start(&mut connection).unwrap();
    let CopyOutAdvance::Data(part) = advance(&mut connection).unwrap() else { panic!() };
    assert_eq!(connection.copied(part), b"1\n");
    assert_eq!(advance(&mut connection).unwrap_err().sqlstate(), Some("22P05"));
    start(&mut connection).unwrap();
    assert_eq!(rest(&mut connection).unwrap(), parts(&["2\n"]));
    drop(connection);
    scripted.end();
}

#[test]
fn a_fatal_error_is_that_of_the_server_and_ends_the_connection() {
    for (name, before) in [("copy-out-fatal-1", true), ("copy-out-fatal-2", false)] {
        let scripted = Scripted::new(name, move |mut server| {
            server.send(&accepted_client());
            server.expect(b'Q');
            if !before {
                server.send(&[copy_out(), data(b"1\n")].concat());
            }
            server.send(&error("57P01", "going down"));
        });
        let mut connection = scripted.connect();
        let copied = start(&mut connection).and_then(|()| rest(&mut connection));
        assert_eq!(copied.unwrap_err().sqlstate(), Some("57P01"));
        let error = connection.send_copy_out(COPY).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error:?}");
        scripted.end();
    }
}

#[test]
fn a_closed_connection_is_an_error_with_the_address() {
    for (name, sent) in [("copy-out-closed-1", false), ("copy-out-closed-2", true)] {
        let scripted = Scripted::new(name, move |mut server| {
            server.send(&accepted_client());
            server.expect(b'Q');
            if sent {
                server.send(&[copy_out(), b"d\0\0\0\x10half".to_vec()].concat());
            }
        });
        let mut connection = scripted.connect();
        let copied = start(&mut connection).and_then(|()| rest(&mut connection));
        let address = scripted.connect_address();
        let expected = format!("copying a table from {address}: the server closed the connection");
        assert_eq!(copied.unwrap_err().to_string(), expected);
        scripted.end();
    }
}

#[test]
fn other_messages_are_refused() {
    for (name, answer) in [
        ("copy-out-other-1", message(b'W', b"\0\0\0")),
        ("copy-out-other-2", [copy_out(), message(b'D', b"\0\0")].concat()),
    ] {
        let scripted = Scripted::new(name, move |mut server| {
            server.send(&accepted_client());
            server.expect(b'Q');
            server.send(&answer);
            server.ended();
        });
        let mut connection = scripted.connect();
        let copied = start(&mut connection).and_then(|()| rest(&mut connection));
        let error = copied.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Protocol(_)), "{error:?}");
        drop(connection);
        scripted.end();
    }
}

#[test]
fn a_deadline_or_a_waker_loses_no_part_of_a_message() {
    let (sender, receiver) = channel::<()>();
    let scripted = Scripted::new("copy-out-late", move |mut server| {
        server.send(&accepted_client());
        server.expect(b'Q');
        server.send(&copy_out());
        let whole = data(b"12345\n");
        for byte in &whole[..whole.len() - 1] {
            receiver.recv().unwrap();
            server.send(&[*byte]);
        }
        receiver.recv().unwrap();
        server.send(&[&whole[whole.len() - 1..], &end()].concat());
        server.ended();
    });
    let mut connection = scripted.connect();
    start(&mut connection).unwrap();
    let waker = connection.waker();
    for byte in 0..10 {
        sender.send(()).unwrap();
        if byte % 2 == 0 {
            // The deadline has passed, whether a byte arrives or not.
            let late = connection.advance_copy_out(|| Some(Instant::now())).unwrap();
            assert_eq!(late, CopyOutAdvance::TimedOut);
        } else {
            waker.wake();
            assert_eq!(advance(&mut connection).unwrap(), CopyOutAdvance::Woken);
        }
    }
    let late =
        connection.advance_copy_out(|| Some(Instant::now() + Duration::from_millis(20))).unwrap();
    assert_eq!(late, CopyOutAdvance::TimedOut);
    sender.send(()).unwrap();
    assert_eq!(rest(&mut connection).unwrap(), parts(&["12345\n"]));
    drop(connection);
    scripted.end();
}
