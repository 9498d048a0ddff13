//! A token bucket: so much in a time, and a reserve that fills again after a pause.

use core::time::Duration;

/// Hands out `count` tokens each `period`, sustained, and at most `burst` at once after a pause.
///
/// Time is an argument: what has passed since any fixed moment, which must not go back (if it does, nothing is gained).
/// A burst of zero means unlimited.
///
/// ```
/// use core::time::Duration;
/// use stonechat::base::bucket::Bucket;
///
/// let ms = Duration::from_millis;
/// let mut bucket = Bucket::new(3, 1, ms(100), ms(0));
/// assert!(bucket.take(3, ms(0)) && !bucket.take(1, ms(99)));
/// assert!(bucket.take(1, ms(100)));
/// ```
#[derive(Debug, Clone)]
pub struct Bucket {
    burst: u32,
    count: u32,
    /// Nanoseconds in which `count` tokens come.
    period: u64,
    /// In parts of a token of which `period` make one, so that a slow rate loses nothing to rounding.
    level: u64,
    at: Duration,
}

/// Seconds of the longest period: with the largest burst the level stays below 2^64.
const PERIOD_S_MAX: u64 = 4;

impl Bucket {
    /// A full bucket. A period above four seconds loses precision, not correctness: it is counted in milliseconds.
    pub fn new(burst: u32, count: u32, period: Duration, now: Duration) -> Self {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mut bucket = Bucket { burst, count: count.max(1), period, level: 0, at: now };
        bucket.level = bucket.full();
        bucket
    }

    /// A full bucket of `per_second` tokens a second, and as many at once. Zero means unlimited.
    pub fn per_second(per_second: u32, now: Duration) -> Self {
        Self::new(per_second, per_second, Duration::from_secs(1), now)
    }

    /// Takes `count` tokens if they are all there; says whether they were. More than the burst at once never are.
    pub fn take(&mut self, count: u32, now: Duration) -> bool {
        self.refill(now);
        let wanted = u64::from(count).saturating_mul(self.unit());
        let there = self.is_unlimited() || self.level >= wanted;
        if there {
            self.level = self.level.saturating_sub(wanted);
        }
        there
    }

    /// Takes as many tokens as there are, at most `count`; says how many.
    pub fn take_up_to(&mut self, count: u32, now: Duration) -> u32 {
        let count = count.min(self.available(now));
        self.take(count, now);
        count
    }

    /// Gives tokens back that were taken and not used.
    pub fn put_back(&mut self, count: u32) {
        self.level = self.level.saturating_add(u64::from(count).saturating_mul(self.unit())).min(self.full());
    }

    /// How many tokens there are (whole ones; `u32::MAX` if unlimited).
    pub fn available(&mut self, now: Duration) -> u32 {
        self.refill(now);
        if self.is_unlimited() { u32::MAX } else { u32::try_from(self.level / self.unit()).unwrap_or(u32::MAX) }
    }

    /// How long until `count` tokens are there; zero if they are. More than the burst count as the burst.
    pub fn wait_for(&mut self, count: u32, now: Duration) -> Duration {
        self.refill(now);
        if self.is_unlimited() {
            return Duration::ZERO;
        }
        let wanted = u64::from(count).saturating_mul(self.unit()).min(self.full());
        let ticks = wanted.saturating_sub(self.level).div_ceil(u64::from(self.count));
        Duration::from_nanos(ticks.saturating_mul(self.tick()))
    }

    /// Whether nothing was taken for so long that it holds all it can.
    pub fn is_full(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.level == self.full()
    }

    fn is_unlimited(&self) -> bool {
        self.burst == 0
    }

    /// Nanoseconds in one tick of its clock.
    fn tick(&self) -> u64 {
        if self.period > PERIOD_S_MAX * 1_000_000_000 { 1_000_000 } else { 1 }
    }

    /// Parts in one token.
    fn unit(&self) -> u64 {
        (self.period / self.tick()).max(1)
    }

    fn full(&self) -> u64 {
        u64::from(self.burst).saturating_mul(self.unit())
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        let ticks = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX) / self.tick();
        if ticks == 0 {
            return;
        }
        let gained = ticks.saturating_mul(u64::from(self.count));
        self.level = self.level.saturating_add(gained).min(self.full());
        // What is less than a tick counts on.
        self.at = self.at.saturating_add(Duration::from_nanos(ticks.saturating_mul(self.tick())));
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use core::time::Duration;

    const START: Duration = Duration::from_secs(1_000);

    fn at(ms: u64) -> Duration {
        START + Duration::from_millis(ms)
    }

    #[test]
    fn over_any_stretch_no_more_than_the_rate_and_one_burst() {
        for per_second in [1, 3, 1_000, 65_536, u32::MAX] {
            let mut bucket = Bucket::per_second(per_second, START);
            let mut taken = 0_u64;
            for step in 0..=3_000 {
                taken += u64::from(bucket.take_up_to(u32::MAX, at(step * 7)));
            }
            let most = u64::from(per_second) * 22;
            assert!(taken <= most && taken + 1 >= most - 1, "{per_second}: {taken} of {most}");
        }
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let mut bucket = Bucket::per_second(7, START);
        assert!(bucket.take(7, START));
        for count in 1..=7 {
            let mut bucket = bucket.clone();
            let wait = bucket.wait_for(count, START);
            assert!(wait > Duration::ZERO);
            assert!(!bucket.take(count, START + wait - Duration::from_nanos(1)));
            assert!(bucket.take(count, START + wait));
        }
        assert_eq!(bucket.wait_for(1_000, START), Duration::from_secs(1));
        assert!(!bucket.take(8, at(60_000)));
    }

    #[test]
    fn a_slow_one_grows_back_one_by_one_and_forgets_no_part_of_the_time() {
        let mut bucket = Bucket::new(3, 1, Duration::from_secs(6), START);
        assert!(bucket.take(3, START) && !bucket.take(1, START));
        assert!(!bucket.take(1, at(5_999)) && bucket.take(1, at(6_000)) && !bucket.take(1, at(9_000)));
        assert!(bucket.take(1, at(12_000)), "what is left of the time counts on");
        for step in 0..600 {
            assert!(!bucket.take(1, at(12_000) + Duration::from_micros(step * 9_999)));
        }
        assert!(bucket.take(1, at(18_000)), "also where it is asked often");
        assert!(bucket.take(3, at(60_000)) && !bucket.take(1, at(60_000)));
        assert_eq!(bucket.wait_for(2, at(60_000)), Duration::from_secs(12));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let mut bucket = Bucket::per_second(5, at(10_000));
        assert!(bucket.take(5, at(10_000)));
        assert!(!bucket.take(1, at(5_000)) && !bucket.take(1, at(10_000)));
        assert!(bucket.take(5, at(11_000)));
    }

    #[test]
    fn zero_is_unlimited_and_what_is_put_back_can_be_taken_again() {
        let mut bucket = Bucket::per_second(0, START);
        assert_eq!(bucket.take_up_to(u32::MAX, START), u32::MAX);
        assert!(bucket.take(u32::MAX, START) && bucket.wait_for(9, START).is_zero() && bucket.is_full(START));
        let mut bucket = Bucket::per_second(10, START);
        assert_eq!(bucket.take_up_to(10, START), 10);
        bucket.put_back(4);
        assert_eq!(bucket.available(START), 4);
        bucket.put_back(100);
        assert_eq!(bucket.available(START), 10);
    }
}
