//! The bodies on generated input, which exercises them without a fuzzer.

use std::fmt::Write as _;

use pgoutput_fuzz_bodies::{TARGETS, join};
use pgoutput_strategies::{any_frame, mutated, sequences};
use proptest::prelude::*;

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let frame = || any_frame().prop_map(|frame| frame.bytes);
    let sequence = || sequences().prop_map(|frames| join(frames.iter().map(Vec::as_slice)));
    prop_oneof![frame(), mutated(frame()), sequence(), mutated(sequence())]
}

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn no_generated_input_violates_a_law(bytes in any_input()) {
        for (_, body) in TARGETS {
            body(&bytes);
        }
    }
    /// The frames as `pgoutput decode` reads them: with line feeds, or as rows of psql.
    #[test]
    fn no_form_of_generated_frames_violates_a_law(bytes in mutated(decode_inputs())) {
        pgoutput_fuzz_bodies::decode_input(&bytes);
    }
}

fn decode_inputs() -> impl Strategy<Value = Vec<u8>> {
    (sequences(), any::<bool>()).prop_map(|(frames, is_text)| {
        let row = |frame: &Vec<u8>| {
            let mut row = String::from(" 0/158FAC8 | 777 | \\x");
            for byte in frame {
                write!(row, "{byte:02x}").unwrap();
            }
            (row + "\n").into_bytes()
        };
        let line = |frame: &Vec<u8>| [&frame[..], b"\n"].concat();
        frames.iter().flat_map(|frame| if is_text { row(frame) } else { line(frame) }).collect()
    })
}
