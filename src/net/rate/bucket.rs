//! One token bucket.

use std::time::{Duration, Instant};

/// Hands out at most `per_second` tokens a second, sustained, and up to one second's worth at once after a pause.
///
/// A rate of zero means unlimited.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stonechat::net::rate::Bucket;
///
/// let start = Instant::now();
/// let mut bucket = Bucket::new(10, start);
/// assert_eq!(bucket.take_up_to(100, start), 10);
/// assert!(!bucket.take(1, start));
/// assert!(bucket.take(5, start + Duration::from_millis(500)));
/// ```
#[derive(Debug, Clone)]
pub struct Bucket {
    per_second: u32,
    /// In nanotokens, so that a slow rate loses nothing to rounding.
    level: u64,
    at: Instant,
}

/// Nanotokens in one token: a rate of n a second adds n of them each nanosecond.
const NANO: u64 = 1_000_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Bucket { per_second, level: u64::from(per_second) * NANO, at: now }
    }

    /// Takes `count` tokens if they are all there; says whether they were.
    ///
    /// More than `per_second` at once never are.
    pub fn take(&mut self, count: u32, now: Instant) -> bool {
        self.refill(now);
        let wanted = u64::from(count) * NANO;
        let there = self.is_unlimited() || self.level >= wanted;
        if there {
            self.level = self.level.saturating_sub(wanted);
        }
        there
    }

    /// Takes as many tokens as there are, at most `count`; says how many.
    pub fn take_up_to(&mut self, count: u32, now: Instant) -> u32 {
        let count = count.min(self.available(now));
        self.take(count, now);
        count
    }

    /// Gives tokens back that were taken and not used.
    pub fn put_back(&mut self, count: u32) {
        self.level = (self.level + u64::from(count) * NANO).min(self.capacity());
    }

    /// How many tokens there are (whole ones; `u32::MAX` if unlimited).
    pub fn available(&mut self, now: Instant) -> u32 {
        self.refill(now);
        if self.is_unlimited() { u32::MAX } else { (self.level / NANO) as u32 }
    }

    /// How long until `count` tokens are there; zero if they are. `count` above `per_second` counts as `per_second`.
    pub fn wait_for(&mut self, count: u32, now: Instant) -> Duration {
        self.refill(now);
        let missing = (u64::from(count) * NANO).min(self.capacity()).saturating_sub(self.level);
        match u64::from(self.per_second) {
            0 => Duration::ZERO,
            rate => Duration::from_nanos(missing.div_ceil(rate)),
        }
    }

    /// Whether nothing was taken for so long that it holds all it can.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.level == self.capacity()
    }

    fn is_unlimited(&self) -> bool {
        self.per_second == 0
    }

    fn capacity(&self) -> u64 {
        u64::from(self.per_second) * NANO
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_nanos().min(u128::from(NANO)) as u64;
        // At most u32::MAX times a second in nanoseconds: fits.
        self.level = (self.level + passed * u64::from(self.per_second)).min(self.capacity());
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn over_any_stretch_no_more_than_the_rate_and_one_burst() {
        for per_second in [1, 3, 1_000, 65_536, u32::MAX] {
            let start = Instant::now();
            let mut bucket = Bucket::new(per_second, start);
            let mut taken = 0u64;
            for step in 0..=3_000 {
                taken += u64::from(bucket.take_up_to(u32::MAX, at(start, step * 7)));
            }
            let most = u64::from(per_second) * 22;
            assert!(taken <= most && taken + 1 >= u64::from(per_second) * 22 - 1, "{per_second}: {taken} of {most}");
        }
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let start = Instant::now();
        let mut bucket = Bucket::new(7, start);
        assert!(bucket.take(7, start));
        for count in 1..=7 {
            let mut bucket = bucket.clone();
            let wait = bucket.wait_for(count, start);
            assert!(wait > Duration::ZERO);
            assert!(!bucket.take(count, start + wait - Duration::from_nanos(1)));
            assert!(bucket.take(count, start + wait));
        }
        assert_eq!(bucket.wait_for(1_000, start), Duration::from_secs(1));
        assert!(!bucket.take(8, at(start, 60_000)));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(5, start);
        assert!(bucket.take(5, start));
        assert!(!bucket.take(1, start - Duration::from_secs(5)));
        assert!(!bucket.take(1, start));
        assert!(bucket.take(5, at(start, 1_000)));
    }

    #[test]
    fn zero_is_unlimited() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0, start);
        assert_eq!(bucket.take_up_to(u32::MAX, start), u32::MAX);
        assert!(bucket.take(u32::MAX, start) && bucket.wait_for(9, start).is_zero() && bucket.is_full(start));
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        assert_eq!(bucket.take_up_to(10, start), 10);
        bucket.put_back(4);
        assert_eq!(bucket.available(start), 4);
        bucket.put_back(100);
        assert_eq!(bucket.available(start), 10);
    }
}
