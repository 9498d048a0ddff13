//! Ascending numbers that are given once, over a crash and a power cut.
//!
//! The disk is told first: the largest number that may be given is written down before any up to it is
//! ([`Sequence::reserve`], [`Sequence::on_written`]), so that whoever reads it back after a crash goes on above every number
//! that anybody can have seen. After an orderly end it is the last one given, exactly.

/// The number that is due is not written down yet: it is to be asked for again once the disk has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritten;

/// Ascending numbers, each given once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The smallest that may be given.
    next: u64,
    /// The smallest that is not written down.
    durable: u64,
}

impl Sequence {
    /// Numbers from `next` on, of which none is written down.
    pub const fn from(next: u64) -> Self {
        Self { next, durable: next }
    }

    /// The smallest that may be given: one more than the last one given, whatever was reserved.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The smallest that is not written down.
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether `number` is written down and was not given.
    pub const fn is_written(&self, number: u64) -> bool {
        self.next <= number && number < self.durable
    }

    /// Gives `number`, and none up to it again.
    pub fn give(&mut self, number: u64) -> Result<(), Unwritten> {
        if !self.is_written(number) {
            return Err(Unwritten);
        }
        self.next = number.saturating_add(1);
        Ok(())
    }

    /// What is to be written down before `number` and `count` from it on can be given: all below it count as given for who
    /// reads it after a crash. None while more than half of that is written down: so a steady flow does not wait for the
    /// disk.
    pub fn reserve(&self, number: u64, count: u64) -> Option<u64> {
        let left = if self.is_written(number) { self.durable - number } else { 0 };
        let durable = number.saturating_add(left.max(1)).saturating_add(count - 1);
        (left <= count / 2 && durable > self.durable).then_some(durable)
    }

    /// What [`Sequence::reserve`] gave is written down.
    pub fn on_written(&mut self, durable: u64) {
        self.durable = self.durable.max(durable);
    }
}

#[cfg(test)]
mod tests {
    use super::{Sequence, Unwritten};

    #[test]
    fn nothing_is_given_before_it_is_written_down() {
        let mut sequence = Sequence::from(100);
        assert_eq!(sequence.give(100), Err(Unwritten));
        assert_eq!(sequence.reserve(100, 10), Some(110));
        assert_eq!(sequence.give(100), Err(Unwritten), "the disk has not answered");
        sequence.on_written(110);
        assert!((100..105).all(|number| sequence.reserve(number, 10).is_none() && sequence.give(number).is_ok()));
        assert_eq!(sequence.reserve(105, 10), Some(119), "half is left: more is asked for");
        assert!((105..110).all(|number| sequence.give(number).is_ok()));
        assert_eq!(sequence.give(110), Err(Unwritten), "used up before the disk has answered");
        sequence.on_written(119);
        assert_eq!(sequence.give(110), Ok(()));
        assert_eq!((sequence.next(), sequence.give(110)), (111, Err(Unwritten)), "each once");
    }

    #[test]
    fn numbers_may_be_passed_over_and_none_is_beyond_the_last() {
        let mut sequence = Sequence::from(0);
        assert_eq!(sequence.reserve(1_000, 10), Some(1_010));
        sequence.on_written(1_010);
        assert_eq!((sequence.give(1_005), sequence.next()), (Ok(()), 1_006));
        assert_eq!(sequence.reserve(5_000, 10), Some(5_010));
        sequence.on_written(u64::MAX);
        assert_eq!(sequence.give(u64::MAX - 1), Ok(()));
        assert_eq!((sequence.reserve(u64::MAX, 10), sequence.give(u64::MAX)), (None, Err(Unwritten)));
    }

    /// Crashes at any moment, with the disk holding what was asked for or not yet.
    #[test]
    fn no_number_is_given_twice_over_crashes() {
        let mut random = 7_u64;
        let mut below = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % bound
        };
        let (mut disk, mut last) = (0, None);
        for _ in 0..5_000 {
            let mut sequence = Sequence::from(disk);
            let mut asked = None;
            for _ in 0..below(40) {
                let number = sequence.next() + below(2) * below(9);
                asked = asked.or_else(|| sequence.reserve(number, 10));
                if sequence.give(number).is_ok() {
                    assert!(last < Some(number), "{number} after {last:?}");
                    last = Some(number);
                }
                if below(2) == 0
                    && let Some(durable) = asked.take()
                {
                    disk = durable;
                    sequence.on_written(durable);
                }
            }
            match below(3) {
                0 => disk = sequence.next(),
                // Written, and the answer never came.
                1 => disk = asked.unwrap_or(disk),
                _ => {}
            }
        }
        assert!(last > Some(10_000));
    }
}
