#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pgoutput_fuzz_bodies::capture_records(bytes));
