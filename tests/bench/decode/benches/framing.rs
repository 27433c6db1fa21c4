//! The cost of separating the messages in a receive buffer, in place and with the crate `bytes`.
//!
//! `cargo bench -p pgoutput-bench --bench framing`, with `-- bulk` for the inputs whose name starts
//! with `bulk`. For each input it prints nanoseconds per message, two ratios to the first line, all
//! from one interleaved run, and allocations per message.
//!
//! Working in place leaves the buffer unchanged, while splitting empties a `BytesMut`. So the
//! candidates of `bytes` first copy the input, at the cost of the line `memcpy`.

use std::hint::black_box;

use bytes::{Buf, Bytes, BytesMut};
use pgoutput_bench::{
    Counting, Input, Report, Work, compare_counted, generated, large_values, selected, walk,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The length of a tag and a length field.
const HEADER_LEN: usize = 5;

fn main() -> Result<(), String> {
    // `cargo test --benches` starts this too, and only checks that it starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut inputs = generated();
    inputs.push(large_values(10_000));
    let inputs = selected(inputs)?;
    println!("framing, compared with the bare walk over columns: {}", Report::legend("a message"));
    for input in &inputs {
        println!("{}", measure(input));
    }
    Ok(())
}

fn measure(input: &Input) -> Report {
    let frames: Vec<_> = input.frames().collect();
    let mut copied = Vec::with_capacity(input.stream().len());
    let (mut split, mut frozen) = (BytesMut::new(), BytesMut::new());
    let work: Vec<Work<'_>> = vec![
        (
            "bare walk, unchecked",
            Box::new(|| {
                for frame in &frames {
                    // SAFETY: all inputs are whole messages, each decoded by a test of this
                    // package.
                    black_box(unsafe { walk::unchecked(black_box(frame.bytes), frame.in_stream) });
                }
            }),
        ),
        (
            "memcpy",
            Box::new(|| {
                walk::copy(input.stream(), &mut copied);
            }),
        ),
        (
            "in place",
            Box::new(|| {
                let mut rest = black_box(input.stream());
                while let Some(payload) = in_place(&mut rest) {
                    black_box(payload);
                }
                assert!(rest.is_empty());
            }),
        ),
        (
            "BytesMut split",
            Box::new(|| {
                split.extend_from_slice(black_box(input.stream()));
                while let Some(message) = split_off(&mut split) {
                    black_box(&message[HEADER_LEN..]);
                }
                assert!(split.is_empty());
            }),
        ),
        (
            "BytesMut split, frozen",
            Box::new(|| {
                frozen.extend_from_slice(black_box(input.stream()));
                while let Some(message) = split_off(&mut frozen) {
                    let mut message: Bytes = message.freeze();
                    message.advance(HEADER_LEN);
                    black_box(message);
                }
                assert!(frozen.is_empty());
            }),
        ),
    ];
    compare_counted(input, work)
}

/// Returns the length that the header gives, including itself, or `None` if the header is
/// incomplete or invalid.
fn length(buffer: &[u8]) -> Option<usize> {
    let [_, a, b, c, d] = *buffer.first_chunk()?;
    usize::try_from(i32::from_be_bytes([a, b, c, d])).ok().filter(|length| *length >= 4)
}

/// Returns the next payload in place, like the reader's receive buffer.
fn in_place<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (message, next) = rest.split_at_checked(1 + length(rest)?)?;
    *rest = next;
    message.get(HEADER_LEN..)
}

/// Returns the next message in a handle of its own, like clients built on `bytes`.
fn split_off(buffer: &mut BytesMut) -> Option<BytesMut> {
    let total = 1 + length(buffer)?;
    (total <= buffer.len()).then(|| buffer.split_to(total))
}
