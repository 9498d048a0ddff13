//! What we found: who is where, for how long. Holds no clock: `now` is told.
//!
//! A peer's process shows up as an *instance* (a random name) of a service on an interface; it holds addresses. An
//! address of a peer is found as long as any instance holds it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::IpAddr,
    time::Instant,
};

use hickory_proto::rr::Name;
use libp2p::{Multiaddr, PeerId};

use super::{
    address::{Heard, Listener},
    event::Event,
    instance::{ADDRESS_BYTES, Held, INSTANCE_BYTES, Instance, clamp},
    limits::{Config, Counters, GOODBYE_MS, INSTANCES_PER_PACKET_MAX, INSTANCES_PER_PEER_MAX, RECONFIRM_MS, millis},
    message::{Data, Found, Packet},
    responder::Own,
};

/// What the first address of a peer costs (bytes): without it the peer would find no place. `/ip6zone/…/ip6/…/tcp/…`
/// has 40.
const FIRST_ADDRESS_BYTES: usize = ADDRESS_BYTES + 64;

/// Of whom a response speaks.
#[derive(Clone, Copy)]
struct Said<'a> {
    link: u32,
    service: usize,
    name: &'a Name,
    sender: IpAddr,
    pointer: Option<&'a Found>,
    /// A name outside of the service: rust-libp2p invents one for every answer, so it tells nothing about a new start.
    is_fleeting: bool,
}

/// The table of found records.
#[derive(Debug)]
pub(super) struct Cache {
    instances: Vec<Instance>,
    /// Peers that we are connected with: they keep their places.
    met: BTreeSet<PeerId>,
    peers_max: usize,
    addresses_per_peer_max: usize,
    bytes_max: usize,
    events: VecDeque<Event>,
    random: fastrand::Rng,
    pub counters: Counters,
}

impl Cache {
    pub(super) fn new(config: &Config, random: fastrand::Rng) -> Self {
        Cache {
            instances: Vec::new(),
            met: BTreeSet::new(),
            peers_max: config.peers_max,
            addresses_per_peer_max: config.addresses_per_peer_max,
            bytes_max: config.found_bytes_max,
            events: VecDeque::new(),
            random,
            counters: Counters::default(),
        }
    }

    /// Reads a response heard on an interface. Whether a query should follow, because a peer has another name now and
    /// its former one must be asked for.
    pub(super) fn handle_response(
        &mut self,
        link: u32,
        listener: &Listener<'_>,
        packet: &Packet,
        own: &Own,
        now: Instant,
    ) -> bool {
        let records = || packet.answers.iter().chain(&packet.additionals);
        let mut asks = false;
        // One pass for each name that a record speaks of, in the packet's order.
        let mut done: Vec<&Name> = Vec::new();
        for record in records() {
            let (name, service) = match &record.data {
                Data::Ptr(target) => (target, own.service(&record.name)),
                Data::Txt(_) => (&record.name, own.service_of(&record.name)),
                Data::Other => continue,
            };
            let service = service.or_else(|| self.find(link, name).map(|at| self.instances[at].service));
            let Some(service) = service else { continue };
            if done.contains(&name) || name == own.instance(service) || done.len() == INSTANCES_PER_PACKET_MAX {
                continue;
            }
            done.push(name);
            let pointer =
                records().find(|it| own.service(&it.name).is_some() && matches!(&it.data, Data::Ptr(to) if to == name));
            if pointer.is_some_and(|it| it.ttl_s == 0) {
                self.handle_goodbye(link, name, now);
                continue;
            }
            let heard = listener.heard(name, records());
            self.counters.addresses_unusable += heard.unusable;
            if heard.peer.is_some_and(|peer| peer != own.peer) {
                let is_fleeting = own.service_of(name).is_none();
                let sender = listener.sender;
                asks |= self.handle_instance(&Said { link, service, name, sender, pointer, is_fleeting }, &heard, now);
            } else if heard.peer.is_some() {
                let twin = listener.twin(&heard).map(Event::Twin);
                self.events.extend(twin.filter(|twin| self.events.back() != Some(twin)));
            } else if let (Some(at), Some(pointer)) = (self.find(link, name), pointer) {
                self.instances[at].confirm(pointer.ttl_s, &mut self.random, now);
            }
        }
        asks
    }

