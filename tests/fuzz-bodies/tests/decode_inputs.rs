//! The body of `decode_input` on generated messages, in the forms that `pgoutput decode` reads.

use std::fmt::Write as _;

use pgoutput_fuzz_bodies::decode_input;
use pgoutput_strategies::{mutated, sequences};
use proptest::prelude::*;

/// Messages with line feeds, or as rows of psql.
fn inputs() -> impl Strategy<Value = Vec<u8>> {
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

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn no_input_violates_a_law(bytes in prop_oneof![inputs(), mutated(inputs())]) {
        decode_input(&bytes);
    }
}
