//! From reset to `main`: the stack, the memory, the floating point unit.

use core::ptr::{addr_of, addr_of_mut, copy_nonoverlapping, write_bytes};

unsafe extern "C" {
    static mut data_start: u8;
    static mut data_end: u8;
    static data_source: u8;
    static mut bss_start: u8;
    static mut bss_end: u8;
    static mut stack_end: u8;
    static stack_top: u8;

    safe fn board_main() -> !;
}

/// What fills the stack before it is used.
const PAINT: u8 = 0xa5;

/// Names the function that a program begins with.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn board_main() -> ! {
            $main();
            $crate::host::exit(0)
        }
    };
}

// The stack pointer and the reset handler; then what a fault does: it ends the run.
#[cfg(target_arch = "arm")]
core::arch::global_asm!(
    ".syntax unified",
    ".thumb",
    ".section .vector_table, \"a\"",
    ".word stack_top",
    ".word reset",
    ".rept 14",
    ".word fault",
    ".endr",
    ".text",
    ".global reset",
    ".type reset, %function",
    ".thumb_func",
    "reset:",
    "bl begin",
    "b .",
    ".type fault, %function",
    ".thumb_func",
    "fault:",
    "bl faulted",
    "b .",
);

#[cfg(target_arch = "riscv32")]
core::arch::global_asm!(
    ".section .vector_table, \"ax\"",
    ".global reset",
    "reset:",
    "la sp, stack_top",
    "call begin",
    "1: j 1b",
);

/// Gives the memory its first values, then calls the program.
#[unsafe(no_mangle)]
extern "C" fn begin() -> ! {
    #[cfg(all(target_arch = "arm", target_abi = "eabihf"))]
    // SAFETY: CPACR of Armv7-M; coprocessors 10 and 11 are the floating point unit, which nothing has used yet.
    unsafe {
        let access = 0xe000_ed88 as *mut u32;
        access.write_volatile(access.read_volatile() | 0xf << 20);
        core::arch::asm!("dsb", "isb");
    }
    // SAFETY: the linker script says that these regions are memory and hold nothing yet. Of the stack only the part
    // well below where this function stands is painted.
    unsafe {
        let data = addr_of_mut!(data_start);
        copy_nonoverlapping(addr_of!(data_source), data, addr_of!(data_end).offset_from_unsigned(data));
        let bss = addr_of_mut!(bss_start);
        write_bytes(bss, 0, addr_of!(bss_end).offset_from_unsigned(bss));
        let stack = addr_of_mut!(stack_end);
        write_bytes(stack, PAINT, addr_of!(stack_top).offset_from_unsigned(stack) - 1024);
    }
    board_main()
}

/// Bytes of stack that were used at most so far; at least 1024.
pub fn stack_used() -> usize {
    let (end, top) = (addr_of!(stack_end), addr_of!(stack_top));
    // SAFETY: the region is memory and lies below what is in use, or is only read.
    let untouched =
        unsafe { (0..).take_while(|at| end.add(*at) < top && end.add(*at).read_volatile() == PAINT).count() };
    top as usize - end as usize - untouched
}

#[cfg(target_arch = "arm")]
#[unsafe(no_mangle)]
extern "C" fn faulted() -> ! {
    crate::host::print("the processor met a fault\n");
    crate::host::exit(1)
}
