//! The bodies on generated input, which exercises them without a fuzzer.

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
}