    /// A response speaks of an instance with addresses.
    fn handle_instance(&mut self, said: &Said<'_>, heard: &Heard, now: Instant) -> bool {
        let Said { link, service, name, sender, pointer, .. } = *said;
        let Some(peer) = heard.peer else { return false };
        let mut is_restart = false;
        let at = match self.find(link, name).or_else(|| self.find_renamed(said, peer)) {
            Some(at) if self.instances[at].peer == peer => at,
            Some(_) => {
                self.counters.names_refused += 1;
                return false;
            }
            None => {
                let all_gone = heard.addresses.iter().all(|it| it.ttl_s == 0);
                if all_gone || !self.makes_room(peer, name, now) {
                    return false;
                }
                for former in self.instances.iter_mut() {
                    if former.peer == peer && former.link == link && former.service == service {
                        is_restart = true;
                        former.end_by(now + millis(RECONFIRM_MS));
                    }
                }
                let new = Instance::new(link, service, name.clone(), peer, sender, now);
                self.instances.push(Instance { is_fleeting: said.is_fleeting, ..new });
                self.instances.len() - 1
            }
        };
        self.instances[at].name = name.clone();
        let ttl_s = pointer.map_or_else(|| heard.addresses.iter().map(|it| it.ttl_s).max().unwrap_or(0), |it| it.ttl_s);
        self.instances[at].confirm(ttl_s, &mut self.random, now);
        if heard.flushes {
            // What this packet does not say is no longer so, unless it was said in the same breath (RFC 6762 §10.2).
            for held in &mut self.instances[at].addresses {
                if now.saturating_duration_since(held.heard) > millis(GOODBYE_MS) {
                    held.ends = held.ends.min(now + millis(GOODBYE_MS));
                }
            }
        }
        let name = name.clone();
        for it in &heard.addresses {
            let Some(at) = self.find(link, &name) else { break };
            self.handle_address(at, &it.address, it.ttl_s, is_restart, now);
        }
        self.instances.retain(|it| !it.addresses.is_empty() || it.name != name || it.link != link);
        is_restart
    }

    fn handle_address(&mut self, at: usize, address: &Multiaddr, ttl_s: u32, is_restart: bool, now: Instant) {
        let instance = &mut self.instances[at];
        let (peer, link, name) = (instance.peer, instance.link, instance.name.clone());
        let ends = match ttl_s {
            0 => now + millis(GOODBYE_MS),
            _ => now + clamp(ttl_s),
        };
        if let Some(held) = instance.addresses.iter_mut().find(|it| it.address == *address) {
            (held.heard, held.ends) = (now, if ttl_s == 0 { held.ends.min(ends) } else { ends });
            return;
        }
        if ttl_s == 0 {
            return;
        }
        let is_new = !self.holds(&peer, address);
        if is_new && self.address_count(&peer) >= self.addresses_per_peer_max {
            self.evict_silent(&peer, &name, now);
        }
        let has_room = !is_new || self.address_count(&peer) < self.addresses_per_peer_max;
        if !has_room || self.bytes() + address.len() + ADDRESS_BYTES > self.bytes_max {
            self.counters.addresses_refused += 1;
            return;
        }
        if let Some(at) = self.find(link, &name) {
            self.instances[at].addresses.push(Held { address: address.clone(), heard: now, ends });
            if is_new || is_restart {
                self.tell(true, peer, address.clone());
            }
        }
    }

