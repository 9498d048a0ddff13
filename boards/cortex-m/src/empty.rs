//! What a program without the core takes: to be taken off the footprint.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::hint::black_box;
use core::panic::PanicInfo;

board::entry!(main);

#[panic_handler]
fn on_panic(_: &PanicInfo<'_>) -> ! {
    board::host::exit(1)
}

fn main() {
    black_box(Vec::<u8>::with_capacity(black_box(16)));
}
