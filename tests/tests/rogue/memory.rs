//! The peak heap usage of a piece of work.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system allocator with a count of the bytes that each thread holds.
pub(crate) struct Counting;

thread_local! {
    static ALLOCATED: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(layout: Layout, sign: isize) {
    // No layout is longer than isize::MAX.
    ALLOCATED.set(ALLOCATED.get() + sign * layout.size().cast_signed());
    PEAK.set(PEAK.get().max(ALLOCATED.get()));
}

// SAFETY: every call is passed unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout, 1);
        // SAFETY: the caller upholds the contract of `GlobalAlloc`, which is the system
        // allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout, -1);
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns the most bytes that `work` held on this thread at any moment, beyond those held before.
pub(crate) fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATED.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before).unsigned_abs())
}

#[test]
fn the_peak_includes_freed_memory() {
    let ((), held) = peak(|| drop(std::hint::black_box(vec![0_u8; 1 << 20])));
    assert!((1 << 20..1 << 21).contains(&held), "{held}");
}
