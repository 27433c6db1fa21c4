//! Law 10: decoding allocates nothing, whatever a frame claims.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use pgoutput_decode::{
    CopyData, DecodeError, Decoder, HotStandbyFeedback, Message, OldTuple, StandbyStatusUpdate,
    StreamAbortForm,
};
use pgoutput_strategies::{any_frame, mutated, sequences};
use proptest::prelude::*;

/// Counts what the present thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let result = black_box(work());
    (result, ALLOCATIONS.get() - before)
}

/// Decodes in every way and visits everything that is lent.
fn decode_everything(bytes: &[u8]) -> Result<usize, DecodeError> {
    let mut visited = 0;
    for in_stream in [false, true] {
        visited += Message::decode(bytes, in_stream).map_or(0, |message| visit(&message));
        for form in [StreamAbortForm::Short, StreamAbortForm::Long] {
            let prefix = Message::decode_prefix(bytes, in_stream, form);
            visited += prefix.map_or(0, |(message, _)| visit(&message));
        }
    }
    visited += usize::from(CopyData::decode(bytes).is_ok());
    visited += usize::from(StandbyStatusUpdate::decode(bytes).is_ok());
    visited += usize::from(HotStandbyFeedback::decode(bytes).is_ok());
    Message::decode(bytes, false).map(|_| visited)
}

fn visit(message: &Message<'_>) -> usize {
    let old = |tuple: OldTuple<'_>| match tuple {
        OldTuple::Key(key) => key.full_width().columns().count(),
        OldTuple::Full(row) => row.columns().count(),
    };
    match message {
        Message::Insert(body) => body.new.columns().count(),
        Message::Update(body) => body.old.map_or(0, old) + body.new.columns().count(),
        Message::Delete(body) => old(body.old),
        Message::Relation(body) => body.columns.iter().map(|column| column.name.len()).sum(),
        Message::Truncate(body) => body.relations.iter().count(),
        _ => 1,
    }
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| ()).1, 0);
    assert_eq!(allocations(|| vec![1_u8]).1, 1);
}

proptest! {
    #![proptest_config(pgoutput_strategies::config())]

    #[test]
    fn law_10_no_frame_good_or_bad_makes_decoding_allocate(
        good in any_frame(),
        bad in mutated(any_frame().prop_map(|frame| frame.bytes)),
    ) {
        for bytes in [&good.bytes, &bad] {
            prop_assert_eq!(allocations(|| decode_everything(bytes)).1, 0);
        }
    }

    #[test]
    fn law_10_no_stream_makes_its_decoder_allocate(frames in sequences()) {
        let (decoded, count) = allocations(|| {
            let mut decoder = Decoder::new();
            frames.iter().filter(|frame| decoder.decode(frame).is_ok()).count()
        });
        prop_assert_eq!((decoded, count), (frames.len(), 0));
    }
}

#[test]
fn law_10_huge_lengths_and_counts_allocate_nothing() {
    let frames: [&[u8]; 8] = [
        // A row of 65535 columns, and none there.
        b"I\0\0\0\x01N\xFF\xFF",
        // A value of 2 GiB, text and binary.
        b"I\0\0\0\x01N\0\x01t\x7F\xFF\xFF\xFF",
        b"U\0\0\0\x01N\0\x01b\x7F\xFF\xFF\xFF",
        // The same in an old row.
        b"D\0\0\0\x01K\xFF\xFFt\x7F\xFF\xFF\xFF",
        // A truncate of two thousand million tables.
        b"T\x7F\xFF\xFF\xFF\0\0\0\0\x01",
        // A table of 65535 columns.
        b"R\0\0\0\x01\0t\0d\xFF\xFF",
        // A message of 2 GiB.
        b"M\0\0\0\0\0\0\0\0\0p\0\x7F\xFF\xFF\xFF",
        // A name without an end.
        b"O\0\0\0\0\0\0\0\0nnnnnnnnnnnn",
    ];
    for frame in frames {
        let (decoded, count) = allocations(|| decode_everything(frame));
        assert!(decoded.is_err());
        assert_eq!(count, 0, "{}", frame.escape_ascii());
    }
}
