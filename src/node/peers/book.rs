//! The address book: peers we could dial, each with who told us of it. It dials nobody.
//!
//! Each kind of peer has places of its own, and so has each announcer: what strangers say, however much, pushes out
//! neither whom we met nor what other strangers said.

mod entry;

pub use entry::{Entry, Kind};

use super::{
    address::{Multiaddr, PeerId, Scope, Topic, ip_of, without_peer},
    source::{Announcer, Doubt, Source, Teller, believe},
};
use crate::base::random::Random;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Peers that other peers told us of (count). Source: HyParView's passive view, six times the active one.
pub const TOLD_MAX: usize = 48;
/// Peers from look-ups in the DHT (count): two look-ups at their fullest.
pub const WIDE_MAX: usize = 64;
/// Peers heard by mDNS (count). Of a larger LAN each peer keeps others, by chance.
pub const LAN_MAX: usize = 96;
/// Peers that the user or an earlier run named (count): as many as a board remembers, and the bootstrap nodes.
pub const GIVEN_MAX: usize = 80;
/// Peers we met and that are not connected now (count), beside those who are.
pub const MET_SPARE: usize = 32;
/// Peers that one host of a link may name (count): so many programs on one machine are seen side by side.
pub const OF_HOST_MAX: usize = 16;
/// Peers that the look-ups of one topic may bring, over all who answer (count).
pub const OF_LOOKUP_MAX: usize = 32;
/// Peers that one peer may tell us of (count).
pub const OF_PEER_MAX: usize = 8;
/// Topics kept of a peer that left (count): we dial it again if one is ours, and recommend it to others by them.
pub const TOPICS_KEPT_MAX: usize = 8;
/// Peers in one recommendation (count): twice the neighbours that a small board looks for.
pub const RECOMMENDED_MAX: usize = 8;
/// Seconds for which a peer that left is recommended. Most of those who left later than that have moved or are off.
const RECOMMENDED_S: u64 = 600;

/// What became of something noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The peer or its address is new.
    New,
    /// It is known already.
    Known,
    /// It is not believed.
    Doubted(Doubt),
    /// Everyone who could make room is connected.
    Full,
}

/// What became of something noted, and who had to leave for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// What became of it.
    pub outcome: Outcome,
    /// The peer that is no longer in the book.
    pub evicted: Option<PeerId>,
}

/// The book.
#[derive(Debug)]
pub struct AddressBook {
    local: PeerId,
    addresses_max: usize,
    met_max: usize,
    entries: BTreeMap<PeerId, Entry>,
    random: Random,
}

impl AddressBook {
    /// An empty book that keeps `addresses_max` addresses a peer. `connections_max` peers may be connected.
    pub fn new(local: PeerId, addresses_max: usize, connections_max: usize, random: Random) -> Self {
        let met_max = connections_max + MET_SPARE;
        AddressBook { local, addresses_max: addresses_max.max(1), met_max, entries: BTreeMap::new(), random }
    }

    /// Peers of a kind that the book has room for.
    pub fn capacity(&self, kind: Kind) -> usize {
        match kind {
            Kind::Told => TOLD_MAX,
            Kind::Wide => WIDE_MAX,
            Kind::Lan => LAN_MAX,
            Kind::Given => GIVEN_MAX,
            Kind::Met => self.met_max,
        }
    }

    /// Peers of a kind that are in it.
    pub fn count(&self, kind: Kind) -> usize {
        self.entries.values().filter(|entry| entry.kind == kind).count()
    }

    /// Somebody said that a peer is there, and at which address. `on_link` tells, for what mDNS brings, whether the
    /// address is on the link that it was heard on.
    pub fn note(
        &mut self,
        peer: PeerId,
        address: Option<&Multiaddr>,
        source: Source,
        teller: &Teller,
        on_link: bool,
        now: Instant,
    ) -> Noted {
        let refused = |outcome| Noted { outcome, evicted: None };
        if peer == self.local {
            return refused(Outcome::Known);
        }
        let address = address.map(|address| without_peer(address.clone()));
        if let Some(Err(doubt)) = address.as_ref().map(|address| believe(address, source, teller, on_link)) {
            return refused(Outcome::Doubted(doubt));
        }
        let (kind, by) = (Kind::from(source), teller.announcer);
        let known = self.entries.get(&peer).map(|entry| entry.kind);
        let mut evicted = None;
        if known.is_none_or(|known| known < kind) {
            match self.make_room(kind, by) {
                Ok(peer) => evicted = peer,
                Err(()) => return refused(Outcome::Full),
            }
        }
        let entry = self.entries.entry(peer).or_insert_with(|| Entry::new(kind, by, now));
        if entry.kind < kind {
            (entry.kind, entry.by) = (kind, by);
        }
        entry.is_live |= source == Source::Mdns;
        entry.seen = now;
        let is_verified = source == Source::Dialled;
        let is_new = address.is_some_and(|address| entry.add(address, by, is_verified, self.addresses_max));
        Noted { outcome: if is_new || known.is_none() { Outcome::New } else { Outcome::Known }, evicted }
    }

