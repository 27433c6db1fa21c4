//! Status updates, the heartbeat, polling, and servers that are silent.

use std::sync::mpsc::channel;

use pgoutput_decode::StandbyStatusUpdate;
use proptest::prelude::*;

use super::*;
use crate::connection::tests::{Scripted, Server, accepted_client, message, start_copy};
use crate::proto::StartReplication;

/// A timeout that never passes in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A time that never passes in a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Accepts a client and starts its copy.
fn start(server: &mut Server) {
    server.send(&accepted_client());
    server.expect(b'Q');
    server.send(&message(b'W', b"\0\0\0"));
}

fn keepalive(wal_end: u64) -> Vec<u8> {
    message(b'd', &[&b"k"[..], &wal_end.to_be_bytes(), &[0; 9]].concat())
}

fn status(server: &mut Server) -> StandbyStatusUpdate {
    StandbyStatusUpdate::decode(&server.expect(b'd')).unwrap()
}

fn stream(scripted: &Scripted, interval: Duration, limit: Duration) -> ReplicationStream {
    let timing = UpdateTiming { interval, silence: Liveness::new(limit, Instant::now()) };
    let publications = Publications::of(&StartReplication::new("s", ["p"]));
    ReplicationStream::new(start_copy(scripted.connect()), timing, publications).unwrap()
}

#[test]
fn the_heartbeat_reports_what_was_acknowledged_while_nobody_reads() {
    let (notify, notified) = channel();
    let scripted = Scripted::new("heartbeat", move |mut server| {
        start(&mut server);
        server.send(&keepalive(100));
        for _ in 0..3 {
            assert_eq!(status(&mut server).flush, Lsn::ZERO);
        }
        notify.send(()).unwrap();
        // Acknowledged LSNs are reported, even though the stream is not read.
        let update = loop {
            let update = status(&mut server);
            if !update.flush.is_zero() {
                break update;
            }
        };
        let lsns = [update.write, update.flush, update.apply];
        assert_eq!(lsns, [100, 7, 7].map(Lsn::new));
        notify.send(()).unwrap();
        server.ended();
    });
    let mut stream = stream(&scripted, Duration::from_millis(1), Duration::ZERO);
    notified.recv_timeout(TIMEOUT).unwrap();
    assert!(matches!(stream.step(Some(Instant::now() + TIMEOUT)).unwrap(), Step::Keepalive(_)));
    assert_eq!(stream.health().received, Lsn::new(100));
    stream.acknowledge(Lsn::new(7));
    notified.recv_timeout(TIMEOUT).unwrap();
    let health = stream.health();
    assert_eq!((health.acknowledged, health.flushed), (Lsn::new(7), Lsn::new(7)));
    assert_eq!(health.bytes_behind(), Some(93));
    // Ends the heartbeat, which would keep the connection open.
    drop(stream);
    scripted.end();
}

fn frame(data: &[u8]) -> Vec<u8> {
    message(b'd', &[&b"w"[..], &[0; 24], data].concat())
}

#[test]
fn frames_are_returned_as_they_came_while_keepalives_are_answered() {
    let scripted = Scripted::new("frames", |mut server| {
        start(&mut server);
        server.send(&frame(b"I, and then no row"));
        server.send(&message(b'd', &[&b"k"[..], &100_u64.to_be_bytes(), &[0; 8], &[1]].concat()));
        assert_eq!(status(&mut server).write, Lsn::new(100));
        server.send(&frame(b"what nobody knows"));
        server.send(&frame(b""));
        server.send(&frame(b"S, and then no transaction"));
        server.closed();
    });
    let mut stream = stream(&scripted, NEVER, Duration::ZERO);
    for expected in [&b"I, and then no row"[..], b"what nobody knows", b""] {
        assert_eq!(stream.next_frame().unwrap().unwrap().data, expected);
    }
    // It decides how the messages that follow are decoded.
    let error = stream.next_frame().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Decode(_)), "{error:?}");
    assert!(stream.next_frame().is_none());
    drop(stream);
    scripted.end();
}

#[test]
fn without_the_heartbeat_tick_reports() {
    let scripted = Scripted::new("tick", |mut server| {
        start(&mut server);
        assert_eq!(status(&mut server).flush, Lsn::new(7));
        server.ended();
    });
    let mut stream = stream(&scripted, NEVER, Duration::ZERO);
    stream.set_heartbeat(false).unwrap();
    assert!(stream.heartbeat.is_none());
    stream.tick().unwrap();
    stream.acknowledge(Lsn::new(7));
    while stream.health().flushed.is_zero() {
        stream.tick().unwrap();
    }
    drop(stream);
    scripted.end();
}

#[test]
fn a_heartbeat_that_cannot_send_ends_the_stream_with_its_error() {
    let (notify, notified) = channel::<()>();
    let scripted = Scripted::new("unsent", move |mut server| {
        start(&mut server);
        // The server reads nothing until the client has failed.
        notified.recv_timeout(TIMEOUT).unwrap();
        drop(server);
    });
    let mut stream = stream(&scripted, Duration::from_millis(1), Duration::ZERO);
    let sender = stream.copy.sender();
    while sender.send_copy_data(&[0; 1024]).is_ok() {}
    let error = stream.next_event().unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
    assert!(stream.heartbeat.is_none());
    assert!(stream.next_event().is_none());
    notify.send(()).unwrap();
    scripted.end();
}

