//! Damage to the streams of real servers, after the copy has begun.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use pgoutput_decode::XLogData;
use pgoutput_reader::{Connection, Error, ErrorKind, StartReplication, StreamEventBuf};
use pgoutput_tests::capture::{file_names, load};
use pgoutput_tests::{InTime as _, Random, waiting};

use crate::memory::peak;
use crate::server::{Rogue, TIMEOUT, message};

/// The number of damaged streams.
const STREAMS: u64 = 1000;

/// The variable with the seed of a single stream, as a failure prints it.
const SEED_VARIABLE: &str = "PGOUTPUT_ROGUE_SEED";

/// The most memory of a stream. No message in the captures has more than a few kilobytes.
const MEMORY: usize = 4 * 1024 * 1024;

/// The limit of the server's silence in the streams that end with one.
const SILENCE_LIMIT: Duration = Duration::from_millis(200);

/// A message of the server, and the frame in it, if any.
type Sent = (Vec<u8>, Option<Vec<u8>>);

/// Returns all captures as the server sent them.
fn streams() -> Vec<Vec<Sent>> {
    let names = file_names().unwrap();
    names
        .iter()
        .map(|name| {
            let (capture, _) = load(name).unwrap();
            let frames = capture.frames().map(|frame| {
                let head = [frame.lsn.as_u64(), frame.lsn.as_u64(), 0].map(u64::to_be_bytes);
                let payload = [&b"w"[..], head.as_flattened(), &frame.bytes].concat();
                (message(b'd', payload), Some(frame.bytes.clone()))
            });
            frames.collect()
        })
        .collect()
}

/// Other messages of a server during the copy.
fn other_message(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
        1 => message(b'S', b"TimeZone\0UTC\0"),
        _ => message(b'd', [&b"k"[..], &[0; 17]].concat()),
    }
}

/// A part of a stream from its beginning, mixed with other messages.
fn part(random: &mut Random, streams: &[Vec<Sent>]) -> Vec<Sent> {
    let stream = random.one_of(streams);
    let length = random.below(stream.len().min(120)) + 1;
    let mut sent = Vec::new();
    for frame in &stream[..length] {
        if random.one_in(10) {
            sent.push((other_message(random), None));
        }
        sent.push(frame.clone());
    }
    sent
}

/// Applies one kind of damage. Returns the index of the first byte that may differ.
fn damage(random: &mut Random, sent: &mut [Sent], bytes: &mut Vec<u8>) -> usize {
    let at = random.below(bytes.len());
    let starts = |sent: &[Sent], message: usize| -> usize {
        sent[..message].iter().map(|(bytes, _)| bytes.len()).sum()
    };
    match random.below(8) {
        0 | 1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes.truncate(at),
        3 => {
            let more = (0..=random.below(8)).map(|_| random.any().to_le_bytes()[0]);
            bytes.splice(at..at, more.collect::<Vec<_>>()).for_each(drop);
        }
        4 => {
            let end = (at + 1 + random.below(8)).min(bytes.len());
            bytes.drain(at..end);
        }
        // The length of a message.
        5 => {
            let start = starts(sent, random.below(sent.len()));
            let lengths = [
                0,
                3,
                4,
                5,
                1 << 16,
                1 << 30,
                u32::MAX,
                1 << 31,
                u32::try_from(random.below(0x1000)).unwrap(),
            ];
            bytes[start + 1..start + 5].copy_from_slice(&random.one_of(&lengths).to_be_bytes());
            return start;
        }
        // The order.
        6 => {
            let (one, other) = (random.below(sent.len()), random.below(sent.len()));
            sent.swap(one, other);
            *bytes = sent.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
            return starts(sent, one.min(other));
        }
        // A tag.
        _ => {
            let start = starts(sent, random.below(sent.len()));
            bytes[start] = *random.one_of(b"dNSEZCcWRTDKvAIGH\0?");
            return start;
        }
    }
    at
}

/// The server's behaviour after the last byte.
#[derive(Debug, Clone, Copy)]
enum Then {
    Closes,
    EndsTheCopy,
    SaysNothing,
}

