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

/// A message's tag: without the key nobody can tell which messages have the same. 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag that these bytes are.
    pub fn from_bytes(bytes: [u8; SYNC_TAG_BYTES]) -> Self {
        let mut whole = [0; 8];
        for (to, from) in whole.iter_mut().zip(bytes) {
            *to = from;
        }
        Self(u64::from_le_bytes(whole))
    }

    /// The tag as a number below 2^48.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; SYNC_TAG_BYTES] {
        let [bytes @ .., _, _] = self.0.to_le_bytes();
        bytes
    }
}

impl SessionKey {
    /// A message's keyed hash.
    pub fn hash(&self, item: &Item) -> u64 {
        siphash(self.0, &item.hash)
    }

    /// A message's tag: the lower 48 bits of its keyed hash.
    pub fn tag(&self, item: &Item) -> Tag {
        let [bytes @ .., _, _] = self.hash(item).to_le_bytes();
        Tag::from_bytes(bytes)
    }
}

/// A print of some messages: without the key nobody can tell which messages have the same. What differs has the same in one
/// of 2^64 cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Print {
    /// How many they are.
    pub count: u32,
    /// The sum of their keyed hashes.
    pub sum: u64,
}

impl Print {
    /// The print of these and one more, with this keyed hash.
    pub const fn with(self, hash: u64) -> Self {
        Self { count: self.count.saturating_add(1), sum: self.sum.wrapping_add(hash) }
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
        self.0.iter().map(|bytes| Tag::from_bytes(*bytes))
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
            items.iter().fold(Print::default(), |print, item| print.with(key.hash(item)))
        };
        let (one, two) = (SessionKey([1, 2]), SessionKey([1, 3]));
        assert_eq!(print(one, [a, b]), print(one, [b, a]));
        assert_ne!(print(one, [a, b]), print(two, [a, b]));
        assert_eq!(print(one, [a, b]).count, 2);
        assert_eq!(Tag::from_bytes(one.tag(&a).to_bytes()), one.tag(&a));
        assert_eq!(one.tag(&a).to_bytes(), one.hash(&a).to_le_bytes()[..6]);
    }
}
