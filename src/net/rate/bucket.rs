//! One token bucket, by the clock of the operating system.

use crate::base::bucket;
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
    inner: bucket::Bucket,
    since: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Bucket { inner: bucket::Bucket::per_second(per_second, Duration::ZERO), since: now }
    }

    /// Takes `count` tokens if they are all there; says whether they were.
    ///
    /// More than `per_second` at once never are.
    pub fn take(&mut self, count: u32, now: Instant) -> bool {
        self.inner.take(count, self.passed(now))
    }

    /// Takes as many tokens as there are, at most `count`; says how many.
    pub fn take_up_to(&mut self, count: u32, now: Instant) -> u32 {
        self.inner.take_up_to(count, self.passed(now))
    }

    /// Gives tokens back that were taken and not used.
    pub fn put_back(&mut self, count: u32) {
        self.inner.put_back(count);
    }

    /// How many tokens there are (whole ones; `u32::MAX` if unlimited).
    pub fn available(&mut self, now: Instant) -> u32 {
        self.inner.available(self.passed(now))
    }

    /// How long until `count` tokens are there; zero if they are. `count` above `per_second` counts as `per_second`.
    pub fn wait_for(&mut self, count: u32, now: Instant) -> Duration {
        self.inner.wait_for(count, self.passed(now))
    }

    /// Whether nothing was taken for so long that it holds all it can.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.inner.is_full(self.passed(now))
    }

    fn passed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}
