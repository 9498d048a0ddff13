//! Who we know and who is connected: addresses, when to dial, whom to let go. It dials nobody itself.

use super::event::FoundBy;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol, swarm::ConnectionId};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Peers kept in the book over all sources; the one that failed most leaves first. Guess: ten times a full house.
pub const KNOWN_PEERS_MAX: usize = 256;
/// First wait after a failed dial. It doubles with each failure.
pub const DIAL_BACKOFF_MS: u64 = 500;
/// Longest wait between dials of one peer.
pub const DIAL_BACKOFF_MAX_MS: u64 = 60_000;
/// How long the side with the lower peer id waits for the other's dial when both found each other at once.
pub const CROSSED_DIAL_WAIT_MS: u64 = 300;
/// Failed dials in a row after which a peer that nothing vouches for is forgotten.
pub const DIAL_FAILURES_MAX: u32 = 8;
/// Dials of a connection that may be dead before it is left to ping.
pub const SUSPECT_DIALS_MAX: u32 = 6;

/// A peer we know addresses of.
#[derive(Debug)]
pub struct Known {
    /// Addresses without `/p2p`, the newest last.
    pub addresses: Vec<Multiaddr>,
    /// How it was found first.
    pub by: FoundBy,
    /// When to dial it, if it is not connected; none when it is not wanted.
    pub next_dial: Option<Instant>,
    /// Failed dials in a row.
    pub failures: u32,
    /// Whether a dial is under way.
    pub dialling: bool,
    /// Whether mDNS hears it now.
    pub live: bool,
}

/// A connected peer.
#[derive(Debug)]
pub struct Connected {
    /// The connection in use.
    pub connection: ConnectionId,
    /// Its remote address.
    pub address: Multiaddr,
    /// Its local address, known where the remote dialled.
    pub local: Option<Multiaddr>,
    /// Whether we dialled.
    pub outbound: bool,
    /// Since when.
    pub since: Instant,
    /// Agent version from identify.
    pub agent: String,
    /// The last nickname heard from it.
    pub nick: String,
    /// Last round trip.
    pub rtt: Option<Duration>,
    /// Pings failed in a row.
    pub ping_failures: u32,
    /// Rooms of ours it is in.
    pub rooms: BTreeSet<String>,
    /// Whether the address it stands on may be gone.
    pub adrift: bool,
    /// When to dial anew, and how often that was tried.
    pub suspect: Option<(Instant, u32)>,
}

/// Known and connected peers.
#[derive(Debug)]
pub struct Peers {
    local: PeerId,
    addresses_max: usize,
    known: BTreeMap<PeerId, Known>,
    connected: BTreeMap<PeerId, Connected>,
}

/// An address without its trailing `/p2p/…`.
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The peer id an address ends in.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// Whether an address is of this host only.
pub fn is_loopback(address: &Multiaddr) -> bool {
    ip_of(address).is_some_and(|ip| ip.is_loopback())
}

/// The IP an address begins with.
pub fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

fn same_family(one: &Multiaddr, other: &Multiaddr) -> bool {
    matches!((ip_of(one), ip_of(other)), (Some(one), Some(other)) if one.is_ipv4() == other.is_ipv4())
}

/// Exponential back-off with jitter: between half and the whole of `first · 2^failures`, at most `max`.
pub fn backoff(first_ms: u64, max_ms: u64, failures: u32) -> Duration {
    let whole = first_ms.saturating_mul(1 << failures.min(16)).min(max_ms);
    Duration::from_millis(fastrand::u64(whole / 2..=whole))
}

impl Peers {
    /// An empty book that keeps `addresses_max` addresses a peer.
    pub fn new(local: PeerId, addresses_max: usize) -> Self {
        Peers { local, addresses_max: addresses_max.max(1), known: BTreeMap::new(), connected: BTreeMap::new() }
    }

