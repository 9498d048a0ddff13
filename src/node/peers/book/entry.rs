//! A peer in the book: how well it is known, and where it may be.

use super::super::{
    address::{Multiaddr, Scope, Topic, ip_of},
    source::{Announcer, Source},
};
use std::{cmp::Reverse, time::Instant};

/// How well a peer is known, from hearsay to having met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Another peer told us.
    Told,
    /// The DHT did.
    Wide,
    /// mDNS did.
    Lan,
    /// The user or an earlier run did.
    Given,
    /// A connection stood.
    Met,
}

impl From<Source> for Kind {
    fn from(source: Source) -> Self {
        match source {
            Source::Told => Kind::Told,
            Source::Dht => Kind::Wide,
            Source::Mdns => Kind::Lan,
            Source::Remembered | Source::Bootstrap | Source::User => Kind::Given,
            Source::Identify | Source::Inbound | Source::Dialled => Kind::Met,
        }
    }
}

#[derive(Debug, Clone)]
struct Known {
    address: Multiaddr,
    by: Announcer,
    /// We reached it there, or it spoke to us from that IP address.
    is_verified: bool,
    failures: u32,
}

/// A peer in the book.
#[derive(Debug)]
pub struct Entry {
    pub(super) kind: Kind,
    pub(super) by: Announcer,
    /// The best last.
    addresses: Vec<Known>,
    pub(super) topics: Vec<Topic>,
    pub(super) is_live: bool,
    pub(super) is_held: bool,
    pub(super) seen: Instant,
}

impl Entry {
    pub(super) fn new(kind: Kind, by: Announcer, seen: Instant) -> Self {
        Entry { kind, by, addresses: Vec::new(), topics: Vec::new(), is_live: false, is_held: false, seen }
    }

    /// How well it is known.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who is to blame for it.
    pub fn by(&self) -> Announcer {
        self.by
    }

    /// Whether it is connected.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether mDNS hears it now.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// When it was last heard of, or left.
    pub fn seen(&self) -> Instant {
        self.seen
    }

    /// Whether it is in a topic of these, as far as that is known.
    pub fn shares(&self, ours: impl Fn(&Topic) -> bool) -> Option<bool> {
        match (self.kind, self.by) {
            (Kind::Wide, Announcer::LookUp(topic)) => Some(ours(&topic)),
            (Kind::Met, _) => Some(self.topics.iter().any(ours)),
            _ => None,
        }
    }

    /// Where it may be, the most promising first.
    pub fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.addresses.iter().rev().map(|known| &known.address)
    }

    /// The same, with who named each and whether it was verified.
    pub fn claims(&self) -> impl Iterator<Item = (&Multiaddr, Announcer, bool)> {
        self.addresses.iter().rev().map(|known| (&known.address, known.by, known.is_verified))
    }

    /// How often the address that failed least has failed in a row.
    pub fn failures(&self) -> u32 {
        self.addresses.iter().map(|known| known.failures).min().unwrap_or(0)
    }

    pub(super) fn add(&mut self, address: Multiaddr, by: Announcer, is_verified: bool, most: usize) -> bool {
        if let Some(at) = self.addresses.iter().position(|known| known.address == address) {
            self.addresses.get_mut(at).into_iter().for_each(|known| known.is_verified |= is_verified);
            return false;
        }
        if self.addresses.len() >= most {
            let of = |by| self.addresses.iter().filter(|known| known.by == by && !known.is_verified).count();
            let worst = self.addresses.iter().enumerate().filter(|(_, known)| !known.is_verified || is_verified);
            let key =
                |(at, known): &(usize, &Known)| (!known.is_verified, of(known.by), known.failures, usize::MAX - at);
            let Some((at, _)) = worst.max_by_key(key) else { return false };
            self.addresses.remove(at);
        }
        self.addresses.push(Known { address, by, is_verified, failures: 0 });
        self.sort();
        true
    }

    /// The best last: what failed least, then what was verified, then what was named last.
    fn sort(&mut self) {
        self.addresses.sort_by_key(|known| (Reverse(known.failures), known.is_verified));
    }

    pub(super) fn verify(&mut self, address: &Multiaddr) {
        self.addresses.iter_mut().filter(|known| known.address == *address).for_each(|known| known.is_verified = true);
        self.sort();
    }

    pub(super) fn on_reached(&mut self, address: &Multiaddr) {
        self.addresses.iter_mut().filter(|known| known.address == *address).for_each(|known| known.failures = 0);
        self.addresses.sort_by_key(|known| known.address == *address);
        self.sort();
    }

    pub(super) fn on_missed(&mut self, missed: &[Multiaddr]) {
        for known in self.addresses.iter_mut().filter(|known| missed.contains(&known.address)) {
            known.failures = known.failures.saturating_add(1);
        }
        self.sort();
    }

    pub(super) fn remove(&mut self, address: &Multiaddr) {
        self.addresses.retain(|known| known.address != *address);
    }

    pub(super) fn forgive(&mut self) {
        self.addresses.iter_mut().for_each(|known| known.failures = 0);
    }

    /// What may be told to somebody who asks from there.
    pub(super) fn recommendable(&self, scope: Scope) -> impl Iterator<Item = &Multiaddr> {
        let fits = move |known: &&Known| {
            let is_reachable = ip_of(&known.address).is_some_and(|ip| Scope::of(ip) >= scope);
            known.is_verified && known.failures == 0 && is_reachable
        };
        self.addresses.iter().rev().filter(fits).map(|known| &known.address)
    }
}
