//! Counting: how full a bounded thing is, and how often something happened.

/// How full a bounded container is and was. One meter is one line of `stonechat status --tasks`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Meter {
    /// Items (or bytes) in it now.
    pub length: usize,
    /// Items (or bytes) it may hold.
    pub capacity: usize,
    /// The most it ever held.
    pub high_water: usize,
    /// Items dropped or refused because it was full.
    pub drops: u64,
}

impl Meter {
    /// An empty meter.
    pub const fn new(capacity: usize) -> Self {
        Self { length: 0, capacity, high_water: 0, drops: 0 }
    }

    /// Notes the length after a change.
    pub fn note(&mut self, length: usize) {
        self.length = length;
        self.high_water = self.high_water.max(length);
    }

    /// Notes one item dropped or refused.
    pub fn dropped(&mut self) {
        self.drops = self.drops.saturating_add(1);
    }
}

/// How often something happened. Stays at its largest value rather than wrap to zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count(u64);

impl Count {
    /// Zero.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Once more.
    pub fn tick(&mut self) {
        self.add(1);
    }

    /// `more` times more.
    pub fn add(&mut self, more: u64) {
        self.0 = self.0.saturating_add(more);
    }

    /// How often so far.
    pub const fn value(&self) -> u64 {
        self.0
    }

    /// How often since the last `take`.
    pub fn take(&mut self) -> u64 {
        core::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Meter};

    #[test]
    fn the_high_water_mark_stays() {
        let mut meter = Meter::new(4);
        meter.note(3);
        meter.note(1);
        meter.dropped();
        assert_eq!(meter, Meter { length: 1, capacity: 4, high_water: 3, drops: 1 });
    }

    #[test]
    fn a_count_never_wraps() {
        let mut count = Count::new();
        count.add(u64::MAX);
        count.tick();
        assert_eq!(count.value(), u64::MAX);
        assert_eq!(count.take(), u64::MAX);
        assert_eq!(count.value(), 0);
    }
}
