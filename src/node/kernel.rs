//! What the kernel says of its clock. The only place of this program where the compiler has to be trusted with memory.
#![allow(unsafe_code)]

/// The error of a clock that nothing keeps synchronised, in microseconds. Source: the kernel's NTP_PHASE_LIMIT; each second
/// without news adds 500 of them.
const ERROR_MAX_US: std::ffi::c_long = 16_000_000;

/// The beginning of the kernel's `struct timex` (uapi/linux/timex.h), the same with every length of `long`, and behind it
/// more room than it needs anywhere.
#[repr(C)]
#[derive(Default)]
struct Timex {
    modes: std::ffi::c_uint,
    offset: std::ffi::c_long,
    frequency: std::ffi::c_long,
    max_error_us: std::ffi::c_long,
    rest: [[u64; 16]; 2],
}

/// Whether something keeps the kernel's clock synchronised: its error is bounded. That is what `timedatectl` says too, and
/// not the flag STA_UNSYNC, which some daemons set to keep the kernel from the battery-backed clock. Needs no rights; where
/// the call is forbidden, nobody vouches.
pub fn is_clock_synchronised() -> bool {
    // No mode is set: it is only read.
    let mut timex = Timex::default();
    // SAFETY: the kernel writes its `struct timex`, of at most 208 bytes, to a place of our own of 272 or more.
    let state = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) };
    state >= 0 && timex.max_error_us < ERROR_MAX_US
}

/// Milliseconds since the machine was started, those in which it slept among them.
pub fn since_boot_ms() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`. It knows this clock since Linux 2.6.39; if not, it writes nothing.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
    time.tv_sec as u64 * 1_000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_and_writes_where_it_may() {
        let mut timex = Timex::default();
        // SAFETY: as above.
        let state = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) };
        assert!((0..=5).contains(&state), "{state}: it is one of its six states");
        assert_eq!(timex.rest[1][8..], [0; 8], "it has written less than there is room for");
        assert!(timex.max_error_us > 0 && timex.max_error_us <= ERROR_MAX_US, "{}", timex.max_error_us);
        assert_eq!(is_clock_synchronised(), timex.max_error_us < ERROR_MAX_US);
    }
}
