//! Inside the copy: what real servers sent, spoilt.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use pgoutput_decode::XLogData;
use pgoutput_reader::{Connection, Error, ErrorKind, StartReplication, StreamEventBuf};
use pgoutput_tests::capture::{file_names, load};
use pgoutput_tests::{InTime as _, Random, waiting};

use crate::memory::peak;
use crate::server::{PATIENCE, Rogue, message};

/// How many streams are spoilt.
const STREAMS: u64 = 1000;

/// Names one stream to be spoilt alone, as a failure says.
const SEED_VARIABLE: &str = "PGOUTPUT_ROGUE_SEED";

/// What a stream may hold at its worst: none of the captures has a message of more than some kilobytes.
const MEMORY: usize = 4 * 1024 * 1024;

/// How long the server may say nothing in the streams that end so.
const SILENCE: Duration = Duration::from_millis(200);

/// A message of the server, and the frame in it if there is one.
type Said = (Vec<u8>, Option<Vec<u8>>);

/// All captures, as the server sent them.
fn streams() -> Vec<Vec<Said>> {
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

/// What else a server says during the copy.
fn aside(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => message(b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
        1 => message(b'S', b"TimeZone\0UTC\0"),
        _ => message(b'd', [&b"k"[..], &[0; 17]].concat()),
    }
}

/// A part of a stream from its begin, other messages between.
fn part(random: &mut Random, streams: &[Vec<Said>]) -> Vec<Said> {
    let stream = random.one_of(streams);
    let length = random.below(stream.len().min(120)) + 1;
    let mut said = Vec::new();
    for frame in &stream[..length] {
        if random.once_in(10) {
            said.push((aside(random), None));
        }
        said.push(frame.clone());
    }
    said
}

/// Does one kind of damage; gives the first byte that may be another one now.
fn spoil(random: &mut Random, said: &mut [Said], bytes: &mut Vec<u8>) -> usize {
    let at = random.below(bytes.len());
    let starts = |said: &[Said], message: usize| -> usize {
        said[..message].iter().map(|(bytes, _)| bytes.len()).sum()
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
            let start = starts(said, random.below(said.len()));
            let lies = [
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
            bytes[start + 1..start + 5].copy_from_slice(&random.one_of(&lies).to_be_bytes());
            return start;
        }
        // The order.
        6 => {
            let (one, other) = (random.below(said.len()), random.below(said.len()));
            said.swap(one, other);
            *bytes = said.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
            return starts(said, one.min(other));
        }
        // A tag.
        _ => {
            let start = starts(said, random.below(said.len()));
            bytes[start] = *random.one_of(b"dNSEZCcWRTDKvAIGH\0?");
            return start;
        }
    }
    at
}

/// How the server goes on after the last byte.
#[derive(Debug, Clone, Copy)]
enum Then {
    Closes,
    EndsTheCopy,
    SaysNothing,
}

/// What the stream gives: its messages, and what it ends with.
fn read(bytes: Vec<u8>, chunk: usize, then: Then) -> (Vec<StreamEventBuf>, Error, usize) {
    let rogue = Rogue::new(move |client| {
        client.start_copy();
        // The client leaves when it has heard enough.
        let heard = bytes.chunks(chunk).all(|chunk| client.say(chunk));
        match then {
            Then::Closes => {}
            Then::EndsTheCopy if heard => {
                client.say([message(b'c', b""), message(b'C', b"COPY 0\0")].concat());
            }
            _ => client.left(),
        }
    });
    let mut config = rogue.config();
    config.wal_receiver_timeout(match then {
        Then::SaysNothing => SILENCE,
        _ => PATIENCE,
    });
    let ((events, error), held) = peak(|| {
        let start = StartReplication::new("s", ["p"]);
        let mut stream = Connection::connect(&config).unwrap().stream(&start).unwrap();
        let mut events = Vec::new();
        let error = loop {
            match stream.next_in_time().expect("the end came without a word") {
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

/// Spoils and reads the stream of this seed.
fn one(seed: u64, streams: &[Vec<Said>]) {
    let mut random = Random::new(seed);
    let mut said = part(&mut random, streams);
    // What is whole before the damage, and with it had to come.
    let sound = said.clone();
    let mut bytes: Vec<u8> = said.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
    let first = spoil(&mut random, &mut said, &mut bytes);
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
    let whole = sound.iter().take_while(|(bytes, _)| {
        end += bytes.len();
        end <= first
    });
    let whole: Vec<_> = whole.filter_map(|(_, frame)| frame.as_deref()).collect();
    let read: Vec<_> = events.iter().map(StreamEventBuf::frame).collect();
    assert!(
        read.starts_with(&whole),
        "{} messages were sound, {} were read before {error}",
        whole.len(),
        read.len()
    );
}

#[test]
fn a_spoilt_stream_is_an_error_in_time_behind_all_that_was_sound() {
    let only = std::env::var(SEED_VARIABLE).ok().map(|seed| seed.parse().unwrap());
    let seeds = only.map_or(0..STREAMS, |seed: u64| seed..seed + 1);
    // On a thread of its own, so that a stream that never ends is a failure with a seed.
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
        match starting.recv_timeout(PATIENCE) {
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