    /// Notes an address. True if peer or address is new.
    pub fn note(&mut self, peer: PeerId, address: Multiaddr, by: FoundBy, now: Instant) -> bool {
        if peer == self.local {
            return false;
        }
        let address = without_peer(address);
        if !self.known.contains_key(&peer) {
            self.make_room();
        }
        let wait = match by {
            FoundBy::Mdns if self.local < peer => CROSSED_DIAL_WAIT_MS + fastrand::u64(0..100),
            _ => 0,
        };
        let fresh = Known {
            addresses: Vec::new(),
            by,
            next_dial: Some(now + Duration::from_millis(wait)),
            failures: 0,
            dialling: false,
            live: false,
        };
        let known = self.known.entry(peer).or_insert(fresh);
        known.live |= by == FoundBy::Mdns;
        if let Some(at) = known.addresses.iter().position(|a| *a == address) {
            let address = known.addresses.remove(at);
            known.addresses.push(address);
            return false;
        }
        if known.addresses.len() >= self.addresses_max {
            known.addresses.remove(0);
        }
        known.addresses.push(address);
        // A new address is a new chance.
        known.failures = 0;
        let soon = now + Duration::from_millis(wait);
        known.next_dial = Some(known.next_dial.map_or(soon, |at| at.min(soon)));
        true
    }

    /// The DHT names a peer in a room of ours: it is to be dialled, at whatever addresses the DHT knows.
    pub fn note_wanted(&mut self, peer: PeerId, now: Instant) {
        if !self.known.contains_key(&peer) {
            self.make_room();
        }
        let fresh = Known {
            addresses: Vec::new(),
            by: FoundBy::Dht,
            next_dial: Some(now),
            failures: 0,
            dialling: false,
            live: false,
        };
        let known = self.known.entry(peer).or_insert(fresh);
        known.next_dial = Some(known.next_dial.map_or(now, |at| at.min(now)));
    }

    fn make_room(&mut self) {
        if self.known.len() < KNOWN_PEERS_MAX {
            return;
        }
        let worst = self.known.iter().filter(|(peer, _)| !self.connected.contains_key(peer));
        if let Some(peer) = worst.max_by_key(|(_, k)| (!k.live, k.failures)).map(|(peer, _)| *peer) {
            self.known.remove(&peer);
        }
    }

    /// mDNS hears this peer no more.
    pub fn on_expired(&mut self, peer: &PeerId) {
        if let Some(known) = self.known.get_mut(peer) {
            known.live = false;
        }
    }

