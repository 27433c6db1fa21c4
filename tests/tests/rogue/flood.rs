//! A server that never stops sending what is no event: waits end when they should, and so does the reader.

use pgoutput_tests::InTime as _;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use pgoutput_reader::{Error, Next, Reader, ReaderBuilder};

use crate::server::{PATIENCE, Rogue, message};

/// How long an event is waited for.
const TIMEOUT: Duration = Duration::from_millis(100);

/// What comes at once of a flood.
const AT_ONCE: usize = 1000;

fn keepalive() -> Vec<u8> {
    message(b'd', [&b"k"[..], &[0; 17]].concat())
}

/// A message of the stream.
fn frame(payload: &[u8]) -> Vec<u8> {
    message(b'd', [&b"w"[..], &[0; 24], payload].concat())
}

/// The beginning of a transaction with one event, a logical message.
fn open_transaction() -> Vec<u8> {
    let begin = [&b"B"[..], &9u64.to_be_bytes(), &[0; 8], &[0, 0, 0, 5]].concat();
    let event = [&b"M\x01"[..], &8u64.to_be_bytes(), b"p\0\0\0\0\x01x"].concat();
    [frame(&begin), frame(&event)].concat()
}

/// Does this with a reader of a server that says `first`, and then the same for ever. All has to end in time.
fn amid<T: Send + 'static>(
    first: Vec<u8>,
    flood: &[u8],
    act: impl FnOnce(Reader) -> Result<T, Error> + Send + 'static,
) -> T {
    let flood = flood.repeat(AT_ONCE);
    let rogue = Rogue::new(move |client| {
        client.start_reader();
        client.say(first);
        client.say_for_ever(flood);
    });
    let builder = ReaderBuilder::from(rogue.config()).slot("s").publication("p");
    let (sender, done) = channel();
    thread::spawn(move || sender.send(act(builder.connect().unwrap())).unwrap());
    let done = done.recv_timeout(PATIENCE).expect("it never ends").unwrap();
    rogue.end();
    done
}

#[test]
fn a_wait_ends_amid_a_flood_of_what_is_no_event() {
    let notice = message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0");
    let parameter = message(b'S', b"TimeZone\0UTC\0");
    // Of a transaction that was taken already, as after a reconnect.
    let empty = frame(&[&b"B"[..], &[0; 16], &[0, 0, 0, 5]].concat());
    let end = frame(&[&b"C"[..], &[0; 25]].concat());
    for flood in [keepalive(), notice, parameter, [empty, end].concat()] {
        for timeout in [TIMEOUT, Duration::ZERO] {
            let next = amid(Vec::new(), &flood, move |mut reader| reader.next_timeout(timeout));
            assert!(matches!(next, Next::TimedOut), "{next:?}");
        }
    }
}

#[test]
fn a_wait_ends_amid_a_message_that_never_does() {
    let mut endless = keepalive();
    endless[1..5].copy_from_slice(&0x3000_0000u32.to_be_bytes());
    let next = amid(endless, &[b'x'; 4], |mut reader| reader.next_timeout(TIMEOUT));
    assert!(matches!(next, Next::TimedOut), "{next:?}");
}

#[test]
fn a_reader_stops_amid_an_acknowledged_transaction_and_a_flood() {
    amid(open_transaction(), &keepalive(), |mut reader| {
        let event = reader.next_in_time().unwrap()?;
        assert_eq!(event.logical_message().unwrap().prefix, "p");
        // Asking for the next one takes it.
        assert!(matches!(reader.next_timeout(TIMEOUT)?, Next::TimedOut));
        reader.stop()
    });
}
