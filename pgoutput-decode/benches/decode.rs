//! Measures decoding against the minimum cost of reading the same bytes.
//!
//! Run `cargo bench -p pgoutput-decode`, or `cargo bench -p pgoutput-decode -- bulk` for the inputs
//! whose name starts with `bulk`. For each input it prints nanoseconds per message and two ratios
//! to the first line, all measured in one interleaved run, and the number of allocations of
//! decoding.

use std::hint::black_box;

use pgoutput_bench::{
    Candidate, Counting, Input, Report, allocations, buffered_columns, captured, columns, compare,
    decoded_columns, decoded_utf8_columns, generated, large_values, selected, utf8_columns, walk,
};
use pgoutput_decode::Message;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), String> {
    // `cargo test --benches` only checks that this program starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut inputs = generated();
    inputs.push(captured(15).expect("the committed captures").repeated_to(256 * 1024));
    inputs.extend([1_000, 10_000, 100_000].map(large_values));
    let inputs = selected(inputs)?;
    println!("decoding compared with the bare walk: {}", Report::legend("a message"));
    for input in &inputs {
        println!("{}", measure(input));
        let (_, allocated) = allocations(|| decode(input, columns));
        println!("  {allocated} allocations\n");
    }
    Ok(())
}

fn measure(input: &Input) -> Report {
    let frames: Vec<_> = input.frames().collect();
    let mut copied = Vec::with_capacity(input.stream().len());
    let bare = || {
        for frame in &frames {
            // SAFETY: all inputs are whole messages; a test of the package that creates them
            // decodes each.
            black_box(unsafe { walk::unchecked(black_box(frame.bytes), frame.in_stream) });
        }
    };
    let candidates = vec![
        Candidate::new("bare walk, unchecked", bare),
        Candidate::new("memcpy", || {
            walk::copy(input.stream(), &mut copied);
        }),
        Candidate::new("decode, columns on the way", || {
            for frame in &frames {
                black_box(decoded_columns(black_box(frame.bytes), frame.in_stream));
            }
        }),
        Candidate::new("decode, columns as bytes", || {
            for frame in &frames {
                black_box(one(black_box(frame.bytes), frame.in_stream, columns));
            }
        }),
        Candidate::new("decode, text as UTF-8 on the way", || {
            for frame in &frames {
                black_box(decoded_utf8_columns(black_box(frame.bytes), frame.in_stream));
            }
        }),
        Candidate::new("decode, text as UTF-8", || {
            for frame in &frames {
                black_box(one(black_box(frame.bytes), frame.in_stream, utf8_columns));
            }
        }),
        Candidate::new("buffer to columns as bytes", || {
            black_box(buffered_columns(black_box(input.stream())));
        }),
    ];
    compare(input.name.clone(), input.len(), candidates)
}

fn decode(input: &Input, visit: impl Fn(&Message<'_>) -> usize + Copy) -> usize {
    input
        .frames()
        .map(|frame| one(frame.bytes, frame.in_stream, visit))
        .fold(0, usize::wrapping_add)
}

#[inline]
fn one(frame: &[u8], in_stream: bool, visit: impl Fn(&Message<'_>) -> usize) -> usize {
    visit(&Message::decode(frame, in_stream).expect("a valid message"))
}
