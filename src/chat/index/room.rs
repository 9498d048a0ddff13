//! One room's messages in their order, oldest first.

use super::authors::Authors;
use super::entry::{Entry, Place};
use crate::chat::sync::view::Items;
use crate::wire::sync::item::Item;
use alloc::collections::VecDeque;

/// Why a message is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is kept, or was.
    #[error("the message is known")]
    Known,
    /// It is older than what the room let go.
    #[error("the message is older than the room's history")]
    BelowRoom,
    /// It is older than what was let go of its author.
    #[error("the message is older than what is kept of its author")]
    BelowAuthor,
    /// The room is not joined.
    #[error("the room is not joined")]
    NotJoined,
}

/// A message that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Which.
    pub item: Item,
    /// Where its body was.
    pub place: Place,
    /// Bytes of that.
    pub bytes: usize,
}

/// One room.
#[derive(Debug, Default)]
pub struct Room {
    entries: VecDeque<Entry>,
    authors: Authors,
    held: usize,
    bytes: usize,
    floor: Option<Item>,
}

impl Room {
    /// Messages held.
    pub const fn messages(&self) -> usize {
        self.held
    }

    /// Bytes of their bodies.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages known to have been.
    pub fn known(&self) -> usize {
        self.entries.len() - self.held
    }

    /// Messages and bytes held of an author.
    pub fn of_author(&self, id: &[u8]) -> (usize, usize) {
        self.authors.held(id)
    }

