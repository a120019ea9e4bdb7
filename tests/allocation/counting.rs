//! The system's allocator, with a tally for each thread that wants one.
//! It never changes what is allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// What the threads that count on it have asked for.
#[derive(Debug, Default)]
pub struct Tally {
    /// Calls that take memory: allocations, and those that move or grow one.
    pub calls: AtomicU64,
    /// Bytes taken less bytes given back.
    pub held: AtomicI64,
}

impl Tally {
    /// For the whole run, because an allocator cannot borrow.
    pub fn leaked() -> &'static Self {
        Box::leak(Box::default())
    }

    /// From here on this thread's allocations count here.
    pub fn count_this_thread(&'static self) {
        MINE.set(Some(self));
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Relaxed)
    }

    pub fn held(&self) -> i64 {
        self.held.load(Relaxed)
    }

    fn note(&self, calls: u64, bytes: i64) {
        self.calls.fetch_add(calls, Relaxed);
        self.held.fetch_add(bytes, Relaxed);
    }
}

thread_local! {
    static MINE: Cell<Option<&'static Tally>> = const { Cell::new(None) };
}

fn note(calls: u64, taken: usize, given: usize) {
    // A thread that ends has no tally any more.
    if let Ok(Some(tally)) = MINE.try_with(Cell::get) {
        tally.note(calls, taken as i64 - given as i64);
    }
}

pub struct Counting;

// SAFETY: every call goes to the system's allocator as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        // SAFETY: `place` came from the system's allocator with this layout.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size, layout.size());
        // SAFETY: `place` came from the system's allocator with this layout.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[test]
fn the_tally_counts_this_thread_alone() {
    let tally = Tally::leaked();
    tally.count_this_thread();
    let kept = std::hint::black_box(vec![0_u8; 1_000]);
    std::thread::spawn(|| std::hint::black_box(vec![0_u8; 77]))
        .join()
        .unwrap();
    let (calls, held) = (tally.calls(), tally.held());
    drop(kept);
    assert!(
        calls >= 1 && (1_000..10_000).contains(&held),
        "{calls} calls, {held} bytes"
    );
    assert!(tally.held() <= held - 1_000);
}
