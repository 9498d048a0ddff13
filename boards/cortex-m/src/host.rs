//! Speaks to the debugger or emulator by Arm's semihosting ("Semihosting for AArch32 and AArch64", operations
//! SYS_WRITE0 and SYS_EXIT_EXTENDED). On other processors it says nothing.

use core::fmt::{self, Write};

#[cfg(target_arch = "arm")]
fn call(operation: usize, argument: *const u8) {
    // SAFETY: the host reads what the argument points to and writes nothing into this program.
    unsafe {
        core::arch::asm!("bkpt #0xab", inout("r0") operation => _, in("r1") argument, options(nostack));
    }
}

#[cfg(not(target_arch = "arm"))]
fn call(operation: usize, argument: *const u8) {
    core::hint::black_box((operation, argument));
}

/// What is printed goes out in pieces of this many bytes, with a zero at the end.
const PIECE_BYTES: usize = 63;

/// Prints.
pub fn print(text: &str) {
    for piece in text.as_bytes().chunks(PIECE_BYTES) {
        let mut ended = [0; PIECE_BYTES + 1];
        ended[..piece.len()].copy_from_slice(piece);
        call(0x04, ended.as_ptr());
    }
}

struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print(text);
        Ok(())
    }
}

/// Prints what `format_args!` makes.
pub fn say(what: fmt::Arguments<'_>) {
    let _ = Console.write_fmt(what);
}

/// Ends the run with this exit code.
pub fn exit(code: usize) -> ! {
    // The reason: ADP_Stopped_ApplicationExit.
    call(0x20, [0x20026, code].as_ptr().cast());
    loop {
        core::hint::spin_loop();
    }
}