    /// Whether one more instance of the peer may be held; makes room by forgetting a silent one of the same peer.
    fn makes_room(&mut self, peer: PeerId, name: &Name, now: Instant) -> bool {
        let is_known = self.instances.iter().any(|it| it.peer == peer);
        let cost = name.len() + INSTANCE_BYTES + FIRST_ADDRESS_BYTES;
        while !is_known && (self.peer_count() >= self.peers_max || self.bytes() + cost > self.bytes_max) {
            self.counters.peers_refused += 1;
            if !self.displace() {
                return false;
            }
        }
        let count = |cache: &Self| cache.instances.iter().filter(|it| it.peer == peer).count();
        if count(self) >= INSTANCES_PER_PEER_MAX {
            self.evict_silent(&peer, name, now);
        }
        let cost = name.len() + INSTANCE_BYTES;
        let has_room = count(self) < INSTANCES_PER_PEER_MAX && self.bytes() + cost <= self.bytes_max;
        self.counters.addresses_refused += u64::from(!has_room);
        has_room
    }

    /// Makes room for another peer: of the host that speaks of most peers, one is forgotten by chance. So whoever invents
    /// peers loses its own inventions, and when many do, everybody has a turn: to be told of is enough to be dialled, and
    /// those we are connected with stay.
    fn displace(&mut self) -> bool {
        let mut of_senders: BTreeMap<IpAddr, BTreeSet<PeerId>> = BTreeMap::new();
        for it in self.instances.iter().filter(|it| !self.met.contains(&it.peer)) {
            of_senders.entry(it.sender).or_default().insert(it.peer);
        }
        let most = of_senders.values().map(BTreeSet::len).max().unwrap_or(0);
        let candidates: Vec<PeerId> = of_senders.into_values().filter(|it| it.len() == most).flatten().collect();
        let Some(peer) = self.random.choice(&candidates).copied() else { return false };
        let gone = self.instances.extract_if(.., |it| it.peer == peer).collect();
        self.tell_gone(gone);
        true
    }

    /// Whether a peer is connected.
    pub(super) fn note_met(&mut self, peer: PeerId, is_met: bool) {
        if is_met {
            self.met.insert(peer)
        } else {
            self.met.remove(&peer)
        };
    }

    /// The host that speaks of a peer.
    pub(super) fn sender_of(&self, peer: &PeerId) -> Option<IpAddr> {
        self.instances.iter().find(|it| it.peer == *peer).map(|it| it.sender)
    }

    /// Forgets the peer's instance that was heard longest ago, if that is long enough to be a former process's.
    fn evict_silent(&mut self, peer: &PeerId, except: &Name, now: Instant) {
        let silent = |it: &Instance| now.saturating_duration_since(it.heard) >= millis(RECONFIRM_MS);
        let candidates = self.instances.iter().enumerate().filter(|(_, it)| it.peer == *peer && it.name != *except);
        let eldest = candidates.filter(|(_, it)| silent(it)).min_by_key(|(_, it)| it.heard).map(|(at, _)| at);
        if let Some(at) = eldest {
            let gone = self.instances.remove(at);
            self.tell_gone(vec![gone]);
        }
    }

    fn handle_goodbye(&mut self, link: u32, name: &Name, now: Instant) {
        if let Some(at) = self.find(link, name) {
            self.instances[at].end_by(now + millis(GOODBYE_MS));
        }
    }

    /// Ends what is over; the interfaces to ask on again.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<u32> {
        let mut asks = Vec::new();
        let mut gone = Vec::new();
        for instance in &mut self.instances {
            let over: Vec<_> = instance.addresses.extract_if(.., |it| it.ends <= now).collect();
            gone.extend(over.into_iter().map(|it| (instance.peer, it.address)));
            if let Some((at, count)) = instance.refresh
                && at <= now
            {
                instance.refresh = instance.refresh_after(count + 1, &mut self.random);
                if !asks.contains(&instance.link) {
                    asks.push(instance.link);
                }
            }
        }
        self.instances.retain(|it| !it.addresses.is_empty());
        for (peer, address) in gone {
            self.tell_unless_held(peer, address);
        }
        asks
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub(super) fn next(&self) -> Option<Instant> {
        let ends = self.instances.iter().flat_map(|it| it.addresses.iter().map(|it| it.ends));
        ends.chain(self.instances.iter().filter_map(|it| it.refresh).map(|(at, _)| at)).min()
    }

