//! Whole messages: those that wait for a verdict, and those that are kept to be offered and handed out.

use super::message::{Key, Signed};
use super::peer::{PeerIndex, PeerSet};
use super::settings::PENDING_MAX;
use super::shares::Shares;
use super::topic::TopicIndex;
use crate::base::meter::Meter;
use alloc::{boxed::Box, collections::VecDeque};

/// A message and who has it.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: Key,
    /// Higher than every message's that was kept before it; zero while it waits.
    pub serial: u64,
    pub topic: TopicIndex,
    pub id: Box<[u8]>,
    pub message: Signed,
    /// Its author: a hash.
    pub author: u32,
    pub is_own: bool,
    /// Who brought it, while it waits for a verdict.
    pub from: Option<PeerIndex>,
    /// Those who showed that they have it.
    pub has: PeerSet,
    /// Those it was sent to.
    pub sent: PeerSet,
    /// When it was kept.
    pub at: u64,
}

impl Entry {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.id.len() + self.message.frame().len()
    }

    /// Whether it waits for a verdict.
    pub(super) const fn is_pending(&self) -> bool {
        self.serial == 0
    }
}

/// Bounded by number and bytes: whoever said most makes room, so that one who says much cannot drive out the rest.
#[derive(Debug)]
pub(super) struct Store {
    /// In the order in which they were kept, those that wait behind them.
    entries: VecDeque<Entry>,
    /// The key and the author of each, close together to be searched.
    keys: VecDeque<(Key, u32)>,
    shares: Shares,
    pending: Meter,
    count: Meter,
    bytes: Meter,
    next_serial: u64,
}

