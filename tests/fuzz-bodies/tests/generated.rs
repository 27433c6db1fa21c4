//! The bodies on generated input, which exercises them without a fuzzer.

use std::fs;
use std::path::Path;

use pgoutput_fuzz_bodies::{TARGETS, capture_records, join};
use pgoutput_strategies::{any_frame, mutated, sequences};
use proptest::prelude::*;

fn any_input() -> impl Strategy<Value = Vec<u8>> {
    let frame = || any_frame().prop_map(|frame| frame.bytes);
    let sequence = || sequences().prop_map(|frames| join(frames.iter().map(Vec::as_slice)));
    prop_oneof![frame(), mutated(frame()), sequence(), mutated(sequence())]
}

/// Records with these messages, without the catalogue's facts.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    sequences().prop_map(|frames| {
        let record = |frame: &Vec<u8>| [b"w", &[0; 24][..], frame].concat();
        let records: Vec<_> = frames.iter().map(record).collect();
        join(records.iter().map(Vec::as_slice))
    })
}

/// A seed of the target `capture_records`.
fn records() -> impl Strategy<Value = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/capture_records");
    let seeds: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    prop::sample::select(seeds)
}

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn no_generated_input_violates_a_law(bytes in any_input()) {
        for (_, body) in TARGETS {
            body(&bytes);
        }
    }

    #[test]
    fn no_generated_capture_violates_a_law(records in prop_oneof![messages(), mutated(records())]) {
        capture_records(&records);
    }
}