    /// Forgets what was heard on an interface that is gone.
    pub(super) fn forget_link(&mut self, link: u32) {
        let gone: Vec<_> = self.instances.extract_if(.., |it| it.link == link).collect();
        self.tell_gone(gone);
    }

    /// The instances of a service that need not answer, and for how long we know them (s).
    pub(super) fn known_answers(&self, link: u32, service: usize, now: Instant) -> impl Iterator<Item = (Name, u32)> {
        let of = move |it: &&Instance| it.link == link && it.service == service;
        self.instances.iter().filter(of).filter_map(move |it| {
            let left = it.left(now);
            (left > it.ttl / 2).then(|| (it.name.clone(), left.as_secs() as u32))
        })
    }

    /// Where a peer was found; the address heard last comes first.
    pub(super) fn addresses_of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        let mut held: Vec<_> =
            self.instances.iter().filter(|it| it.peer == *peer).flat_map(|it| &it.addresses).collect();
        held.sort_by_key(|it| std::cmp::Reverse(it.heard));
        let mut found: Vec<Multiaddr> = Vec::new();
        for it in held {
            if !found.contains(&it.address) {
                found.push(it.address.clone());
            }
        }
        found
    }

    /// The peers found now.
    pub(super) fn peers(&self) -> Vec<PeerId> {
        let mut peers: Vec<_> = self.instances.iter().map(|it| it.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// What happened, oldest first. At most the table's size when asked after each call that changes it.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn tell(&mut self, is_found: bool, peer: PeerId, address: Multiaddr) {
        match (self.events.back_mut(), is_found) {
            (Some(Event::Discovered(list)), true) | (Some(Event::Expired(list)), false) => list.push((peer, address)),
            (_, true) => self.events.push_back(Event::Discovered(vec![(peer, address)])),
            (_, false) => self.events.push_back(Event::Expired(vec![(peer, address)])),
        }
    }

    fn tell_gone(&mut self, gone: Vec<Instance>) {
        for instance in gone {
            for held in instance.addresses {
                self.tell_unless_held(instance.peer, held.address);
            }
        }
    }

    fn tell_unless_held(&mut self, peer: PeerId, address: Multiaddr) {
        let told = matches!(self.events.back(), Some(Event::Expired(list)) if list.contains(&(peer, address.clone())));
        if !told && !self.holds(&peer, &address) {
            self.tell(false, peer, address);
        }
    }

    /// The instance that goes by another name in each packet.
    fn find_renamed(&self, said: &Said<'_>, peer: PeerId) -> Option<usize> {
        let is_same =
            |it: &Instance| it.is_fleeting && it.peer == peer && it.link == said.link && it.service == said.service;
        said.is_fleeting.then(|| self.instances.iter().position(is_same)).flatten()
    }

    fn find(&self, link: u32, name: &Name) -> Option<usize> {
        self.instances.iter().position(|it| it.link == link && it.name == *name)
    }

    fn holds(&self, peer: &PeerId, address: &Multiaddr) -> bool {
        let of = self.instances.iter().filter(|it| it.peer == *peer);
        of.flat_map(|it| &it.addresses).any(|it| it.address == *address)
    }

    fn address_count(&self, peer: &PeerId) -> usize {
        self.addresses_of(peer).len()
    }

    pub(super) fn peer_count(&self) -> usize {
        self.peers().len()
    }

    /// What the records cost (bytes), estimated.
    pub(super) fn bytes(&self) -> usize {
        self.instances.iter().map(Instance::bytes).sum()
    }
}

#[cfg(test)]
mod tests;
