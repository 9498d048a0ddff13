//! A room's topic and who is in it.

use super::level::Level;
use super::peer::PeerIndex;
use super::settings::{
    IDLE_AFTER, IDLE_OFFER_MS, IDLE_OFFERS, IDLE_STEP_MS, LEFT_MS, MERIT_HALF_MS, OFFERS, REDUNDANT_AFTER,
};
use crate::base::meter::Meter;
use alloc::{boxed::Box, collections::VecDeque, vec::Vec};

/// A joined topic's number, given by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicIndex(pub u16);

/// Merit counts no further: a flood of messages is worth no more than a conversation.
const MERIT_MAX: u32 = 32_000;
/// What one message, brought first or asked for, adds to a merit.
const MERIT: u32 = 1_000;

/// A connected peer in a topic.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub peer: PeerIndex,
    pub in_mesh: bool,
    /// Until then neither asks the other into its mesh.
    pub backoff_until: u64,
    /// Of what is younger than these it was told at the last heartbeats, the oldest first.
    marks: [u64; OFFERS],
    first: Level,
    asked: Level,
    /// Messages sent to it since it last gave a sign of life here, and then those offered, and when the last of these was
    /// counted. Of a flood few are: nobody can answer each of it in time.
    unproven: u8,
    counted_at: u64,
    /// It was idle when it lost its place, and has shown nothing since.
    pub is_idle: bool,
    /// Messages in a row that crossed with ours.
    crossed: u8,
}

impl Member {
    pub(super) fn new(peer: PeerIndex, backoff_until: u64) -> Self {
        let (first, asked) = (Level::default(), Level::default());
        Self {
            peer,
            in_mesh: false,
            backoff_until,
            marks: [0; OFFERS],
            first,
            asked,
            unproven: 0,
            counted_at: 0,
            is_idle: false,
            crossed: 0,
        }
    }

    /// It was the first to bring a message.
    pub(super) fn on_first(&mut self, now: u64) {
        self.first.add(MERIT, MERIT_MAX, MERIT_HALF_MS, now);
    }

    /// It sent a message, or asked for one that we offered: somebody is there who takes part.
    pub(super) fn on_sign_of_life(&mut self) {
        (self.unproven, self.is_idle) = (0, false);
    }

    /// It asked for a message: it has nobody who is faster.
    pub(super) fn on_asked(&mut self, now: u64) {
        self.asked.add(MERIT, MERIT_MAX, MERIT_HALF_MS, now);
        self.crossed = 0;
        self.on_sign_of_life();
    }

    /// A message came from it that we had sent to it, or offered.
    pub(super) fn on_crossed(&mut self) {
        self.crossed = self.crossed.saturating_add(1);
    }

    /// A message is sent to it.
    pub(super) fn on_sent(&mut self, now: u64) {
        if !self.is_unproven() && (self.unproven == 0 || now >= self.counted_at + IDLE_STEP_MS) {
            (self.unproven, self.counted_at) = (self.unproven + 1, now);
        }
    }

    /// A message is offered to it, which it would ask for if it were there and had it not.
    pub(super) fn on_offered(&mut self, now: u64) {
        let is_next = self.unproven == IDLE_AFTER || now >= self.counted_at + IDLE_OFFER_MS;
        if self.is_unproven() && self.unproven < IDLE_AFTER + IDLE_OFFERS && is_next {
            (self.unproven, self.counted_at) = (self.unproven + 1, now);
        }
    }

    /// Whether it was sent so much without a sign of life that it is offered the next.
    pub(super) const fn is_unproven(&self) -> bool {
        self.unproven >= IDLE_AFTER
    }

    /// Whether what goes to it and what comes from it crosses each time.
    pub(super) const fn is_crossing(&self) -> bool {
        self.crossed >= REDUNDANT_AFTER
    }

    /// When the last of the offers was made that it had to answer to keep its place, if it answered none.
    pub(super) fn idle_since(&self) -> Option<u64> {
        (self.unproven >= IDLE_AFTER + IDLE_OFFERS).then_some(self.counted_at)
    }

    /// What its place is worth.
    pub(super) fn merit(&self, now: u64) -> u32 {
        2 * self.first.value(MERIT_HALF_MS, now) + self.asked.value(MERIT_HALF_MS, now)
    }

    /// Whether it asked for so much lately that it seems to hear nothing in time from others.
    pub(super) fn is_underserved(&self, now: u64) -> bool {
        self.asked.value(MERIT_HALF_MS, now) > MERIT
    }

    /// From where on it is told what there is.
    pub(super) fn told_from(&self) -> u64 {
        self.marks.first().copied().unwrap_or_default()
    }

    /// What is younger it was never told of.
    pub(super) fn told_last(&self) -> u64 {
        self.marks.last().copied().unwrap_or_default()
    }

    /// It was told of everything before `serial` once more.
    pub(super) fn on_told(&mut self, serial: u64) {
        self.marks.rotate_left(1);
        if let Some(last) = self.marks.last_mut() {
            *last = serial;
        }
    }

    /// What begins with `serial` did not reach it.
    pub(super) fn on_missed(&mut self, serial: u64) {
        self.marks.iter_mut().for_each(|mark| *mark = serial.min(*mark));
    }
}

/// A joined topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub index: TopicIndex,
    pub name: Box<[u8]>,
    pub hash: u64,
    /// Whether two who say the same say the same message.
    pub by_content: bool,
    /// In the order of their numbers.
    members: Vec<Member>,
}

impl Topic {
    pub(super) fn member(&mut self, peer: PeerIndex) -> Option<&mut Member> {
        let at = self.members.binary_search_by_key(&peer, |member| member.peer).ok()?;
        self.members.get_mut(at)
    }

