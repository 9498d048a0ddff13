//! One side's messages of a room, as far back as both sides go.

use crate::wire::sync::item::{Item, Print, SessionKey, Tag};
use core::ops::Range;

/// The messages of a room that a side knows of, newest first. The caller's own index: nothing of it is copied.
pub trait Items {
    /// How many.
    fn count(&self) -> usize;

    /// The one at this place, newest first; `None` beyond the last.
    fn item(&self, at: usize) -> Option<Item>;

    /// Whether the message itself is there, or only known to have been.
    fn holds(&self, at: usize) -> bool;

    /// The stamp at which the history begins: what is older was let go. Zero if nothing was.
    fn since(&self) -> u64;
}

/// Items from a stamp on, under a session's key.
pub struct View<'a, I: ?Sized> {
    items: &'a I,
    count: usize,
    key: SessionKey,
}

impl<'a, I: Items + ?Sized> View<'a, I> {
    /// The items with a stamp of at least `since`.
    pub fn new(items: &'a I, since: u64, key: SessionKey) -> Self {
        let mut view = Self { items, count: items.count(), key };
        if let Some(older) = since.checked_sub(1) {
            view.count = view.place(&Item::before(older));
        }
        view
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// How many stand before a bound.
    pub fn place(&self, bound: &Item) -> usize {
        let (mut from, mut to) = (0, self.count);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.items.item(middle) {
                Some(item) if item < *bound => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }

    /// The item at a place.
    pub fn item(&self, at: usize) -> Option<Item> {
        self.items.item(at)
    }

    /// Whether the message at a place is there itself.
    pub fn holds(&self, at: usize) -> bool {
        self.items.holds(at)
    }

    /// The bound in front of the item at `at`; `None` behind the last.
    pub fn bound(&self, at: usize) -> Option<Item> {
        if at >= self.count {
            return None;
        }
        Some(Item::between(&self.item(at.checked_sub(1)?)?, &self.item(at)?))
    }

    /// The tags of some items.
    pub fn tags(&self, places: Range<usize>) -> impl Iterator<Item = Tag> {
        places.filter_map(|at| self.item(at)).map(|item| self.key.tag(&item))
    }

    /// The print of some items.
    pub fn print(&self, places: Range<usize>) -> Print {
        let items = places.filter_map(|at| self.item(at));
        items.fold(Print::default(), |print, item| print.with(self.key.hash(&item)))
    }
}