    /// Room for one more of a kind: nobody has to leave, or this one had to. Err if nobody can.
    fn make_room(&mut self, kind: Kind, by: Announcer) -> Result<Option<PeerId>, ()> {
        let of_one_max = match by {
            Announcer::Us => usize::MAX,
            Announcer::Host(_) => OF_HOST_MAX,
            Announcer::LookUp(_) => OF_LOOKUP_MAX,
            Announcer::Peer(_) => OF_PEER_MAX,
        };
        let of = |by: Announcer| self.entries.values().filter(|entry| entry.kind == kind && entry.by == by).count();
        let is_over = kind != Kind::Met && of(by) >= of_one_max;
        if !is_over && self.count(kind) < self.capacity(kind) {
            return Ok(None);
        }
        let mut counts: BTreeMap<Announcer, usize> = BTreeMap::new();
        self.entries.values().filter(|entry| entry.kind == kind).for_each(|e| *counts.entry(e.by).or_default() += 1);
        let mut worst = None;
        for (peer, entry) in self.entries.iter().filter(|(_, entry)| entry.kind == kind && !entry.is_held) {
            if is_over && entry.by != by {
                continue;
            }
            let crowd = if kind == Kind::Met { 0 } else { counts.get(&entry.by).copied().unwrap_or(0) };
            let oldest = (kind == Kind::Met).then_some(std::cmp::Reverse(entry.seen));
            let rank = (entry.failures(), crowd, oldest, self.random.number());
            if worst.as_ref().is_none_or(|(most, _)| rank > *most) {
                worst = Some((rank, *peer));
            }
        }
        let (_, peer) = worst.ok_or(())?;
        self.entries.remove(&peer);
        Ok(Some(peer))
    }

    /// A connection to a peer stands. `dialled` is where we reached it. It stays in the book until it is gone.
    pub fn on_met(&mut self, peer: PeerId, dialled: Option<&Multiaddr>, now: Instant) -> Noted {
        let source = if dialled.is_some() { Source::Dialled } else { Source::Inbound };
        let noted = self.note(peer, dialled, source, &Teller::US, false, now);
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.is_held = true;
            dialled.into_iter().for_each(|address| entry.on_reached(&without_peer(address.clone())));
        }
        noted
    }

    /// A peer said that it listens there. What is at the IP address it speaks from is as good as verified.
    pub fn on_identified(&mut self, peer: PeerId, listen: &[Multiaddr], from: Option<std::net::IpAddr>, now: Instant) {
        let teller = Teller { announcer: Announcer::Peer(peer), scope: from.map_or(Scope::World, Scope::of) };
        for address in listen.iter().take(self.addresses_max) {
            self.note(peer, Some(address), Source::Identify, &teller, false, now);
            if let (true, Some(entry)) = (from.is_some() && ip_of(address) == from, self.entries.get_mut(&peer)) {
                entry.verify(&without_peer(address.clone()));
            }
        }
    }

    /// The last connection to a peer is gone; it was in these topics.
    pub fn on_gone(&mut self, peer: &PeerId, topics: impl Iterator<Item = Topic>, now: Instant) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.is_held = false;
            entry.seen = now;
            entry.topics = topics.take(TOPICS_KEPT_MAX).collect();
        }
    }

    /// A connected peer is in these topics.
    pub fn on_topics(&mut self, peer: &PeerId, topics: impl Iterator<Item = Topic>) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.topics = topics.take(TOPICS_KEPT_MAX).collect();
        }
    }

    /// A peer was not reached at these addresses.
    pub fn on_missed(&mut self, peer: &PeerId, missed: &[Multiaddr]) {
        self.entries.get_mut(peer).into_iter().for_each(|entry| entry.on_missed(missed));
    }

    /// Another peer is at this address.
    pub fn on_wrong(&mut self, peer: &PeerId, address: &Multiaddr) {
        let address = without_peer(address.clone());
        self.entries.get_mut(peer).into_iter().for_each(|entry| entry.remove(&address));
    }

    /// mDNS hears a peer no more.
    pub fn on_expired(&mut self, peer: &PeerId) {
        self.entries.get_mut(peer).into_iter().for_each(|entry| entry.is_live = false);
    }

    /// A peer started afresh, or we are elsewhere: what failed before may work now.
    pub fn forgive(&mut self, peer: &PeerId) {
        self.entries.get_mut(peer).into_iter().for_each(Entry::forgive);
    }

    /// Forgets a peer that is not connected.
    pub fn forget(&mut self, peer: &PeerId) -> bool {
        let is_held = self.entries.get(peer).is_none_or(|entry| entry.is_held);
        !is_held && self.entries.remove(peer).is_some()
    }

    /// What is known of a peer.
    pub fn entry(&self, peer: &PeerId) -> Option<&Entry> {
        self.entries.get(peer)
    }

    /// Everyone in the book.
    pub fn entries(&self) -> impl Iterator<Item = (&PeerId, &Entry)> {
        self.entries.iter()
    }

    /// Some peers for one that asks: we met them lately at an address that was verified and has a meaning where it
    /// asks from, and they are in a topic that it is in.
    pub fn recommend(
        &mut self,
        asker: &PeerId,
        topics: impl Fn(&Topic) -> bool,
        scope: Scope,
        now: Instant,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let is_near = |entry: &Entry| {
            entry.is_held || now.saturating_duration_since(entry.seen) < Duration::from_secs(RECOMMENDED_S)
        };
        let mut chosen: Vec<(PeerId, Vec<Multiaddr>)> = Vec::new();
        let mut so_far = 0;
        for (peer, entry) in self.entries.iter().filter(|(peer, entry)| *peer != asker && is_near(entry)) {
            if entry.kind != Kind::Met || !entry.topics.iter().any(&topics) {
                continue;
            }
            let addresses: Vec<Multiaddr> = entry.recommendable(scope).cloned().collect();
            if addresses.is_empty() {
                continue;
            }
            // Each has the same chance to be among the chosen. Source: Vitter 1985, algorithm R.
            so_far += 1;
            let place = self.random.below(so_far) as usize;
            if chosen.len() < RECOMMENDED_MAX {
                chosen.push((*peer, addresses));
            } else if let Some(former) = chosen.get_mut(place) {
                *former = (*peer, addresses);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests;
