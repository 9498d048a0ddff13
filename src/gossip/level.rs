//! A number that is forgotten by halves.

/// How much there was, and when, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Level {
    amount: u32,
    at: u64,
}

impl Level {
    /// How much of it is left. Within a half-life it falls in a straight line: no floating point is needed.
    pub(super) fn value(self, half_ms: u64, now: u64) -> u32 {
        let passed = now.saturating_sub(self.at);
        let halves = u32::try_from(passed / half_ms.max(1)).unwrap_or(u32::MAX);
        let left = u64::from(self.amount.checked_shr(halves).unwrap_or(0));
        let part = left * (passed % half_ms.max(1)) / half_ms.max(1) / 2;
        u32::try_from(left - part).unwrap_or(u32::MAX)
    }

    /// Adds to it, up to a most.
    pub(super) fn add(&mut self, more: u32, most: u32, half_ms: u64, now: u64) {
        *self = Self { amount: self.value(half_ms, now).saturating_add(more).min(most), at: now };
    }
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn half_is_forgotten_in_the_time_given() {
        let mut level = Level::default();
        level.add(5_000, 4_000, 100, 1_000);
        for (at, value) in [(1_000, 4_000), (1_050, 3_000), (1_100, 2_000), (1_150, 1_500), (1_200, 1_000), (9_999, 0)]
        {
            assert_eq!(level.value(100, at), value, "at {at}");
        }
        level.add(100, 4_000, 100, 1_100);
        assert_eq!(level.value(100, 1_100), 2_100);
        assert_eq!(level.value(100, 900), 2_100, "a clock that goes back changes nothing");
    }
}