    /// False if it is in the topic already.
    pub(super) fn insert(&mut self, member: Member) -> bool {
        match self.members.binary_search_by_key(&member.peer, |member| member.peer) {
            Ok(_) => false,
            Err(at) => {
                self.members.insert(at, member);
                true
            }
        }
    }

    pub(super) fn remove(&mut self, peer: PeerIndex) -> Option<Member> {
        let at = self.members.binary_search_by_key(&peer, |member| member.peer).ok()?;
        Some(self.members.remove(at))
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut()
    }

    /// Its name and its members.
    pub(super) fn split(&mut self) -> (&[u8], impl Iterator<Item = &mut Member>) {
        (&self.name, self.members.iter_mut())
    }

    pub(super) fn in_mesh(&self) -> usize {
        self.members.iter().filter(|member| member.in_mesh).count()
    }
}

/// The joined topics.
#[derive(Debug)]
pub(super) struct Topics {
    topics: Vec<Topic>,
    meter: Meter,
    /// Names of those left, and when: as many as may be joined.
    left: VecDeque<(Box<[u8]>, u64)>,
}

impl Topics {
    pub(super) fn new(capacity: usize) -> Self {
        Self { topics: Vec::new(), meter: Meter::new(capacity), left: VecDeque::new() }
    }

    /// False if the topic is joined, its number is taken, or there are too many.
    pub(super) fn join(&mut self, index: TopicIndex, name: &[u8], hash: u64, by_content: bool) -> bool {
        let is_known = self.topics.iter().any(|topic| topic.index == index || *topic.name == *name);
        if is_known || self.topics.len() >= self.meter.capacity {
            self.meter.dropped();
            return false;
        }
        self.topics.push(Topic { index, name: name.into(), hash, by_content, members: Vec::new() });
        self.meter.note(self.topics.len());
        self.left.retain(|(left, _)| **left != *name);
        true
    }

    pub(super) fn leave(&mut self, index: TopicIndex, now: u64) -> Option<Topic> {
        let at = self.topics.iter().position(|topic| topic.index == index)?;
        let topic = self.topics.remove(at);
        self.meter.note(self.topics.len());
        if self.left.len() >= self.meter.capacity {
            self.left.pop_front();
        }
        self.left.push_back((topic.name.clone(), now));
        Some(topic)
    }

    /// Names of those left lately.
    pub(super) fn left(&self, now: u64) -> impl Iterator<Item = &[u8]> {
        self.left.iter().filter(move |(_, at)| now < at + LEFT_MS).map(|(name, _)| &**name)
    }

    pub(super) fn named(&self, name: &[u8]) -> Option<TopicIndex> {
        self.topics.iter().find(|topic| *topic.name == *name).map(|topic| topic.index)
    }

    pub(super) fn find(&self, index: TopicIndex) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.index == index)
    }

    pub(super) fn find_mut(&mut self, index: TopicIndex) -> Option<&mut Topic> {
        self.topics.iter_mut().find(|topic| topic.index == index)
    }

    pub(super) fn hashed(&mut self, hash: u64) -> Option<&mut Topic> {
        self.topics.iter_mut().find(|topic| topic.hash == hash)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.topics.iter_mut()
    }

    pub(super) fn member(&mut self, topic: TopicIndex, peer: PeerIndex) -> Option<&mut Member> {
        self.find_mut(topic)?.member(peer)
    }

    pub(super) const fn meter(&self) -> Meter {
        self.meter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_takes_as_much_memory_as_is_counted() {
        assert!(size_of::<Member>() <= 128, "{}: boards/memory.rs", size_of::<Member>());
    }

    #[test]
    fn what_is_told_three_times_is_told_no_more_and_what_was_missed_is_told_again() {
        let mut member = Member::new(PeerIndex(0), 0);
        for (serial, from) in [(10, 0), (20, 0), (30, 10), (30, 20), (30, 30), (40, 30)] {
            member.on_told(serial);
            assert_eq!(member.told_from(), from, "after {serial}");
        }
        member.on_missed(25);
        assert_eq!(member.told_from(), 25);
        (0..2).for_each(|_| member.on_told(50));
        assert_eq!(member.told_from(), 25);
        member.on_told(50);
        assert_eq!(member.told_from(), 50);
    }

    #[test]
    fn who_gives_no_sign_is_offered_and_then_idle_until_it_asks() {
        let mut member = Member::new(PeerIndex(0), 0);
        for at in 0..u64::from(IDLE_AFTER) {
            assert!(!member.is_unproven());
            // However many are sent at once.
            (0..100).for_each(|_| member.on_sent(at * IDLE_STEP_MS));
        }
        assert!(member.is_unproven() && member.idle_since().is_none());
        for at in 0..u64::from(IDLE_OFFERS) {
            assert_eq!(member.idle_since(), None);
            (0..100).for_each(|_| member.on_offered(10_000 + at * IDLE_OFFER_MS));
        }
        assert_eq!(member.idle_since(), Some(10_000 + 2 * IDLE_OFFER_MS));
        member.on_asked(100);
        assert!(!member.is_unproven() && !member.is_underserved(100) && member.merit(100) == MERIT);
        member.on_asked(100);
        assert!(member.is_underserved(100));
        (0..REDUNDANT_AFTER).for_each(|_| member.on_crossed());
        assert!(member.is_crossing());
        member.on_asked(100);
        assert!(!member.is_crossing());
        (0..1_000).for_each(|_| member.on_first(100));
        assert_eq!(member.merit(100), 2 * MERIT_MAX + 3 * MERIT);
    }
}