#[test]
fn a_server_that_never_answers_is_asked_once_before_the_error() {
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
fn short_waits_add_up_and_an_answer_restarts_the_silence() {
    let scripted = Scripted::new("answers", |mut server| {
        start(&mut server);
        // The client asks again only if it took the first answer for one.
        for lsn in 1..=2 {
            assert_eq!(status(&mut server).reply, 1);
            server.send(&keepalive(lsn));
        }
        server.closed();
    });
    // The server has half of it for its answer.
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

/// One step of a test that polls a stream.
#[derive(Debug, Clone, Copy)]
enum Poll {
    /// The server sends this many messages, which arrive.
    Send(u8),
    /// This many calls that each wait for at most this time.
    Step(Duration, u8),
}

fn poll() -> impl Strategy<Value = Poll> {
    let timeout = prop_oneof![
        3 => Just(Duration::ZERO),
        1 => Just(Duration::from_micros(200)),
        1 => Just(Duration::from_millis(2)),
    ];
    prop_oneof![
        prop_oneof![1..5_u8, Just(60)].prop_map(Poll::Send),
        (timeout, prop_oneof![1..4_u8, Just(70)])
            .prop_map(|(timeout, calls)| Poll::Step(timeout, calls)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    /// On busy and idle streams, the next call returns a message that has arrived, regardless of
    /// its timeout.
    #[test]
    fn a_caller_that_polls_gets_what_has_arrived(polls in prop::collection::vec(poll(), 1..25)) {
        let (send, counts) = channel::<u8>();
        let (done, is_done) = channel();
        let scripted = Scripted::new("polled", move |mut server| {
            start(&mut server);
            for messages in counts {
                for _ in 0..messages {
                    server.send(&frame(b"a change"));
                }
                done.send(()).unwrap();
            }
            server.ended();
        });
        let mut stream = stream(&scripted, NEVER, NEVER);
        let mut waiting = 0_u32;
        for poll in polls {
            match poll {
                // A send would block if the Unix socket does not hold that many.
                Poll::Send(messages) if waiting + u32::from(messages) > 150 => {}
                Poll::Send(messages) => {
                    send.send(messages).unwrap();
                    is_done.recv_timeout(TIMEOUT).unwrap();
                    waiting += u32::from(messages);
                }
                Poll::Step(timeout, calls) => for _ in 0..calls {
                    let step = stream.step(Some(Instant::now() + timeout)).unwrap();
                    match step {
                        Step::Message(_) if waiting > 0 => waiting -= 1,
                        Step::TimedOut if waiting == 0 => {}
                        step => prop_assert!(false, "{:?} with {} waiting", step, waiting),
                    }
                },
            }
        }
        drop((send, stream));
        scripted.end();
    }
}

/// Polls without waiting until a call returns something else than a timeout.
fn poll_until_over(stream: &mut ReplicationStream) -> Result<Step, Error> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < end, "nothing came of polling");
        match stream.step(Some(Instant::now()))? {
            Step::TimedOut => std::thread::yield_now(),
            step => return Ok(step),
        }
    }
}

#[test]
fn a_caller_that_only_polls_notices_a_silent_server() {
    // The server has half of it for its answer.
    const LIMIT: Duration = Duration::from_secs(3);
    let scripted = Scripted::new("silent-polled", |mut server| {
        start(&mut server);
        assert_eq!(status(&mut server).reply, 1);
        server.send(&keepalive(1));
        // The next request is not answered.
        assert_eq!(status(&mut server).reply, 1);
        server.closed();
    });
    let mut stream = stream(&scripted, NEVER, LIMIT);
    assert!(matches!(poll_until_over(&mut stream), Ok(Step::Keepalive(_))));
    let start = Instant::now();
    let error = poll_until_over(&mut stream).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ServerSilent { limit: LIMIT, .. }), "{error:?}");
    assert!(start.elapsed() >= LIMIT / 2);
    drop(stream);
    scripted.end();
}

#[test]
fn a_caller_that_only_polls_notices_that_the_server_is_gone() {
    let scripted = Scripted::new("gone-polled", |mut server| {
        start(&mut server);
        // The stream is busy at first.
        for _ in 0..100 {
            server.send(&frame(b"a change"));
        }
    });
    let mut stream = stream(&scripted, NEVER, Duration::ZERO);
    for _ in 0..100 {
        assert!(matches!(poll_until_over(&mut stream), Ok(Step::Message(_))));
    }
    let error = poll_until_over(&mut stream).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
    drop(stream);
    scripted.end();
}

/// Without the heartbeat, a caller that only polls also sends the status updates that are due.
#[test]
fn a_caller_that_only_polls_sends_status_updates() {
    let scripted = Scripted::new("status-polled", |mut server| {
        start(&mut server);
        for _ in 0..3 {
            assert_eq!(status(&mut server).reply, 0);
        }
        server.send(&keepalive(1));
        server.ended();
    });
    let mut stream = stream(&scripted, Duration::from_millis(20), Duration::ZERO);
    stream.set_heartbeat(false).unwrap();
    assert!(matches!(poll_until_over(&mut stream), Ok(Step::Keepalive(_))));
    drop(stream);
    scripted.end();
}

/// Data that arrived during a pause is read before the server counts as silent.
#[test]
fn a_pause_of_the_caller_is_not_a_silence_of_the_server() {
    const LIMIT: Duration = Duration::from_millis(300);
    let (notify, notified) = channel::<()>();
    let (done, is_done) = channel();
    let scripted = Scripted::new("pause", move |mut server| {
        start(&mut server);
        notified.recv_timeout(TIMEOUT).unwrap();
        server.send(&keepalive(1));
        done.send(()).unwrap();
        server.closed();
    });
    let mut stream = stream(&scripted, NEVER, LIMIT);
    std::thread::sleep(2 * LIMIT);
    notify.send(()).unwrap();
    is_done.recv_timeout(TIMEOUT).unwrap();
    let step = stream.step(Some(Instant::now())).unwrap();
    assert!(matches!(step, Step::Keepalive(keepalive) if keepalive.wal_end == Lsn::new(1)));
    drop(stream);
    scripted.end();
}
