//! The overlay: of all peers that we know of, those that are our neighbours.
//!
//! It joins the parts: the address book knows peers, the dialer knows when each may be dialled, the connections know who
//! may stay, discovery knows when to look further. It holds no socket, reads no clock and draws no chance of its own;
//! [`Input`] tells it what happened, [`Output`] what it wants.
//!
//! The model is HyParView (Leitão, Pereira, Rodrigues 2007): few neighbours, many known peers, neighbours exchanged for
//! known ones now and then, and a newcomer never turned away by all.

mod choice;

use super::{
    address::{Multiaddr, PeerId, Scope, Topic, ip_of},
    allowance::{ANNOUNCERS_MAX, Allowance},
    book::{AddressBook, Entry, Kind, Noted, Outcome},
    connections::Connections,
    dialer::{Dialer, End, FORGOTTEN_MAX, Failure, SEEDS_MAX, Target},
    discovery::{Discovery, Due},
    misses::{MISSES_MAX, Misses},
    places::Places,
    seam::{Input, Output, Voice},
    source::{Announcer, Source, Teller},
};
use crate::base::random::Random;
use choice::Attempt;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// How long the side with the lower peer id waits for the other's dial when both found each other at once (ms).
pub const CROSSED_DIAL_WAIT_MS: u64 = 300;
/// Pause after an address was lost (ms), for its successor often comes at once.
pub const ADRIFT_WAIT_MS: u64 = 100;
/// Failed dials in a row after which a peer that nothing vouches for is forgotten.
pub const DIAL_FAILURES_MAX: u32 = 8;
/// The same of a peer of which we only heard from others.
pub const STRANGER_FAILURES_MAX: u32 = 3;

/// The overlay.
#[derive(Debug)]
pub struct Overlay {
    local: PeerId,
    places: Places,
    book: AddressBook,
    misses: Misses,
    allowance: Allowance,
    dialer: Dialer,
    connections: Connections,
    discovery: Discovery,
    /// Dials of which nothing was heard yet.
    under_way: BTreeMap<Target, Attempt>,
    outputs: VecDeque<Output>,
    random: Random,
    /// When something happened that may be followed by something to do.
    changed: Option<Instant>,
    next: Option<Instant>,
}

impl Overlay {
    /// Nobody is known yet but the bootstrap nodes.
    pub fn new(local: PeerId, places: Places, seeds: &[Multiaddr], seed: u64, now: Instant) -> Self {
        let mut random = Random::new(seed);
        let mut chance = || Random::new(random.number());
        Overlay {
            local,
            places,
            book: AddressBook::new(local, places.addresses, places.connections, chance()),
            misses: Misses::new(chance()),
            allowance: Allowance::new(now),
            dialer: Dialer::new(seeds, chance(), now),
            connections: Connections::new(places, chance()),
            discovery: Discovery::new(chance()),
            under_way: BTreeMap::new(),
            outputs: VecDeque::new(),
            random,
            changed: Some(now),
            next: None,
        }
    }