impl Store {
    pub(super) fn new(messages: usize, bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            keys: VecDeque::new(),
            shares: Shares::default(),
            pending: Meter::new(PENDING_MAX.min(messages)),
            count: Meter::new(messages),
            bytes: Meter::new(bytes),
            next_serial: 1,
        }
    }

    pub(super) fn find(&mut self, key: Key) -> Option<&mut Entry> {
        let at = self.place(key)?;
        self.entries.get_mut(at)
    }

    /// The serial that the next message gets.
    pub(super) const fn next_serial(&self) -> u64 {
        self.next_serial
    }

    /// Keeps a message. One of the same key gives way.
    pub(super) fn keep(&mut self, entry: Entry, now: u64) {
        self.insert(entry, false, now);
    }

    /// Has a message wait for a verdict.
    pub(super) fn await_verdict(&mut self, entry: Entry, now: u64) {
        self.insert(entry, true, now);
    }

    fn insert(&mut self, mut entry: Entry, is_pending: bool, now: u64) {
        self.take(entry.key);
        if is_pending && self.pending.length >= self.pending.capacity {
            self.pending.dropped();
            let oldest = self.entries.iter().find(|entry| entry.is_pending()).map(|entry| entry.key);
            oldest.map(|oldest| self.take(oldest));
        }
        (entry.serial, entry.at) = (if is_pending { 0 } else { self.next_serial }, now);
        self.next_serial += u64::from(!is_pending);
        let bytes = entry.bytes();
        while !self.entries.is_empty()
            && (self.entries.len() >= self.count.capacity || self.bytes.length + bytes > self.bytes.capacity)
        {
            self.evict(entry.author);
        }
        self.shares.add(entry.author);
        // What waits stays behind what is kept, so that the latter is in order.
        let at = if is_pending { self.entries.len() } else { self.entries.len() - self.pending.length };
        self.keys.insert(at, (entry.key, entry.author));
        self.entries.insert(at, entry);
        self.note(self.bytes.length + bytes, self.pending.length + usize::from(is_pending));
    }

    /// Takes a message out.
    pub(super) fn take(&mut self, key: Key) -> Option<Entry> {
        let at = self.place(key)?;
        self.remove(at)
    }

    /// Takes out one that waits for a verdict.
    pub(super) fn take_pending(&mut self, key: Key) -> Option<Entry> {
        let at = self.place(key).filter(|at| self.entries.get(*at).is_some_and(Entry::is_pending))?;
        self.remove(at)
    }

    /// What was kept from a serial on, oldest first.
    pub(super) fn kept_from(&self, serial: u64) -> impl Iterator<Item = &Entry> {
        let kept = self.entries.len() - self.pending.length;
        let from = self.entries.partition_point(|entry| !entry.is_pending() && entry.serial < serial);
        self.entries.range(from.min(kept)..kept)
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut()
    }

    /// Lets everything of a topic go.
    pub(super) fn forget(&mut self, topic: TopicIndex) {
        while let Some(at) = self.entries.iter().position(|entry| entry.topic == topic) {
            self.remove(at);
        }
    }

    /// Messages that wait, messages in all, and their bytes of memory; drops are those that made room.
    pub(super) const fn meters(&self) -> [Meter; 3] {
        [self.pending, self.count, self.bytes]
    }

    fn place(&self, key: Key) -> Option<usize> {
        self.keys.iter().rposition(|(known, _)| *known == key)
    }

    fn evict(&mut self, author: u32) {
        let heaviest = self.shares.heaviest(author);
        let at = self.keys.iter().position(|(_, author)| *author == heaviest).unwrap_or_default();
        if self.remove(at).is_some() {
            self.count.dropped();
        }
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        self.keys.remove(at);
        let entry = self.entries.remove(at)?;
        self.shares.remove(entry.author);
        let pending = self.pending.length - usize::from(entry.is_pending());
        self.note(self.bytes.length.saturating_sub(entry.bytes()), pending);
        Some(entry)
    }

    fn note(&mut self, bytes: usize, pending: usize) {
        self.pending.note(pending);
        self.count.note(self.entries.len());
        self.bytes.note(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::rpc::Message;
    use alloc::vec::Vec;

    fn entry(number: u64, author: u32) -> Entry {
        let message = Message {
            from: Some(b"author"),
            data: Some(&[7; 100]),
            seqno: Some(&[0; 8]),
            topic: Some(b"lobby"),
            signature: Some(&[1; 64]),
            key: None,
        };
        Entry {
            key: Key(number),
            serial: 0,
            topic: TopicIndex(number as u16 % 2),
            id: (*b"id").into(),
            message: Signed::new(&message).unwrap(),
            author,
            is_own: false,
            from: Some(PeerIndex(0)),
            has: PeerSet::default(),
            sent: PeerSet::default(),
            at: 0,
        }
    }

    fn kept(store: &Store, from: u64) -> Vec<u64> {
        store.kept_from(from).map(|entry| entry.key.0).collect()
    }

    #[test]
    fn what_waits_is_kept_in_the_order_of_the_verdicts() {
        let mut store = Store::new(10, 100_000);
        (1..=4).for_each(|number| store.await_verdict(entry(number, 1), 5));
        store.keep(entry(9, 1), 5);
        assert_eq!(kept(&store, 0), [9]);
        for number in [3, 1] {
            let waiting = store.take_pending(Key(number)).unwrap();
            store.keep(waiting, 6);
        }
        assert!(store.take_pending(Key(3)).is_none());
        assert_eq!(
            (kept(&store, 0), kept(&store, 2), kept(&store, 4)),
            (Vec::from([9, 3, 1]), Vec::from([3, 1]), Vec::new())
        );
        store.keep(entry(9, 1), 7);
        assert_eq!(
            (kept(&store, 0), store.meters()[0].length),
            (Vec::from([3, 1, 9]), 2),
            "the new one is in its place"
        );
        store.forget(TopicIndex(1));
        assert_eq!((kept(&store, 0), store.meters()[1].length), (Vec::new(), 2));
    }

    #[test]
    fn bounds_hold_and_one_who_says_much_drives_out_nobody() {
        let mut store = Store::new(20, 1_000_000);
        store.keep(entry(1, 1), 0);
        for number in 2..1_000 {
            if number % 3 == 0 {
                store.await_verdict(entry(number, 2), 0)
            } else {
                store.keep(entry(number, 2), 0)
            }
            store.await_verdict(entry(10_000 + number, number as u32 % 2 + 3), 0);
            let [pending, count, bytes] = store.meters();
            assert!(pending.length <= pending.capacity && count.length <= 20 && bytes.length <= bytes.capacity);
        }
        assert!(kept(&store, 0).contains(&1));
        let mut small = Store::new(20, 1_500);
        (1..100).for_each(|number| small.keep(entry(number, number as u32), 0));
        assert!(small.meters()[1].high_water > 1 && small.meters()[2].high_water <= 1_500, "{:?}", small.meters());
    }

    #[test]
    fn too_many_that_wait_let_the_oldest_go() {
        let mut store = Store::new(1_000, 10_000_000);
        (0..=PENDING_MAX as u64).for_each(|number| store.await_verdict(entry(number, number as u32), 0));
        assert!(store.find(Key(0)).is_none() && store.find(Key(1)).is_some());
        assert_eq!((store.meters()[0].length, store.meters()[0].drops), (PENDING_MAX, 1));
    }
}
