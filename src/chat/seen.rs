//! Which messages were handled already, also those that the history has let go.
//!
//! Ids are kept as keyed 64-bit hashes: about 24 bytes each instead of 150. That a new message is taken for an
//! old one has odds of `capacity` in 2^64, and nobody without the key can raise them.

use crate::base::hash::siphash;
use crate::base::meter::Meter;
use alloc::collections::{BTreeSet, VecDeque};

/// The last `capacity` message ids.
#[derive(Debug)]
pub struct Seen {
    key: [u64; 2],
    hashes: BTreeSet<u64>,
    order: VecDeque<u64>,
    meter: Meter,
}

impl Seen {
    /// Remembers up to `capacity` ids, under a random key.
    pub const fn new(capacity: usize, key: [u64; 2]) -> Self {
        Self { key, hashes: BTreeSet::new(), order: VecDeque::new(), meter: Meter::new(capacity) }
    }

    /// Whether the id is remembered.
    pub fn contains(&self, id: &[u8]) -> bool {
        self.hashes.contains(&siphash(self.key, id))
    }

    /// Remembers an id; false if it was remembered already. The id that came first leaves first.
    pub fn insert(&mut self, id: &[u8]) -> bool {
        let hash = siphash(self.key, id);
        if self.meter.capacity == 0 || !self.hashes.insert(hash) {
            return self.meter.capacity == 0;
        }
        if self.order.len() >= self.meter.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
            self.meter.dropped();
        }
        self.order.push_back(hash);
        self.meter.note(self.order.len());
        true
    }

    /// How many are remembered; drops are those forgotten again.
    pub const fn meter(&self) -> Meter {
        self.meter
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn an_id_is_new_once() {
        let mut seen = Seen::new(8, [1, 2]);
        assert!(!seen.contains(b"a"));
        assert!(seen.insert(b"a"));
        assert!(seen.contains(b"a"));
        assert!(!seen.insert(b"a"));
        assert!(seen.insert(b"b"));
        assert_eq!(seen.meter().length, 2);
    }

    #[test]
    fn the_first_is_forgotten_first_and_the_bound_holds() {
        let mut seen = Seen::new(100, [1, 2]);
        for id in 0..1000_u32 {
            assert!(seen.insert(&id.to_be_bytes()));
            assert!(seen.hashes.len() <= 100 && seen.order.len() == seen.hashes.len());
        }
        assert!((900..1000_u32).all(|id| seen.contains(&id.to_be_bytes())));
        assert!((0..900_u32).all(|id| !seen.contains(&id.to_be_bytes())));
        assert_eq!((seen.meter().high_water, seen.meter().drops), (100, 900));
    }

    #[test]
    fn no_capacity_means_nothing_is_remembered() {
        let mut seen = Seen::new(0, [1, 2]);
        assert!(seen.insert(b"a") && seen.insert(b"a"));
    }
}