    /// Bytes of memory that it takes itself.
    pub fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.authors.bytes()
    }

    /// The message, held or known.
    pub fn find(&self, item: &Item) -> Option<&Entry> {
        self.search(item).ok().and_then(|at| self.entries.get(at))
    }

    /// The last `count` messages held, oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &Entry> {
        let skip = self.held.saturating_sub(count);
        self.entries.iter().filter(|entry| entry.is_held()).skip(skip)
    }

    /// Those from one stamp on, below another, oldest first.
    pub fn between(&self, since: u64, until: u64) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.item().stamp < since);
        let entries = self.entries.range(from..).take_while(move |entry| entry.item().stamp < until);
        entries.filter(|entry| entry.is_held())
    }

    /// All of them, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Where a message stands or would stand; most come at the end.
    fn search(&self, item: &Item) -> Result<usize, usize> {
        match self.entries.back() {
            Some(last) if *item < last.item() => Err(self.entries.len()),
            // Newest first is the order of items, oldest first that of the entries.
            _ => self.entries.binary_search_by(|entry| item.cmp(&entry.item())),
        }
    }

    /// Keeps a message that is not known and not below a floor.
    pub(super) fn insert(&mut self, author: &[u8], item: Item, bytes: u16, place: Place) -> Result<(), Refused> {
        let Err(at) = self.search(&item) else { return Err(Refused::Known) };
        if self.floor.is_some_and(|floor| item >= floor) {
            return Err(Refused::BelowRoom);
        }
        let author = self.authors.place(author, self.floor);
        let refused = self.authors.at(author).is_some_and(|of| of.floor.is_some_and(|floor| item >= floor));
        let place = if refused { Place::Gone } else { place };
        if self.entries.len() == self.entries.capacity() {
            // By a quarter, not to twice as much: what is kept is bounded, and most of it never used otherwise.
            self.entries.reserve_exact(16 + self.entries.len() / 4);
        }
        self.entries.insert(at, Entry::new(item, bytes, author, place));
        if refused {
            return Err(Refused::BelowAuthor);
        }
        self.held += 1;
        self.bytes += usize::from(bytes);
        if let Some(of) = self.authors.at(author) {
            of.messages += 1;
            of.bytes += usize::from(bytes);
        }
        Ok(())
    }

    /// The author who has most beyond a share of so many messages and bytes, and how many messages that is.
    pub(super) fn over_share(&self, messages: usize, bytes: usize) -> Option<(usize, u8)> {
        self.authors.over_share(messages, bytes)
    }

    /// Lets the oldest message of an author go, and nothing older of theirs be taken again.
    pub(super) fn evict_of(&mut self, author: u8) -> Option<Left> {
        let at = self.entries.iter().position(|entry| entry.is_held() && entry.author() == author)?;
        if self.entries.iter().position(Entry::is_held) == Some(at) {
            return self.evict_oldest();
        }
        let left = self.let_go(at)?;
        if let Some(of) = self.authors.at(author) {
            of.floor = Some(left.item);
        }
        Some(left)
    }

    /// Makes a message that is held one that is known.
    fn let_go(&mut self, at: usize) -> Option<Left> {
        let entry = self.entries.get_mut(at).filter(|entry| entry.is_held())?;
        let left = Left { item: entry.item(), place: entry.place(), bytes: entry.bytes().into() };
        entry.set_place(Place::Gone);
        self.held -= 1;
        self.bytes -= left.bytes;
        let author = entry.author();
        if let Some(of) = self.authors.at(author) {
            of.messages -= 1;
            of.bytes -= left.bytes;
        }
        Some(left)
    }

    /// The oldest message held.
    pub(super) fn oldest(&self) -> Option<Item> {
        self.entries.iter().find(|entry| entry.is_held()).map(Entry::item)
    }

    /// Lets the oldest message go, and everything older be unknown: none of it is taken again.
    pub(super) fn evict_oldest(&mut self) -> Option<Left> {
        let at = self.entries.iter().position(Entry::is_held)?;
        let left = self.let_go(at)?;
        self.entries.drain(..=at);
        self.raise(left.item);
        Some(left)
    }

    /// Forgets the oldest message that is only known; whether there was one.
    pub(super) fn forget_oldest(&mut self) -> bool {
        let known = self.entries.iter().position(|entry| !entry.is_held());
        known.and_then(|at| self.entries.remove(at)).is_some()
    }

    /// Lets go of the messages that a test picks.
    pub(super) fn evict_where(&mut self, pick: impl Fn(&Entry) -> bool, left: &mut impl FnMut(Left)) {
        for at in 0..self.entries.len() {
            if self.entries.get(at).is_some_and(&pick)
                && let Some(gone) = self.let_go(at)
            {
                left(gone);
            }
        }
    }

    /// What was taken from the front by the log coming round is older than the history now.
    pub(super) fn trim_front(&mut self, was_held: impl Fn(&Item) -> bool) {
        while let Some(entry) = self.entries.front().filter(|entry| !entry.is_held() && was_held(&entry.item())) {
            let item = entry.item();
            self.entries.pop_front();
            self.raise(item);
        }
    }

    /// Forgets everything above a stamp, as if it had never been.
    pub(super) fn forget_beyond(&mut self, ceiling: u64, left: &mut impl FnMut(Left)) {
        while self.entries.back().is_some_and(|entry| entry.item().stamp > ceiling) {
            if let Some(gone) = self.let_go(self.entries.len() - 1) {
                left(gone);
            }
            self.entries.pop_back();
        }
    }

    /// Says where the body of a message is by now; whether it is held.
    pub(super) fn set_place(&mut self, item: &Item, place: Place) -> bool {
        let at = self.search(item).ok();
        let entry = at.and_then(|at| self.entries.get_mut(at)).filter(|entry| entry.is_held());
        match (entry, place) {
            (Some(entry), Place::Memory | Place::Log(_)) => entry.set_place(place),
            (Some(_), Place::Gone) => drop(at.and_then(|at| self.let_go(at))),
            (None, _) => return false,
        }
        true
    }

    fn raise(&mut self, item: Item) {
        self.floor = Some(self.floor.map_or(item, |floor| floor.min(item)));
    }
}

/// The newest first, as they are compared; what is known counts as what is held.
impl Items for Room {
    fn count(&self) -> usize {
        self.entries.len()
    }

    fn item(&self, at: usize) -> Option<Item> {
        self.entries.get(self.entries.len().checked_sub(at + 1)?).map(Entry::item)
    }

    fn holds(&self, at: usize) -> bool {
        let at = self.entries.len().checked_sub(at + 1);
        at.and_then(|at| self.entries.get(at)).is_some_and(Entry::is_held)
    }

    fn since(&self) -> u64 {
        self.floor.map_or(0, |floor| floor.stamp.saturating_add(1))
    }
}
