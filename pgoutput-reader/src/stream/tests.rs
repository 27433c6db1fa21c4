//! Who tells the server that we are alive, and what a server that says nothing comes to.

use std::sync::mpsc::channel;

use pgoutput_decode::StandbyStatusUpdate;

use super::*;
use crate::connection::tests::{Scripted, Server, copying, message, welcome};

/// Never, in a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Lets a client in and starts its copy.
fn start(server: &mut Server) {
    server.say(&welcome());
    server.expect(b'Q');
    server.say(&message(b'W', b"\0\0\0"));
}

fn keepalive(wal_end: u64) -> Vec<u8> {
    message(b'd', &[&b"k"[..], &wal_end.to_be_bytes(), &[0; 9]].concat())
}

fn status(server: &mut Server) -> StandbyStatusUpdate {
    StandbyStatusUpdate::decode(&server.expect(b'd')).unwrap()
}

fn stream(scripted: &Scripted, interval: Duration, limit: Duration) -> Stream {
    let pace = Pace { interval, silence: Silence::new(limit) };
    Stream::new(copying(scripted.connect()), pace).unwrap()
}

#[test]
fn the_server_hears_of_us_while_nobody_reads_and_only_what_was_confirmed() {
    let (go, gone) = channel();
    let scripted = Scripted::new("heartbeat", move |mut server| {
        start(&mut server);
        server.say(&keepalive(100));
        for _ in 0..3 {
            assert_eq!(status(&mut server).flush, Lsn::ZERO);
        }
        go.send(()).unwrap();
        // What is confirmed is told, though nobody reads even now.
        let told = loop {
            let told = status(&mut server);
            if !told.flush.is_zero() {
                break told;
            }
        };
        assert_eq!((told.write, told.flush, told.apply), (Lsn::new(100), Lsn::new(7), Lsn::new(7)));
        go.send(()).unwrap();
        server.ended();
    });
    let mut stream = stream(&scripted, Duration::from_millis(1), Duration::ZERO);
    gone.recv().unwrap();
    assert!(matches!(stream.step(None).unwrap(), Step::Keepalive(_)));
    assert_eq!(stream.health().received, Lsn::new(100));
    stream.confirm(Lsn::new(7));
    gone.recv().unwrap();
    let health = stream.health();
    assert_eq!((health.taken, health.told), (Lsn::new(7), Lsn::new(7)));
    assert_eq!(health.bytes_behind(), Some(93));
    // Ends the thread, else the connection would stay open.
    drop(stream);
    scripted.end();
}

fn frame(data: &[u8]) -> Vec<u8> {
    message(b'd', &[&b"w"[..], &[0; 24], data].concat())
}

#[test]
fn frames_are_handed_over_as_they_came_while_keepalives_are_answered() {
    let scripted = Scripted::new("frames", |mut server| {
        start(&mut server);
        server.say(&frame(b"I, and then no row"));
        server.say(&message(b'd', &[&b"k"[..], &100_u64.to_be_bytes(), &[0; 8], &[1]].concat()));
        assert_eq!(status(&mut server).write, Lsn::new(100));
        server.say(&frame(b"what nobody knows"));
        server.say(&frame(b""));
        server.say(&frame(b"S, and then no transaction"));
        server.closed();
    });
    let mut stream = stream(&scripted, NEVER, Duration::ZERO);
    for expected in [&b"I, and then no row"[..], b"what nobody knows", b""] {
        assert_eq!(stream.next_frame().unwrap().unwrap().data, expected);
    }
    // Without it the stream could not say how what follows is to be read.
    let error = stream.next_frame().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error:?}");
    assert!(stream.next_frame().is_none());
    drop(stream);
    scripted.end();
}

#[test]
fn without_the_thread_it_is_tick_that_tells() {
    let scripted = Scripted::new("tick", |mut server| {
        start(&mut server);
        assert_eq!(status(&mut server).flush, Lsn::new(7));
        server.ended();
    });
    let mut stream = stream(&scripted, NEVER, Duration::ZERO);
    stream.set_heartbeat(false).unwrap();
    assert!(stream.heartbeat.is_none());
    stream.tick().unwrap();
    stream.confirm(Lsn::new(7));
    while stream.health().told.is_zero() {
        stream.tick().unwrap();
    }
    drop(stream);
    scripted.end();
}

#[test]
fn a_thread_that_cannot_tell_ends_the_stream_with_its_reason() {
    let (go, gone) = channel::<()>();
    let scripted = Scripted::new("unsent", move |mut server| {
        start(&mut server);
        // Reads nothing until the client has given up.
        gone.recv().unwrap();
        drop(server);
    });
    let mut stream = stream(&scripted, Duration::from_millis(1), Duration::ZERO);
    let sender = stream.copy.sender();
    while sender.send_copy_data(&[0; 1024]).is_ok() {}
    let error = stream.next_event().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
    assert!(stream.heartbeat.is_none());
    assert!(stream.next_event().is_none());
    go.send(()).unwrap();
    scripted.end();
}

#[test]
fn a_server_that_never_answers_is_asked_once_and_then_given_up() {
    let scripted = Scripted::new("silent", |mut server| {
        start(&mut server);
        assert_eq!(status(&mut server).reply, 1);
        server.closed();
    });
    let address = scripted.connect_address();
    let mut stream = stream(&scripted, NEVER, Duration::from_millis(50));
    let error = stream.next_event().unwrap().unwrap_err();
    let ErrorKind::ServerSilent { address: silent, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!(*silent, address);
    assert!(error.to_string().contains("connect again"), "{error}");
    assert!(stream.heartbeat.is_none());
    assert!(stream.next_event().is_none());
    drop(stream);
    scripted.end();
}

#[test]
fn short_waits_add_up_and_an_answer_starts_the_silence_anew() {
    let scripted = Scripted::new("answers", |mut server| {
        start(&mut server);
        // A second question comes only if the first answer was taken for one.
        for lsn in 1..=2 {
            assert_eq!(status(&mut server).reply, 1);
            server.say(&keepalive(lsn));
        }
        server.closed();
    });
    // Half of it is the time that this server has for an answer.
    let mut stream = stream(&scripted, NEVER, Duration::from_secs(3));
    let mut answers = Vec::new();
    while answers.len() < 2 {
        match stream.step(Some(Instant::now() + Duration::from_millis(10))).unwrap() {
            Step::Keepalive(keepalive) => answers.push(keepalive.wal_end.as_u64()),
            Step::TimedOut => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, [1, 2]);
    drop(stream);
    scripted.end();
}
