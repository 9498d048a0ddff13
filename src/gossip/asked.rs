//! Messages that were offered and asked for, until they come or nobody is left to be asked.

use super::message::Key;
use super::peer::PeerIndex;
use super::settings::{ASKED_MAX, ASKED_SHARE, ASKS_MAX, FOLLOW_UP_MS};
use crate::base::meter::Meter;
use alloc::{boxed::Box, collections::VecDeque};
use heapless::Deque;

/// Others who offered the same message and may be asked next. Guess: three in a row that do not answer are bad luck.
const OTHERS_MAX: usize = 3;

#[derive(Debug)]
struct Want {
    id: Box<[u8]>,
    of: PeerIndex,
    /// It is gone, or was asked for the last time.
    is_over: bool,
    asks: u8,
    others: Deque<PeerIndex, OTHERS_MAX>,
    due: u64,
}

/// What is asked for, oldest first.
#[derive(Debug)]
pub(super) struct Asked {
    wants: VecDeque<Want>,
    keys: VecDeque<Key>,
    meter: Meter,
}

impl Asked {
    pub(super) const fn new() -> Self {
        Self { wants: VecDeque::new(), keys: VecDeque::new(), meter: Meter::new(ASKED_MAX) }
    }

    /// A peer offers a message that is not here. True if it is to be asked for it now.
    pub(super) fn on_offer(&mut self, key: Key, id: &[u8], peer: PeerIndex, now: u64) -> bool {
        if let Some(at) = self.keys.iter().position(|known| *known == key) {
            if let Some(want) = self.wants.get_mut(at)
                && want.of != peer
                && !want.others.iter().any(|other| *other == peer)
            {
                // Three are enough.
                let _ = want.others.push_back(peer);
            }
            return false;
        }
        let of_it = self.wants.iter().filter(|want| want.of == peer).count();
        if of_it >= ASKED_MAX / ASKED_SHARE {
            self.meter.dropped();
            return false;
        }
        if self.wants.len() >= ASKED_MAX {
            // Whoever did not deliver for the longest time.
            self.remove(0);
            self.meter.dropped();
        }
        let due = now + FOLLOW_UP_MS;
        self.wants.push_back(Want { id: id.into(), of: peer, is_over: false, asks: 1, others: Deque::new(), due });
        self.keys.push_back(key);
        self.meter.note(self.wants.len());
        true
    }

    /// A message came: whether it was asked for.
    pub(super) fn on_arrived(&mut self, key: Key) -> bool {
        let at = self.keys.iter().position(|known| *known == key);
        at.into_iter().for_each(|at| self.remove(at));
        at.is_some()
    }

    /// A peer is gone: others are asked for what it was asked for.
    pub(super) fn on_gone(&mut self, peer: PeerIndex, now: u64) {
        for want in &mut self.wants {
            for _ in 0..want.others.len() {
                let other = want.others.pop_front();
                let _ = other.filter(|other| *other != peer).map(|other| want.others.push_back(other));
            }
            if want.of == peer {
                (want.due, want.is_over) = (now, true);
            }
        }
    }

    /// When somebody else is to be asked.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.wants.iter().map(|want| want.due).min()
    }

    /// One that is to be asked now, and for what. What nobody is left for is forgotten.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<(PeerIndex, &[u8])> {
        loop {
            let at = self.wants.iter().position(|want| want.due <= now)?;
            let next = self.wants.get_mut(at).and_then(|want| {
                let before = (!want.is_over).then_some(want.of);
                want.due = now + FOLLOW_UP_MS;
                want.of = want.others.pop_front().or(before)?;
                (want.is_over, want.asks) = (false, want.asks + 1);
                // Whoever was asked before stays one who may be asked again.
                let _ = before.filter(|before| *before != want.of).map(|before| want.others.push_back(before));
                (want.asks <= ASKS_MAX).then_some(want.of)
            });
            match next {
                Some(peer) => return self.wants.get(at).map(|want| (peer, &*want.id)),
                None => self.remove(at),
            }
        }
    }

    pub(super) const fn meter(&self) -> Meter {
        self.meter
    }

    fn remove(&mut self, at: usize) {
        self.keys.remove(at);
        self.wants.remove(at);
        self.meter.note(self.wants.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_asked_and_then_each_other_who_offered_it() {
        let mut asked = Asked::new();
        let peer = PeerIndex;
        assert!(asked.on_offer(Key(7), b"seven", peer(0), 0));
        for other in [0, 1, 1, 2, 3, 4] {
            assert!(!asked.on_offer(Key(7), b"seven", peer(other), 10));
        }
        assert_eq!((asked.next_due(), asked.pop_due(FOLLOW_UP_MS - 1)), (Some(FOLLOW_UP_MS), None));
        assert_eq!(asked.pop_due(FOLLOW_UP_MS), Some((peer(1), &b"seven"[..])));
        assert_eq!(asked.pop_due(FOLLOW_UP_MS), None);
        asked.on_gone(peer(2), 4_000);
        asked.on_gone(peer(1), 4_000);
        assert_eq!(asked.pop_due(4_000), Some((peer(3), &b"seven"[..])), "at once, as the other is gone");
        assert_eq!(asked.pop_due(60_000), None, "three times are enough");
        assert_eq!((asked.next_due(), asked.meter().length), (None, 0));
        assert!(asked.on_offer(Key(8), b"eight", peer(5), 0));
        assert_eq!(asked.pop_due(10_000), Some((peer(5), &b"eight"[..])), "also of one alone");
        asked.on_gone(peer(5), 10_001);
        assert_eq!(asked.pop_due(10_001), None, "but not of one who is gone");
        assert!(asked.on_offer(Key(7), b"seven", peer(5), 60_000));
        assert!(asked.on_arrived(Key(7)) && !asked.on_arrived(Key(7)));
        assert_eq!(asked.next_due(), None);
    }

    #[test]
    fn however_much_is_offered_only_so_much_is_waited_for_and_not_from_one() {
        let mut asked = Asked::new();
        let of_one = (0..10_000).filter(|key| asked.on_offer(Key(*key), b"x", PeerIndex(0), 0)).count();
        assert_eq!(of_one, ASKED_MAX / ASKED_SHARE);
        for key in 10_000..100_000 {
            asked.on_offer(Key(key), b"x", PeerIndex(key as u16 % 50), 0);
            assert!(asked.wants.len() <= ASKED_MAX && asked.keys.len() == asked.wants.len());
        }
        assert_eq!(asked.meter().high_water, ASKED_MAX);
    }
}
