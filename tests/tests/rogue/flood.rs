//! A server that never stops sending messages without an event. Waits and the reader still end in
//! time.

use pgoutput_tests::InTime as _;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pgoutput_reader::{Error, Next, Reader, ReaderBuilder};

use crate::server::{Rogue, TIMEOUT, message};

/// The time limit of a wait for an event.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// The number of messages of a flood that are sent at once.
const MESSAGES_PER_SEND: usize = 1000;

fn keepalive() -> Vec<u8> {
    message(b'd', [&b"k"[..], &[0; 17]].concat())
}

/// Returns a message of the stream.
fn frame(payload: &[u8]) -> Vec<u8> {
    message(b'd', [&b"w"[..], &[0; 24], payload].concat())
}

/// Returns the beginning of a transaction with one event, a logical message.
fn open_transaction() -> Vec<u8> {
    let begin = [&b"B"[..], &9u64.to_be_bytes(), &[0; 8], &[0, 0, 0, 5]].concat();
    let event = [&b"M\x01"[..], &8u64.to_be_bytes(), b"p\0\0\0\0\x01x"].concat();
    [frame(&begin), frame(&event)].concat()
}

/// Runs `work` with a reader of a server that sends `first` and then repeats `then` indefinitely.
/// Everything must end in time.
fn with_flood<T: Send + 'static>(
    first: Vec<u8>,
    flood: &[u8],
    act: impl FnOnce(Reader) -> Result<T, Error> + Send + 'static,
) -> T {
    let flood = flood.repeat(MESSAGES_PER_SEND);
    let rogue = Rogue::new(move |client| {
        client.start_reader();
        client.send(first);
        client.send_endlessly(flood);
    });
    let builder = ReaderBuilder::from(rogue.config()).slot("s").publication("p");
    let (sender, done) = channel();
    thread::spawn(move || sender.send(act(builder.connect().unwrap())).unwrap());
    let done = done.recv_timeout(TIMEOUT).expect("it must end in time").unwrap();
    rogue.end();
    done
}

#[test]
fn a_wait_ends_within_a_flood_without_events() {
    let notice = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0");
    let parameter = message(b'S', b"TimeZone\0UTC\0");
    // Part of a transaction that was already acknowledged, as after a reconnection.
    let empty = frame(&[&b"B"[..], &[0; 16], &[0, 0, 0, 5]].concat());
    let end = frame(&[&b"C"[..], &[0; 25]].concat());
    for flood in [keepalive(), notice, parameter, [empty, end].concat()] {
        for timeout in [POLL_TIMEOUT, Duration::ZERO] {
            let next =
                with_flood(Vec::new(), &flood, move |mut reader| reader.next_timeout(timeout));
            assert!(matches!(next, Next::TimedOut), "{next:?}");
        }
    }
}

#[test]
fn a_wait_ends_within_an_endless_message() {
    let mut endless = keepalive();
    endless[1..5].copy_from_slice(&0x3000_0000u32.to_be_bytes());
    let next = with_flood(endless, &[b'x'; 4], |mut reader| reader.next_timeout(POLL_TIMEOUT));
    assert!(matches!(next, Next::TimedOut), "{next:?}");
}

#[test]
fn a_reader_stops_within_a_transaction_and_a_flood() {
    with_flood(open_transaction(), &keepalive(), |mut reader| {
        // It is unknown whether the event that has arrived is the last of its transaction.
        assert!(matches!(reader.next_timeout(POLL_TIMEOUT)?, Next::TimedOut));
        reader.stop_handle().stop();
        let event = reader.next_in_time().unwrap()?;
        assert_eq!(event.logical_message().unwrap().prefix, "p");
        assert!(!event.is_last());
        assert!(reader.next_in_time().is_none());
        assert!(reader.health().acknowledged.is_zero());
        reader.stop()
    });
}
