//! An allocator for one thread: blocks of powers of two, each freed block kept for the next of its size.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{addr_of_mut, null_mut};

unsafe extern "C" {
    static mut heap_start: u8;
    static mut heap_end: u8;
}

/// Sizes of blocks: 2^0 to 2^31 bytes.
const SIZES_COUNT: usize = 32;

struct State {
    free: [*mut u8; SIZES_COUNT],
    /// Bytes of blocks taken from the region so far.
    carved: usize,
    /// Bytes asked for and not given back, now and at most.
    held: usize,
    most: usize,
}

/// The heap between the statics and the stack.
pub struct Heap(UnsafeCell<State>);

// SAFETY: these boards have one core, and nothing here runs in an interrupt.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State { free: [null_mut(); SIZES_COUNT], carved: 0, held: 0, most: 0 }));

/// The block that a layout gets: its size, and the exponent of it.
fn block(layout: Layout) -> (usize, usize) {
    let size = layout.size().max(layout.align()).max(size_of::<*mut u8>()).next_power_of_two();
    (size, size.trailing_zeros() as usize)
}

// SAFETY: a block is given out once until it is given back, is at least as large and as aligned as asked.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, at) = block(layout);
        // SAFETY: nobody else has the state; a free block holds the address of the next one.
        unsafe {
            let state = &mut *self.0.get();
            let mut taken = state.free[at];
            if taken.is_null() {
                let (start, end) = (addr_of_mut!(heap_start), addr_of_mut!(heap_end));
                let from = (start as usize + state.carved).next_multiple_of(layout.align().max(size_of::<usize>()));
                if from + size > end as usize {
                    return null_mut();
                }
                state.carved = from + size - start as usize;
                taken = start.with_addr(from);
            } else {
                state.free[at] = taken.cast::<*mut u8>().read();
            }
            state.held += layout.size();
            state.most = state.most.max(state.held);
            taken
        }
    }

    unsafe fn dealloc(&self, given: *mut u8, layout: Layout) {
        let (_, at) = block(layout);
        // SAFETY: nobody else has the state, and nobody uses the block any more.
        unsafe {
            let state = &mut *self.0.get();
            given.cast::<*mut u8>().write(state.free[at]);
            state.free[at] = given;
            state.held -= layout.size();
        }
    }
}

/// Bytes held now, and at most since the last [`forget_most`].
pub fn held() -> (usize, usize) {
    // SAFETY: one thread, and nothing allocates meanwhile.
    let state = unsafe { &*HEAP.0.get() };
    (state.held, state.most)
}

/// Begins anew to look for the most.
pub fn forget_most() {
    // SAFETY: as above.
    let state = unsafe { &mut *HEAP.0.get() };
    state.most = state.held;
}
