//! Every committed seed through the body of its fuzz target. The seeds are found on disk.

use std::fs;
use std::path::{Path, PathBuf};

use pgoutput_decode::{Decoder, Message};
use pgoutput_fuzz_bodies::{TARGETS, join, split};

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn no_seed_violates_a_law() {
    for (target, body) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            let kept = std::panic::catch_unwind(|| body(&bytes));
            assert!(kept.is_ok(), "{}", seed.display());
        }
    }
}

#[test]
fn every_target_has_a_folder_of_seeds_and_every_folder_a_target() {
    let mut folders: Vec<_> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|(name, _)| name));
    for name in folders {
        let main = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/fuzz_targets")
            .join(&name)
            .with_extension("rs");
        let call = format!("pgoutput_fuzz_bodies::{name}(bytes)");
        assert!(fs::read_to_string(main).unwrap().contains(&call), "{name}");
    }
}

/// The frame seeds cover all 19 messages, so that a fuzzer starts from each.
#[test]
fn the_seeds_cover_every_message() {
    let mut tags: Vec<u8> = Vec::new();
    for seed in seeds("frame") {
        let bytes = fs::read(seed).unwrap();
        for in_stream in [false, true] {
            tags.extend(Message::decode(&bytes, in_stream).map(|message| message.tag().0).ok());
        }
    }
    tags.sort_unstable();
    tags.dedup();
    let mut kinds = pgoutput_strategies::KINDS;
    kinds.sort_unstable();
    assert_eq!(tags.escape_ascii().to_string(), kinds.escape_ascii().to_string());
}

#[test]
fn split_returns_the_joined_frames() {
    let frames: [&[u8]; 3] = [b"S\0\0\x03\x09\x01", b"", b"E"];
    let joined = join(frames);
    assert_eq!(split(&joined).collect::<Vec<_>>(), frames);
    let mut decoder = Decoder::new();
    assert_eq!(split(&joined).filter(|frame| decoder.decode(frame).is_ok()).count(), 2);
}