/// Reads the stream. Returns its messages, its final error, and the peak memory.
fn read(bytes: Vec<u8>, chunk: usize, then: Then) -> (Vec<StreamEventBuf>, Error, usize) {
    let rogue = Rogue::new(move |client| {
        client.start_copy();
        // The client may close first.
        let is_open = bytes.chunks(chunk).all(|chunk| client.send(chunk));
        match then {
            Then::Closes => {}
            Then::EndsTheCopy if is_open => {
                client.send([message(b'c', b""), message(b'C', b"COPY 0\0")].concat());
            }
            _ => client.wait_for_close(),
        }
    });
    let config = rogue.config().wal_receiver_timeout(match then {
        Then::SaysNothing => SILENCE_LIMIT,
        _ => TIMEOUT,
    });
    let ((events, error), held) = peak(|| {
        let start = StartReplication::new("s", ["p"]);
        let mut stream = Connection::connect(&config).unwrap().stream(&start).unwrap();
        let mut events = Vec::new();
        let error = loop {
            match stream.next_in_time().expect("the stream ended without an error") {
                Ok(event) => events.push(event),
                Err(error) => break error,
            }
        };
        assert!(stream.next_in_time().is_none());
        (events, error)
    });
    rogue.end();
    (events, error, held)
}

/// Damages and reads the stream of this seed.
fn one(seed: u64, streams: &[Vec<Sent>]) {
    let mut random = Random::new(seed);
    let mut sent = part(&mut random, streams);
    // The whole messages before the damage must be delivered.
    let intact = sent.clone();
    let mut bytes: Vec<u8> = sent.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    let first = damage(&mut random, &mut sent, &mut bytes);
    let then = match random.below(50) {
        0 => Then::SaysNothing,
        1..20 => Then::EndsTheCopy,
        _ => Then::Closes,
    };
    let chunk = *random.one_of(&[1_000_000, 1_000_000, 4096, 100, 7]);
    let (events, error, held) = read(bytes, chunk, then);
    assert!(held < MEMORY, "{held} bytes");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Decode(_)
                | ErrorKind::Stream(pgoutput_reader::StreamError::NameNotUtf8 { .. })
                | ErrorKind::Protocol(_)
                | ErrorKind::Limit(_)
                | ErrorKind::Server(_)
                | ErrorKind::CopyEnded { .. }
                | ErrorKind::ServerSilent { .. }
                | ErrorKind::Io { .. }
        ),
        "{error:?}"
    );
    let mut end = 0;
    let whole = intact.iter().take_while(|(bytes, _)| {
        end += bytes.len();
        end <= first
    });
    let whole: Vec<_> = whole.filter_map(|(_, frame)| frame.as_deref()).collect();
    let read: Vec<_> = events.iter().map(StreamEventBuf::frame).collect();
    assert!(
        read.starts_with(&whole),
        "{} messages were intact, {} were read before {error}",
        whole.len(),
        read.len()
    );
}

#[test]
fn a_damaged_stream_is_an_error_in_time_after_all_intact_messages() {
    let only = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().unwrap());
    let seeds = only.map_or(0..STREAMS, |seed: u64| seed..seed + 1);
    // A thread of its own, so that a stream that never ends is a failure with a seed.
    let (started, starting) = sync_channel(0);
    let reader = thread::spawn(move || {
        let streams = streams();
        for seed in seeds {
            started.send(seed).unwrap();
            one(seed, &streams);
        }
    });
    let mut last = None;
    loop {
        match starting.recv_timeout(TIMEOUT) {
            Ok(seed) => last = Some(seed),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("{SEED_VARIABLE}={last:?} never ends"),
        }
    }
    assert!(waiting("the last stream", || reader.join()).is_ok(), "{SEED_VARIABLE}={last:?}");
}

#[test]
fn a_stream_byte_by_byte_equals_the_whole() {
    for stream in streams().into_iter().step_by(7) {
        let bytes: Vec<u8> = stream.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
        let frames: Vec<_> = stream.iter().filter_map(|(_, frame)| frame.as_deref()).collect();
        for chunk in [bytes.len(), 1, XLogData::HEADER_LEN] {
            let (events, error, _) = read(bytes.clone(), chunk, Then::EndsTheCopy);
            assert!(matches!(error.kind(), ErrorKind::CopyEnded { .. }), "{error:?}");
            let read: Vec<_> = events.iter().map(StreamEventBuf::frame).collect();
            assert!(read == frames, "{} of {} in chunks of {chunk}", read.len(), frames.len());
        }
    }
}
