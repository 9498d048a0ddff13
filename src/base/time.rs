//! The time as an argument: floors below 3 read no clock.

/// What the caller's clocks say at one moment.
///
/// Boards without a battery-backed clock start in 1970 or at their last shutdown. A wall clock earlier than the
/// build of the program is certainly wrong and counts as unknown; one that is wrong but later cannot be told
/// from a right one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since 1970-01-01 UTC, if the wall clock is known.
    pub unix_ms: Option<u64>,
    /// Milliseconds since any fixed moment of this run; never goes back.
    pub monotonic_ms: u64,
}

impl Now {
    /// Takes both clocks as they are and the time of the build, all in milliseconds.
    pub const fn new(unix_ms: u64, monotonic_ms: u64, build_unix_ms: u64) -> Self {
        let unix_ms = if unix_ms < build_unix_ms { None } else { Some(unix_ms) };
        Self { unix_ms, monotonic_ms }
    }

    /// Whether the wall clock is known.
    pub const fn clock_known(&self) -> bool {
        self.unix_ms.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Now;

    #[test]
    fn a_wall_clock_before_the_build_is_unknown() {
        assert_eq!(Now::new(999, 5, 1000).unix_ms, None);
        assert_eq!(Now::new(0, 5, 1000).unix_ms, None);
        assert_eq!(Now::new(1000, 5, 1000), Now { unix_ms: Some(1000), monotonic_ms: 5 });
        assert!(!Now::new(999, 5, 1000).clock_known());
        assert!(Now::new(1000, 5, 1000).clock_known());
    }
}
