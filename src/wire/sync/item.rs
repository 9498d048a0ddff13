//! What a message is known by, its tag under a session's key, and prints of many.

use super::super::bounds::{SYNC_HASH_BYTES, SYNC_TAG_BYTES};
use crate::base::hash::siphash;
use core::cmp::Ordering;

/// What a message is known by; also a bound between two messages. Ordered newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item {
    /// Its stamp, in ms.
    pub stamp: u64,
    /// The first bytes of the hash of the signed message.
    pub hash: [u8; SYNC_HASH_BYTES],
}

impl Item {
    /// The bound before all messages that are not newer than `stamp`.
    pub const fn before(stamp: u64) -> Self {
        Self { stamp, hash: [0; SYNC_HASH_BYTES] }
    }

    /// The shortest bound between two messages, the newer one and the next.
    pub fn between(newer: &Self, next: &Self) -> Self {
        if newer.stamp != next.stamp {
            return Self::before(next.stamp);
        }
        let same = newer.hash.iter().zip(&next.hash).take_while(|(a, b)| a == b).count();
        let mut bound = Self::before(next.stamp);
        for (to, from) in bound.hash.iter_mut().zip(&next.hash).take(same + 1) {
            *to = *from;
        }
        bound
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> Ordering {
        other.stamp.cmp(&self.stamp).then_with(|| self.hash.cmp(&other.hash))
    }
}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The key of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionKey(pub [u64; 2]);

/// A message's tag: without the key nobody can tell which messages have the same, or the same sum. With 64 bits two of a
/// million messages share one in one of 37 million sessions, and the next session has another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u64);

impl SessionKey {
    /// A message's tag.
    pub fn tag(&self, item: &Item) -> Tag {
        Tag(siphash(self.0, &item.hash))
    }
}

/// A print of some messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Print {
    /// How many they are.
    pub count: u32,
    /// The sum of their tags.
    pub sum: u64,
}

impl Print {
    /// The print of these and one more.
    pub const fn with(self, tag: Tag) -> Self {
        Self { count: self.count.saturating_add(1), sum: self.sum.wrapping_add(tag.0) }
    }
}

/// Tags as they stand in a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a>(pub(super) &'a [[u8; SYNC_TAG_BYTES]]);

impl Tags<'_> {
    /// How many.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = Tag> {
        self.0.iter().map(|bytes| Tag(u64::from_le_bytes(*bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(stamp: u64, first: u8, second: u8) -> Item {
        let mut item = Item::before(stamp);
        (item.hash[0], item.hash[1]) = (first, second);
        item
    }

    #[test]
    fn a_bound_between_two_is_above_the_newer_and_not_above_the_next() {
        let items = [item(9, 4, 0), item(7, 0, 0), item(7, 0, 1), item(7, 2, 9), item(7, 3, 1), item(1, 0, 0)];
        assert!(items.is_sorted());
        for pair in items.windows(2) {
            let bound = Item::between(&pair[0], &pair[1]);
            assert!(pair[0] < bound && bound <= pair[1], "{pair:?} {bound:?}");
        }
        assert_eq!(Item::between(&items[3], &items[4]), item(7, 3, 0), "no longer than needed");
    }

    #[test]
    fn a_print_does_not_depend_on_the_order_and_does_on_the_key() {
        let (a, b) = (item(1, 1, 1), item(2, 2, 2));
        let print = |key: SessionKey, items: [Item; 2]| {
            items.iter().fold(Print::default(), |print, item| print.with(key.tag(item)))
        };
        let (one, two) = (SessionKey([1, 2]), SessionKey([1, 3]));
        assert_eq!(print(one, [a, b]), print(one, [b, a]));
        assert_ne!(print(one, [a, b]), print(two, [a, b]));
        assert_eq!(print(one, [a, b]).count, 2);
    }
}
