//! What decoding costs beside the least that reading the same bytes can cost.
//!
//! `cargo bench -p pgoutput-decode`, or `cargo bench -p pgoutput-decode -- bulk` for the inputs whose name starts so. For each input, nanoseconds a message and the ratio to the first line, all from one
//! interleaved run; and how many allocations decoding made.

use std::hint::black_box;

use pgoutput_bench::{
    Counting, Input, Lane, allocations, captured, columns, compare, decoded_columns,
    decoded_utf8_columns, generated, large_values, utf8_columns, walk,
};
use pgoutput_decode::{CopyData, Message};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    // `cargo test --benches` starts this too, and only wants to know that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let captures = captured(15).expect("the committed captures").repeated_to(256 * 1024);
    let large = [1_000, 10_000, 100_000].map(large_values);
    println!("decode: nanoseconds a message, ratio to the bare walk");
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |input: &&Input| only.as_ref().is_none_or(|only| input.name.starts_with(only));
    for input in generated().iter().chain([&captures]).chain(&large).filter(wanted) {
        println!("{}", measure(input));
        let (_, allocated) = allocations(|| decode(input, columns));
        println!("  {allocated} allocations\n");
    }
}

fn measure(input: &Input) -> pgoutput_bench::Report {
    let frames: Vec<_> = input.frames().collect();
    let mut copied = Vec::with_capacity(input.stream().len());
    let bare = || {
        for frame in &frames {
            // SAFETY: all inputs are whole messages; a test of the package that makes them decodes each.
            black_box(unsafe { walk::unchecked(black_box(frame.bytes), frame.in_stream) });
        }
    };
    let lanes = vec![
        Lane::new("bare walk, unchecked", bare),
        Lane::new("memcpy", || {
            walk::copy(input.stream(), &mut copied);
        }),
        Lane::new("decode, columns on the way", || {
            for frame in &frames {
                black_box(decoded_columns(black_box(frame.bytes), frame.in_stream));
            }
        }),
        Lane::new("decode, columns as bytes", || {
            for frame in &frames {
                black_box(one(black_box(frame.bytes), frame.in_stream, columns));
            }
        }),
        Lane::new("decode, text as UTF-8 on the way", || {
            for frame in &frames {
                black_box(decoded_utf8_columns(black_box(frame.bytes), frame.in_stream));
            }
        }),
        Lane::new("decode, text as UTF-8", || {
            for frame in &frames {
                black_box(one(black_box(frame.bytes), frame.in_stream, utf8_columns));
            }
        }),
        Lane::new("buffer to columns as bytes", || {
            black_box(framed(black_box(input.stream()), &frames));
        }),
    ];
    compare(input.name.clone(), input.len(), lanes)
}

fn decode(input: &Input, visit: impl Fn(&Message<'_>) -> usize + Copy) -> usize {
    input
        .frames()
        .map(|frame| one(frame.bytes, frame.in_stream, visit))
        .fold(0, usize::wrapping_add)
}

#[inline]
fn one(frame: &[u8], in_stream: bool, visit: impl Fn(&Message<'_>) -> usize) -> usize {
    visit(&Message::decode(frame, in_stream).expect("a good message"))
}

/// From a receive buffer: CopyData's tag and length, the envelope, the message.
fn framed(mut stream: &[u8], frames: &[pgoutput_bench::Frame<'_>]) -> usize {
    let mut sum = 0_usize;
    for frame in frames {
        let Some((&[_, a, b, c, d], rest)) = stream.split_first_chunk() else { return sum };
        let length = u32::from_be_bytes([a, b, c, d]) as usize - 4;
        let Some((payload, rest)) = rest.split_at_checked(length) else { return sum };
        stream = rest;
        let CopyData::XLogData(envelope) = CopyData::decode(payload).expect("a good envelope")
        else {
            continue;
        };
        let lsn = usize::from(envelope.wal_start < envelope.wal_end);
        let columns = decoded_columns(envelope.data, frame.in_stream).expect("a good message");
        sum = sum.wrapping_add(lsn).wrapping_add(columns);
    }
    sum
}
