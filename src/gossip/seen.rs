//! The one check whether a message was here before.

use super::message::Key;
use super::settings::{SAME_MAX, SAME_MS};
use crate::base::meter::Meter;
use alloc::collections::{BTreeSet, VecDeque};

/// The messages that came last. Where two who say the same say the same message, it is new again after a while.
#[derive(Debug)]
pub(super) struct Seen {
    keys: BTreeSet<u64>,
    order: VecDeque<u64>,
    meter: Meter,
    same: VecDeque<(u64, Key)>,
}

impl Seen {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { keys: BTreeSet::new(), order: VecDeque::new(), meter: Meter::new(capacity), same: VecDeque::new() }
    }

    /// Whether it was here; `by_content` says that others may have the same id.
    pub(super) fn contains(&mut self, key: Key, by_content: bool, now: u64) -> bool {
        if !by_content {
            return self.keys.contains(&key.0);
        }
        while self.same.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= SAME_MS) {
            self.same.pop_front();
        }
        self.same.iter().any(|(_, said)| *said == key)
    }

    /// It is here now. The one that came first is forgotten first.
    pub(super) fn insert(&mut self, key: Key, by_content: bool, now: u64) {
        if by_content {
            if self.same.len() >= SAME_MAX {
                self.same.pop_front();
            }
            self.same.push_back((now, key));
        } else if self.keys.insert(key.0) {
            self.order.push_back(key.0);
            while self.order.len() > self.meter.capacity
                && let Some(oldest) = self.order.pop_front()
            {
                self.keys.remove(&oldest);
                self.meter.dropped();
            }
            self.meter.note(self.order.len());
        }
    }

    pub(super) const fn meter(&self) -> Meter {
        self.meter
    }

    pub(super) fn same(&self) -> Meter {
        Meter { length: self.same.len(), ..Meter::new(SAME_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_forgotten_first_and_the_bound_holds() {
        let mut seen = Seen::new(100);
        for number in 0..1_000 {
            assert!(!seen.contains(Key(number), false, 0));
            (0..2).for_each(|_| seen.insert(Key(number), false, 0));
            assert!(seen.contains(Key(number), false, 0) && seen.keys.len() <= 100);
        }
        assert!((900..1_000).all(|number| seen.contains(Key(number), false, 0)));
        assert!((0..900).all(|number| !seen.contains(Key(number), false, 0)));
        assert_eq!((seen.meter().length, seen.meter().high_water, seen.meter().drops), (100, 100, 900));
    }

    #[test]
    fn where_the_same_words_are_the_same_message_they_are_new_again_after_a_while() {
        let mut seen = Seen::new(100);
        seen.insert(Key(7), true, 1_000);
        assert!(seen.contains(Key(7), true, 1_000 + SAME_MS - 1) && !seen.contains(Key(7), true, 1_000 + SAME_MS));
        (0..10_000).for_each(|number| seen.insert(Key(number), true, 1_000));
        assert_eq!(seen.same().length, SAME_MAX);
    }
}
