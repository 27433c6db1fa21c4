use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::config::DEFAULT_MAX_READ_DELAY;
use crate::error::{ErrorKind, LimitError};
use crate::io::writer::UNSENT_LIMIT;
use crate::waiting::waiting;

/// A timeout that does not pass in a test that succeeds.
const TIMEOUT: Duration = Duration::from_secs(60);

fn pair() -> (Channel, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(TIMEOUT)).unwrap();
    (
        Channel::new(Transport::Unix(ours.into()), "test".into(), 1 << 30, DEFAULT_MAX_READ_DELAY)
            .unwrap(),
        theirs,
    )
}

#[expect(clippy::unnecessary_wraps, reason = "the type that the channel's methods take")]
fn soon() -> Option<Instant> {
    Some(Instant::now() + TIMEOUT)
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
    let filling = thread::spawn(move || {
        let woken = channel.fill(None).unwrap();
        (channel, woken)
    });
    waker.wake();
    let (mut channel, woken) = waiting("the wait that a wake-up ends", || filling.join()).unwrap();
    assert_eq!(woken, Fill::Woken);
    // Several wake-ups are one, and the next wait is for the server again.
    (0..100).for_each(|_| waker.wake());
    assert_eq!(channel.fill(soon()).unwrap(), Fill::Woken);
    server.write_all(b"x").unwrap();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
}

#[test]
fn more_wake_ups_than_the_pipe_holds_do_not_block() {
    let (mut channel, _server) = pair();
    let waker = channel.waker();
    (0..1_000_000).for_each(|_| waker.wake());
    assert_eq!(channel.fill(soon()).unwrap(), Fill::Woken);
    assert_eq!(channel.fill(Some(Instant::now())).unwrap(), Fill::TimedOut);
}

#[test]
fn bytes_before_the_end_are_read_first() {
    let (mut channel, mut server) = pair();
    server.write_all(b"last words").unwrap();
    drop(server);
    // The connection is closed, so this cannot be sent. The reason may still be readable.
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
    let (server, received) = waiting("the scripted server", || server.join()).unwrap();
    assert!(received == ours);
    drop(server);
    while channel.fill(soon()).unwrap() == Fill::More {}
    assert_eq!(channel.inbox.unread().len(), 900_000);
}

#[test]
fn a_server_that_does_not_read_is_noticed() {
    let (mut channel, mut server) = pair();
    // Unsent bytes wait. Too many of them are an error, so memory stays bounded.
    let refused = loop {
        channel.outbox().extend_from_slice(&[0; 1000]);
        if let Err(error) = channel.try_flush() {
            break error;
        }
    };
    assert!(matches!(
        refused.kind(),
        ErrorKind::Limit(LimitError::Unsent { pending }) if *pending < UNSENT_LIMIT + 1001
    ));
    let error = channel.flush(Some(Instant::now()), "testing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    // Unsent bytes are sent during the next wait for the server.
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
    drop(waiting("the peer", || reader.join()).unwrap());
}

#[test]
fn a_peer_that_sends_endlessly_without_reading_fills_no_memory() {
    let (mut channel, mut server) = pair();
    let peer = thread::spawn(move || while server.write_all(&[b't'; 10_000]).is_ok() {});
    channel.outbox().extend_from_slice(&vec![0; 8 << 20]);
    let deadline = Instant::now() + Duration::from_millis(200);
    let error = channel.flush(Some(deadline), "testing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout { .. }));
    assert!(channel.inbox.unread().len() < BACKLOG_LIMIT * 3);
    drop(channel);
    waiting("the peer", || peer.join()).unwrap();
}

#[test]
fn a_continuous_stream_does_not_delay_unsent_bytes() {
    let (mut channel, mut server) = pair();
    server.write_all(b"x").unwrap();
    channel.drained = false;
    channel.outbox().extend_from_slice(b"status");
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    let mut status = [0; 6];
    server.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"status");
}

/// A TCP connection with a delay longer than any test waits.
fn busy() -> (Channel, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut channel =
        Channel::new(Transport::Tcp(ours.into()), "test".into(), 1 << 30, TIMEOUT).unwrap();
    channel.read_delay = ReadDelay::busy(TIMEOUT);
    (channel, theirs)
}

#[test]
fn a_wake_up_ends_a_delay() {
    let (mut channel, mut server) = busy();
    server.write_all(b"x").unwrap();
    channel.waker().wake();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::Woken);
}

