use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

use super::*;
use crate::config::DEFAULT_MAX_READ_DELAY;
use crate::error::LimitError;
use crate::io::writer::UNSENT_LIMIT;

/// Long enough never to pass in a test that is right.
const PATIENCE: Duration = Duration::from_secs(60);

fn pair() -> (Channel, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    (
        Channel::new(Transport::Unix(ours.into()), "test".into(), 1 << 30, DEFAULT_MAX_READ_DELAY)
            .unwrap(),
        theirs,
    )
}

#[expect(clippy::unnecessary_wraps, reason = "what the channel takes")]
fn soon() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

#[test]
fn a_timeout_inside_a_message_loses_nothing() {
    let (mut channel, mut server) = pair();
    let message = b"d\0\0\0\x09hello";
    for byte in message {
        assert_eq!(channel.inbox.next().unwrap(), None);
        assert_eq!(channel.fill(Some(Instant::now())).unwrap(), Fill::TimedOut);
        server.write_all(&[*byte]).unwrap();
        assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    }
    let (tag, position) = channel.inbox.next().unwrap().unwrap();
    assert_eq!((tag, channel.inbox.body(position)), (b'd', &b"hello"[..]));
}

#[test]
fn a_wake_up_from_another_thread_ends_the_wait() {
    let (mut channel, mut server) = pair();
    let waker = channel.waker();
    let waiting = thread::spawn(move || {
        let woken = channel.fill(None).unwrap();
        (channel, woken)
    });
    waker.wake();
    let (mut channel, woken) = waiting.join().unwrap();
    assert_eq!(woken, Fill::Woken);
    // Several are one, and the next wait is for the server again.
    (0..100).for_each(|_| waker.wake());
    assert_eq!(channel.fill(None).unwrap(), Fill::Woken);
    server.write_all(b"x").unwrap();
    assert_eq!(channel.fill(None).unwrap(), Fill::More);
}

#[test]
fn more_wake_ups_than_the_pipe_holds_do_not_block() {
    let (mut channel, _server) = pair();
    let waker = channel.waker();
    (0..1_000_000).for_each(|_| waker.wake());
    assert_eq!(channel.fill(None).unwrap(), Fill::Woken);
    assert_eq!(channel.fill(Some(Instant::now())).unwrap(), Fill::TimedOut);
}

#[test]
fn what_came_before_the_end_is_read_first() {
    let (mut channel, mut server) = pair();
    server.write_all(b"last words").unwrap();
    drop(server);
    // The server is gone, so this can go nowhere; why may still be waiting to be read.
    channel.outbox().extend_from_slice(b"status");
    channel.flush(soon(), "testing").unwrap();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    assert_eq!(channel.inbox.unread(), b"last words");
    assert_eq!(channel.fill(soon()).unwrap(), Fill::Closed);
}

#[test]
fn two_sides_with_full_buffers_do_not_wait_for_each_other() {
    let (mut channel, mut server) = pair();
    let ours = vec![b'o'; 4 << 20];
    let theirs = vec![b't'; 900_000];
    let server = thread::spawn(move || {
        // Sends everything before it reads anything.
        server.write_all(&theirs).unwrap();
        let mut received = vec![0; 4 << 20];
        server.read_exact(&mut received).unwrap();
        (server, received)
    });
    channel.outbox().extend_from_slice(&ours);
    channel.flush(soon(), "testing").unwrap();
    let (server, received) = server.join().unwrap();
    assert!(received == ours);
    drop(server);
    while channel.fill(soon()).unwrap() == Fill::More {}
    assert_eq!(channel.inbox.unread().len(), 900_000);
}

#[test]
fn a_server_that_does_not_read_is_noticed() {
    let (mut channel, mut server) = pair();
    // What the socket does not take waits; more than a little is an error, and memory stays bounded.
    let refused = loop {
        channel.outbox().extend_from_slice(&[0; 1000]);
        if let Err(error) = channel.try_flush() {
            break error;
        }
    };
    assert!(matches!(
        refused.kind(),
        crate::ErrorKind::Limit(LimitError::Unsent { pending }) if *pending < UNSENT_LIMIT + 1001
    ));
    let error = channel.flush(Some(Instant::now()), "testing").unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::Timeout { .. }));
    // What waits goes out during the next wait for the server.
    let pending = channel.outbox().len();
    let reader = thread::spawn(move || {
        let mut left = 0;
        let mut chunk = vec![0; 1 << 20];
        while left == 0 || chunk[left - 1] != 1 {
            left = server.read(&mut chunk).unwrap();
        }
        server.write_all(b"done").unwrap();
        server
    });
    channel.outbox().extend_from_slice(&[1]);
    assert!(pending > 0);
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    assert!(!channel.writer.pending());
    drop(reader.join().unwrap());
}

#[test]
fn an_endless_talker_does_not_fill_memory_while_it_does_not_read() {
    let (mut channel, mut server) = pair();
    let talker = thread::spawn(move || while server.write_all(&[b't'; 10_000]).is_ok() {});
    channel.outbox().extend_from_slice(&vec![0; 8 << 20]);
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = channel.flush(Some(deadline), "testing").unwrap_err();
    assert!(matches!(error.kind(), crate::ErrorKind::Timeout { .. }));
    assert!(channel.inbox.unread().len() < BACKLOG_LIMIT * 3);
    drop(channel);
    talker.join().unwrap();
}

#[test]
fn a_stream_that_never_pauses_does_not_hold_back_what_is_to_be_sent() {
    let (mut channel, mut server) = pair();
    server.write_all(b"x").unwrap();
    channel.drained = false;
    channel.outbox().extend_from_slice(b"status");
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    let mut status = [0; 6];
    server.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"status");
}

/// A TCP connection, and a rest that no test is patient enough for.
fn busy() -> (Channel, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut channel =
        Channel::new(Transport::Tcp(ours.into()), "test".into(), 1 << 30, PATIENCE).unwrap();
    channel.gather = Gather::busy(PATIENCE);
    (channel, theirs)
}

#[test]
fn a_wake_up_ends_a_rest() {
    let (mut channel, mut server) = busy();
    server.write_all(b"x").unwrap();
    channel.waker().wake();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::Woken);
}

#[test]
fn a_deadline_ends_a_rest() {
    let (mut channel, mut server) = busy();
    server.write_all(b"x").unwrap();
    let start = Instant::now();
    assert_eq!(channel.fill(Some(start)).unwrap(), Fill::TimedOut);
    assert_eq!(channel.fill(Some(start + Duration::from_millis(1))).unwrap(), Fill::TimedOut);
    assert!(start.elapsed() < PATIENCE);
    // What is left of the rest is for the next call.
    assert!(channel.gather.rest(Instant::now()).is_some());
}

#[test]
fn a_busy_stream_is_left_to_gather() {
    const REST: Duration = Duration::from_millis(50);
    let (mut channel, mut server) = busy();
    channel.gather = Gather::busy(REST);
    server.write_all(b"x").unwrap();
    let start = Instant::now();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    assert!(start.elapsed() >= REST);
    // One byte is too little for a whole rest.
    assert_eq!(channel.gather.rest(Instant::now()), None);
}

#[test]
fn rests_on_a_unix_socket_are_short() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let channel =
        Channel::new(Transport::Unix(ours.into()), "test".into(), 1 << 30, PATIENCE).unwrap();
    assert_eq!(channel.gather.length(), UNIX_REST);
}
