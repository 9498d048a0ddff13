//! How much of something one peer may have in how much time.

/// A bucket that fills with time: so much at once, so much an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At once.
    pub burst: u64,
    /// An hour, once that is used up.
    pub per_hour: u64,
}

/// What is left of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    allowance: Allowance,
    left: u64,
    /// Until when it was filled, in ms.
    filled_ms: u64,
}

/// Milliseconds of an hour.
const HOUR_MS: u64 = 3_600_000;

impl Quota {
    /// A full one.
    pub const fn new(allowance: Allowance, now_ms: u64) -> Self {
        Self { allowance, left: allowance.burst, filled_ms: now_ms }
    }

    /// What is left now.
    pub fn left(&mut self, now_ms: u64) -> u64 {
        let Allowance { burst, per_hour } = self.allowance;
        let passed = now_ms.saturating_sub(self.filled_ms);
        let more = passed.saturating_mul(per_hour) / HOUR_MS;
        if self.left.saturating_add(more) >= burst {
            (self.left, self.filled_ms) = (self.left.max(burst), now_ms);
        } else if more > 0 {
            self.left += more;
            // Only as long as those took, or a bucket that is asked often would never fill.
            self.filled_ms += more * HOUR_MS / per_hour.max(1);
        }
        self.left = self.left.min(burst);
        self.left
    }

    /// Takes some if they are left.
    pub fn take(&mut self, count: u64, now_ms: u64) -> bool {
        let enough = self.left(now_ms) >= count;
        if enough {
            self.left -= count;
        }
        enough
    }

    /// Takes what was used already: what is not left is owed.
    pub fn charge(&mut self, count: u64, now_ms: u64) {
        self.left = self.left(now_ms).saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Quota};

    #[test]
    fn a_burst_and_then_a_rate_however_often_it_is_asked() {
        let mut quota = Quota::new(Allowance { burst: 10, per_hour: 3_600 }, 5_000);
        assert!(quota.take(10, 5_000) && !quota.take(1, 5_999));
        let mut taken = 0;
        for now in 5_000..65_000 {
            taken += u64::from(quota.take(1, now));
        }
        assert_eq!(taken, 59, "one a second");
        assert_eq!(quota.left(10_000_000), 10, "no more than the burst");
        quota.charge(99, 10_000_000);
        assert_eq!((quota.left(10_000_000), quota.left(0)), (0, 0), "a clock that goes back fills nothing");
    }

    #[test]
    fn nothing_an_hour_is_nothing() {
        let mut quota = Quota::new(Allowance { burst: 1, per_hour: 0 }, 0);
        assert!(quota.take(1, 0) && !quota.take(1, u64::MAX));
        let mut none = Quota::new(Allowance { burst: 0, per_hour: 0 }, 0);
        assert!(!none.take(1, u64::MAX) && none.take(0, 0));
    }
}