#[test]
fn a_deadline_ends_a_delay_and_the_available_bytes_are_read() {
    let (mut channel, mut server) = busy();
    let start = Instant::now();
    assert_eq!(channel.fill(Some(start)).unwrap(), Fill::TimedOut);
    assert_eq!(channel.fill(Some(start + Duration::from_millis(1))).unwrap(), Fill::TimedOut);
    server.write_all(b"x").unwrap();
    wait_until_readable(&channel);
    assert_eq!(channel.fill(Some(start)).unwrap(), Fill::More);
    server.write_all(b"x").unwrap();
    wait_until_readable(&channel);
    let soon = Instant::now() + Duration::from_millis(1);
    assert_eq!(channel.fill(Some(soon)).unwrap(), Fill::More);
    assert!(start.elapsed() < TIMEOUT);
    // A delay that was cut short does not show how much a whole one brings.
    assert!(channel.read_delay.remaining(Instant::now()).is_some());
}

/// If a caller polls at longer intervals than the delay, the time in between counts as the delay.
#[test]
fn a_poll_after_a_delay_that_gains_little_ends_the_delays() {
    let (mut channel, mut server) = busy();
    channel.read_delay = ReadDelay::busy(Duration::from_millis(1));
    server.write_all(b"x").unwrap();
    wait_until_readable(&channel);
    thread::sleep(Duration::from_millis(2));
    assert_eq!(channel.fill(Some(Instant::now())).unwrap(), Fill::More);
    assert_eq!(channel.read_delay.remaining(Instant::now()), None);
}

fn is_readable(channel: &Channel) -> bool {
    let mut fds = [PollFd::new(&channel.transport, PollFlags::IN)];
    poll(&mut fds, Some(&timespec(Duration::ZERO))).unwrap() > 0
}

fn wait_until_readable(channel: &Channel) {
    let end = Instant::now() + TIMEOUT;
    while !is_readable(channel) {
        assert!(Instant::now() < end, "what was written did not arrive");
        thread::yield_now();
    }
}

/// An event while a caller polls.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The peer writes this many bytes, and they have arrived.
    Write(usize),
    /// The stream is busy, with a delay longer than any wait.
    Busy,
    /// The stream is not busy.
    Quiet,
    /// A call that waits for at most this long.
    Fill(Duration),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop_oneof![Just(1_usize), 2..2000_usize, Just(30_000)].prop_map(Event::Write),
        1 => Just(Event::Busy),
        1 => Just(Event::Quiet),
        4 => Just(Event::Fill(Duration::ZERO)),
        2 => Just(Event::Fill(Duration::from_micros(300))),
        1 => Just(Event::Fill(Duration::from_millis(3))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The property of polling: if there is something to read, every call reads it.
    #[test]
    fn every_call_with_data_available_makes_progress(
        events in prop::collection::vec(event(), 1..40),
        tcp: bool,
    ) {
        let (mut channel, mut server): (_, Box<dyn Write>) = if tcp {
            let (channel, server) = busy();
            (channel, Box::new(server))
        } else {
            let (channel, server) = pair();
            (channel, Box::new(server))
        };
        for event in events {
            match event {
                Event::Write(len) => {
                    server.write_all(&vec![b'x'; len]).unwrap();
                    wait_until_readable(&channel);
                }
                Event::Busy => channel.read_delay = ReadDelay::busy(TIMEOUT),
                Event::Quiet => channel.read_delay = ReadDelay::new(TIMEOUT),
                Event::Fill(timeout) => {
                    let available = is_readable(&channel);
                    let start = Instant::now();
                    let before = channel.inbox.unread().len();
                    let filled = channel.fill(Some(start + timeout)).unwrap();
                    prop_assert!(start.elapsed() < TIMEOUT);
                    prop_assert_eq!(filled, if available { Fill::More } else { Fill::TimedOut });
                    prop_assert_eq!(available, channel.inbox.unread().len() > before);
                }
            }
        }
    }
}

#[test]
fn reads_of_a_busy_stream_are_delayed() {
    const DELAY: Duration = Duration::from_millis(50);
    let (mut channel, mut server) = busy();
    channel.read_delay = ReadDelay::busy(DELAY);
    server.write_all(b"x").unwrap();
    let start = Instant::now();
    assert_eq!(channel.fill(soon()).unwrap(), Fill::More);
    assert!(start.elapsed() >= DELAY);
    // One byte is too little for a whole delay.
    assert_eq!(channel.read_delay.remaining(Instant::now()), None);
}

#[test]
fn delays_on_a_unix_socket_are_short() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let channel =
        Channel::new(Transport::Unix(ours.into()), "test".into(), 1 << 30, TIMEOUT).unwrap();
    assert_eq!(channel.read_delay.length(), UNIX_DELAY);
}