    /// Peers to dial now: wanted, not connected, not being dialled.
    pub fn due(&mut self, now: Instant, room_for: usize) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, known) in &mut self.known {
            if due.len() >= room_for {
                break;
            }
            let is_due = known.next_dial.is_some_and(|at| at <= now);
            if is_due && !known.dialling && !self.connected.contains_key(peer) {
                known.dialling = true;
                due.push((*peer, known.addresses.iter().rev().cloned().collect()));
            }
        }
        due
    }

    /// Connections that may be dead and are to be dialled anew now.
    pub fn due_suspects(&mut self, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, connected) in &mut self.connected {
            let Some((at, dials)) = connected.suspect else { continue };
            if at > now {
                continue;
            }
            connected.suspect =
                (dials < SUSPECT_DIALS_MAX).then(|| (now + backoff(DIAL_BACKOFF_MS, 4_000, dials), dials + 1));
            let mut addresses: Vec<Multiaddr> = Vec::new();
            if connected.outbound {
                addresses.push(without_peer(connected.address.clone()));
            }
            if let Some(known) = self.known.get(peer) {
                addresses.extend(known.addresses.iter().rev().filter(|a| !is_loopback(a)).cloned());
            }
            addresses.dedup();
            due.push((*peer, addresses));
        }
        due
    }

    /// We lost an address. Connections that may stand on it are dialled anew at `at`; without it, when we get one.
    pub fn on_address_lost(&mut self, lost: &Multiaddr, at: Option<Instant>) {
        for connected in self.connected.values_mut().filter(|c| same_family(&c.address, lost)) {
            if connected.local.as_ref().is_none_or(|local| ip_of(local) == ip_of(lost)) {
                connected.adrift = true;
                connected.suspect = at.map(|at| (at, 0));
            }
        }
        if at.is_none() {
            self.connected.values_mut().for_each(|connected| connected.suspect = None);
        }
    }

    /// We got an address: what stood on a lost one, and what could not be reached, is dialled now.
    pub fn on_address_gained(&mut self, now: Instant) {
        for connected in self.connected.values_mut().filter(|c| c.adrift) {
            connected.suspect = Some((now, 0));
        }
        for known in self.known.values_mut().filter(|k| k.failures > 0) {
            known.next_dial = known.next_dial.map(|at| at.min(now));
        }
    }

    /// A connection closed and others stand. If it was the one in use, those gave way to it and are deaf: dial anew.
    pub fn on_connection_lost(&mut self, peer: &PeerId, lost: ConnectionId, now: Instant) {
        let wait = if self.local < *peer { CROSSED_DIAL_WAIT_MS } else { 0 };
        if let Some(connected) = self.connected.get_mut(peer).filter(|c| c.connection == lost) {
            connected.suspect = Some((now + Duration::from_millis(wait), 0));
        }
    }

    /// The next time something is due.
    pub fn next_due(&self) -> Option<Instant> {
        let dials = self.known.iter().filter(|(peer, known)| !known.dialling && !self.connected.contains_key(peer));
        let dials = dials.filter_map(|(_, known)| known.next_dial);
        dials.chain(self.connected.values().filter_map(|c| c.suspect.map(|(at, _)| at))).min()
    }

    /// A dial failed. Forgets a peer that failed too often and that nothing vouches for.
    pub fn on_dial_failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(known) = self.known.get_mut(peer) else { return };
        known.dialling = false;
        known.failures += 1;
        known.next_dial = Some(now + backoff(DIAL_BACKOFF_MS, DIAL_BACKOFF_MAX_MS, known.failures));
        let vouched = known.live || matches!(known.by, FoundBy::Bootstrap) || self.connected.contains_key(peer);
        if known.failures >= DIAL_FAILURES_MAX && !vouched {
            self.known.remove(peer);
        }
    }

    /// A connection stands. True if it is the peer's first.
    pub fn on_connected(&mut self, peer: PeerId, mut connected: Connected) -> bool {
        if let Some(known) = self.known.get_mut(&peer) {
            known.dialling = false;
            known.failures = 0;
        }
        let old = self.connected.remove(&peer);
        let first = old.is_none();
        if let Some(old) = old {
            (connected.agent, connected.nick, connected.rooms) = (old.agent, old.nick, old.rooms);
        }
        self.connected.insert(peer, connected);
        first
    }

    /// The last connection is gone: dial again soon, for it may only have moved.
    pub fn on_disconnected(&mut self, peer: &PeerId, again: bool, now: Instant) {
        self.connected.remove(peer);
        if let Some(known) = self.known.get_mut(peer) {
            known.dialling = false;
            known.next_dial = again.then(|| now + backoff(DIAL_BACKOFF_MS, DIAL_BACKOFF_MAX_MS, known.failures));
        }
    }

    /// A connected peer.
    pub fn connected(&self, peer: &PeerId) -> Option<&Connected> {
        self.connected.get(peer)
    }

    /// A connected peer, to change.
    pub fn connected_mut(&mut self, peer: &PeerId) -> Option<&mut Connected> {
        self.connected.get_mut(peer)
    }

    /// Every connected peer.
    pub fn all_connected(&self) -> impl Iterator<Item = (&PeerId, &Connected)> {
        self.connected.iter()
    }

    /// How many are connected.
    pub fn connected_count(&self) -> usize {
        self.connected.len()
    }

    /// How many are in the book.
    pub fn known_count(&self) -> usize {
        self.known.len()
    }

    /// Known addresses of a peer, the newest last.
    pub fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.known.get(peer).map_or(&[], |known| &known.addresses)
    }

    /// How many peers share a room.
    pub fn in_room(&self, room: &str) -> usize {
        self.connected.values().filter(|c| c.rooms.contains(room)).count()
    }

    /// Whom to let go when there are more than `high`: those without a common room first, then the youngest.
    pub fn surplus(&self, high: usize, keep: &BTreeSet<PeerId>) -> Vec<PeerId> {
        let excess = self.connected.len().saturating_sub(high);
        let mut order: Vec<_> = self.connected.iter().filter(|(peer, _)| !keep.contains(peer)).collect();
        order.sort_by_key(|(_, c)| (!c.rooms.is_empty(), std::cmp::Reverse(c.since)));
        order.into_iter().take(excess).map(|(peer, _)| *peer).collect()
    }
}