    /// Something happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        self.changed.get_or_insert(now);
        match input {
            Input::Found { peer, address, source, teller, on_link } => {
                self.on_found(peer, address.as_ref(), source, &teller, on_link, now);
            }
            Input::Expired(peer) => self.book.on_expired(&peer),
            Input::Afresh(peer) => self.on_afresh(peer, now),
            Input::Told { by, peers } => self.on_told(by, peers, now),
            Input::Providers { topic, peers } => self.on_providers(topic, peers, now),
            Input::DhtServer => self.discovery.on_server(now),
            Input::DhtEmpty => self.discovery.on_table_empty(),
            Input::Connected { peer, dialled, mut arrival } => {
                let attempt = dialled.as_ref().and_then(|(target, _)| self.under_way.remove(target));
                if let Some(attempt) = attempt {
                    self.allowance.give_back(attempt.by, attempt.count);
                    arrival.is_explored = attempt.is_explored;
                }
                let address = dialled.as_ref().map(|(_, address)| address);
                address.into_iter().for_each(|address| self.misses.forget(address));
                let noted = self.book.on_met(peer, address, now);
                self.on_noted(noted, now);
                arrival.is_given |= self.dialer.on_connected(peer, dialled.map(|(target, _)| target), now);
                self.connections.on_connected(peer, arrival, now);
            }
            Input::Closed { peer, connection, left, in_use, is_ours } => {
                let was_in_use = self.connections.peer(&peer).is_some_and(|known| known.connection() == connection);
                match in_use.filter(|_| left > 0) {
                    Some(arrival) => self.connections.on_in_use(&peer, &arrival),
                    // What else stands gave way to it and is deaf.
                    None if left > 0 && was_in_use => {
                        let wait = if self.local < peer { CROSSED_DIAL_WAIT_MS } else { 0 };
                        self.dialer.suspect(&peer, Some(now + Duration::from_millis(wait)));
                    }
                    None => {}
                }
                self.on_closed(peer, left, is_ours, now);
            }
            Input::Dialling(target, addresses) => {
                self.dialer.on_dialling(target, now);
                self.under_way.insert(target, Attempt::ours(addresses));
            }
            Input::DialFailed { target, failure, wrong, error } => {
                self.on_dial_failed(target, failure, wrong.as_ref(), &error, now);
            }
            Input::Identified { peer, listen, recommends, is_speaker } => {
                let from = self.connections.peer(&peer).and_then(|known| known.ip());
                self.book.on_identified(peer, &listen, from, now);
                self.connections.on_identified(&peer, recommends);
                if is_speaker {
                    self.dialer.on_speaker(&peer, now);
                }
                if recommends && (self.wanted() > 0 || self.dialer.is_seed(&peer)) {
                    self.ask(peer);
                }
            }
            Input::Subscribed(peer, topic) => {
                self.connections.on_subscribed(&peer, topic);
                self.keep_topics(&peer);
            }
            Input::Unsubscribed(peer, topic) => {
                self.connections.on_unsubscribed(&peer, topic);
                self.keep_topics(&peer);
            }
            Input::First(peer) => self.connections.on_first(&peer, now),
            Input::Served(peer) => self.connections.on_served(&peer, now),
            Input::InTable(peer, is_in) => self.connections.on_table(&peer, is_in),
            Input::Voice(peer, Voice::InUse) => self.dialer.on_spoke(&peer),
            Input::Voice(_, Voice::Elsewhere) => {}
            Input::Voice(peer, Voice::None) => {
                if self.has_room() && self.dialer.on_silent(&peer) {
                    self.dial_anew(peer, now);
                }
            }
            Input::Pong(peer) => self.dialer.on_pong(&peer),
            Input::AddressGained => {
                self.misses.forget_all();
                self.dialer.on_address_gained(now);
            }
            Input::AddressLost(lost, is_left) => {
                let at = is_left.then(|| now + Duration::from_millis(ADRIFT_WAIT_MS));
                for peer in self.connections.standing_on(lost) {
                    self.dialer.suspect(&peer, at);
                }
                if !is_left {
                    self.dialer.suspend();
                }
            }
            Input::Join(topic) => {
                self.connections.join(topic);
                self.discovery.join(topic, now);
            }
            Input::Leave(topic) => {
                self.connections.leave(topic);
                self.discovery.leave(topic);
            }
        }
    }

    fn on_noted(&mut self, noted: Noted, now: Instant) -> bool {
        noted.evicted.into_iter().for_each(|peer| self.dialer.forget(&peer, now));
        noted.outcome == Outcome::New
    }

    fn on_found(
        &mut self,
        peer: PeerId,
        address: Option<&Multiaddr>,
        source: Source,
        teller: &Teller,
        on_link: bool,
        now: Instant,
    ) {
        // Of those that mDNS hears again after a while we may have been cut off.
        let is_back = |entry: &Entry| source == Source::Mdns && !entry.is_live();
        let is_news = self.book.entry(&peer).is_none_or(is_back);
        let noted = self.book.note(peer, address, source, teller, on_link, now);
        let is_new = self.on_noted(noted, now);
        if self.book.entry(&peer).is_none() {
            return;
        }
        let both_found = source == Source::Mdns && self.local < peer;
        let wait = if both_found { CROSSED_DIAL_WAIT_MS + self.random.below(100) } else { 0 };
        self.dialer.want(peer, now + Duration::from_millis(wait));
        if is_new {
            let address = address.cloned();
            self.outputs.push_back(Output::Discovered { peer, address, source });
        }
        if is_news {
            self.discovery.on_news(now);
        }
    }

    fn on_afresh(&mut self, peer: PeerId, now: Instant) {
        let Some(entry) = self.book.entry(&peer) else { return };
        let wait = if self.local < peer { CROSSED_DIAL_WAIT_MS } else { 0 };
        if self.dialer.on_afresh(peer, now + Duration::from_millis(wait), now) {
            entry.addresses().for_each(|address| self.misses.forget(address));
            self.book.forgive(&peer);
        }
    }

    fn on_told(&mut self, by: PeerId, peers: Vec<(PeerId, Vec<Multiaddr>)>, now: Instant) {
        let scope = self.connections.peer(&by).map_or(Scope::World, |known| known.scope());
        let teller = Teller { announcer: Announcer::Peer(by), scope };
        for (peer, addresses) in peers.into_iter().take(super::book::RECOMMENDED_MAX) {
            for address in addresses.iter().take(self.places.addresses) {
                self.on_found(peer, Some(address), Source::Told, &teller, false, now);
            }
        }
    }

    fn on_providers(&mut self, topic: Topic, peers: Vec<PeerId>, now: Instant) {
        let taken = self.discovery.take(topic, peers.len());
        let teller = Teller { announcer: Announcer::LookUp(topic), scope: Scope::World };
        for peer in peers.into_iter().take(taken) {
            self.on_found(peer, None, Source::Dht, &teller, false, now);
        }
    }

    fn on_closed(&mut self, peer: PeerId, left: usize, is_ours: bool, now: Instant) {
        let Some(gone) = self.connections.on_closed(&peer, left) else { return };
        let end = if is_ours || gone.is_leaving() { End::Ours } else { End::Theirs };
        self.book.on_gone(&peer, gone.topics().iter().copied(), now);
        let is_alone = self.connections.neighbours() == 0;
        self.dialer.on_closed(&peer, end, !is_alone, now);
        let ours = self.connections.ours();
        if gone.topics().iter().any(|topic| ours.contains(topic) && self.lacks_peers(*topic)) {
            self.discovery.hurry(now);
        }
        if is_alone {
            self.dialer.hurry_seeds(now);
        }
    }

    fn on_dial_failed(
        &mut self,
        target: Target,
        failure: Failure,
        wrong: Option<&Multiaddr>,
        error: &str,
        now: Instant,
    ) {
        let attempt = self.under_way.remove(&target);
        let failures = self.dialer.on_failed(target, failure, error, now);
        let Some(attempt) = attempt else { return };
        if failure != Failure::Remote {
            self.allowance.give_back(attempt.by, attempt.count);
            return;
        }
        let is_missed = |address: &&Multiaddr| wrong != Some(*address);
        attempt.addresses.iter().filter(is_missed).for_each(|address| self.misses.on_missed(address, now));
        let Target::Peer(peer) = target else { return };
        self.book.on_missed(&peer, &attempt.addresses);
        wrong.into_iter().for_each(|address| self.book.on_wrong(&peer, address));
        let Some(entry) = self.book.entry(&peer) else { return };
        let most = if entry.kind() < Kind::Given { STRANGER_FAILURES_MAX } else { DIAL_FAILURES_MAX };
        if failures >= most && !entry.is_live() && self.book.forget(&peer) {
            self.dialer.forget(&peer, now);
        }
    }

    fn keep_topics(&mut self, peer: &PeerId) {
        if let Some(known) = self.connections.peer(peer) {
            self.book.on_topics(peer, known.topics().iter().copied());
        }
    }

    /// Peers for one that asks for others in these topics.
    pub fn recommend(&mut self, asker: &PeerId, topics: &[Topic], now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        self.connections.on_served(asker, now);
        self.changed.get_or_insert(now);
        let scope = self.connections.peer(asker).map_or(Scope::World, |known| known.scope());
        self.book.recommend(asker, |topic| topics.contains(topic), scope, now)
    }

    /// The next thing wanted.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Overlay::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.changed.or(self.next)
    }

    /// Does what is due. The next time is later than this.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.changed = None;
        for target in self.dialer.give_up(now) {
            if let Some(attempt) = self.under_way.remove(&target) {
                self.allowance.give_back(attempt.by, attempt.count);
            }
        }
        for (peer, why) in self.connections.judge(now) {
            self.outputs.push_back(Output::Close(peer, why));
        }
        while let Some(peer) = self.dialer.next_silent(now) {
            self.outputs.push_back(Output::Listen(peer));
        }
        self.dial_due(now);
        for due in self.discovery.due(|topic| self.connections.in_topic(topic) < self.places.low, now) {
            self.outputs.push_back(match due {
                Due::Provide(topic) => Output::Provide(topic),
                Due::Find(topic) => Output::Find(topic),
            });
        }
        let dials = if self.wanted() > 0 && self.has_room() { self.next_candidate() } else { None };
        let others =
            [self.dialer.next_due(self.has_room()), self.connections.next_judgement(), self.discovery.next_due()];
        self.next = others.into_iter().flatten().chain(dials).min();
    }

    /// Who is connected.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Who is known.
    pub fn book(&self) -> &AddressBook {
        &self.book
    }

    /// Who is to be dialled.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Each bounded container: its name, what is in it and what it may hold.
    pub fn loads(&self) -> Vec<(&'static str, usize, usize)> {
        let kinds = [
            ("known by others' word", Kind::Told),
            ("known by look-ups", Kind::Wide),
            ("known by mDNS", Kind::Lan),
            ("known by the user or from earlier", Kind::Given),
            ("known by having met", Kind::Met),
        ];
        let book = kinds.map(|(name, kind)| (name, self.book.count(kind), self.book.capacity(kind)));
        let known: usize = kinds.iter().map(|(_, kind)| self.book.capacity(*kind)).sum();
        let attempts = known + self.places.connections + self.places.pending + FORGOTTEN_MAX;
        let rest = [
            ("known addresses that failed", self.misses.len(), MISSES_MAX),
            ("announcers told apart", self.allowance.announcers(), ANNOUNCERS_MAX),
            ("peers with attempts", self.dialer.len(), attempts),
            ("bootstrap nodes", self.dialer.seeds().len(), SEEDS_MAX),
            ("dials under way", self.under_way.len(), self.places.pending),
            ("connections", self.connections.standing(), self.places.connections),
        ];
        book.into_iter().chain(rest).collect()
    }
}

#[cfg(test)]
mod tests;
