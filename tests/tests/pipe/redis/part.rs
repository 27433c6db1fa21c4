//! A transaction of which the server refuses one command when it executes it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::RedisServer;
use super::scene::{STREAM, fixture, ids, newest, refused, until_now};

/// A key as long as that of the stream.
const OTHER: &str = "app.public.s";

/// Passes everything on to `port` of 127.0.0.1, but the second XADD of a transaction of three gets
/// another key. Returns its own port.
fn spoiling(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut replies, mut to_client) =
                (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut replies, &mut to_client);
                let _ = to_client.shutdown(Shutdown::Both);
            });
            thread::spawn(move || pass(client, server));
        }
    });
    own
}

fn pass(mut client: TcpStream, mut server: TcpStream) {
    let mut buffer = vec![0; 1024 * 1024];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        let mut bytes = buffer[..count].to_vec();
        let command = format!("XADD\r\n$12\r\n{STREAM}\r\n").into_bytes();
        let places: Vec<_> =
            (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&command)).collect();
        if let [_, second, _] = places[..] {
            let at = second + command.len() - 2 - OTHER.len();
            bytes[at..at + OTHER.len()].copy_from_slice(OTHER.as_bytes());
        }
        if server.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn a_batch_that_is_stored_in_part_is_never_continued() {
    for redis in RedisServer::all() {
        let fixture = fixture(newest());
        redis.run(&format!("SET {OTHER} x"));
        fixture.run(["INSERT INTO t SELECT generate_series(1, 3)"]);
        let port = spoiling(redis.engine().port());
        let to = format!("redis://127.0.0.1:{port}/0");
        let error = refused(&mut until_now(&fixture, &to));
        assert!(error.contains("a batch was stored in part (WRONGTYPE)"), "{error}");
        assert!(!error.contains("could not be marked"), "{error}");
        assert_eq!(ids(&redis, STREAM), [1, 3]);
        let failed = redis.state(fixture.slot_name(), "failed");
        assert_eq!(failed.as_deref(), Some("WRONGTYPE"));
        fixture.run(["INSERT INTO t VALUES (4)"]);
        let error = refused(&mut until_now(&fixture, &redis.to("")));
        assert!(error.contains("a batch was stored in part (WRONGTYPE)"), "{error}");
        assert_eq!(ids(&redis, STREAM), [1, 3]);
    }
}
