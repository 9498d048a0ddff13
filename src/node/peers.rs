//! Who we know and who is connected: addresses, when to dial, whom to let go. It dials nobody itself.

pub mod address;
pub mod source;

pub mod allowance;
pub mod book;
pub mod dialer;
pub mod discovery;
pub mod misses;
pub mod places;
pub mod worth;

pub mod connections;
pub mod seam;

pub mod overlay;

use super::{address::same_family, event::FoundBy};
pub use super::{
    address::{backoff, backoff_local, ip_of, is_loopback, peer_of, without_peer},
    known::{
        AFRESH_S, Connected, DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MS, FORGIVEN_S, Known, LIVED_S, LOST_BACKOFF_MAX_MS,
        LOST_MS_MAX, REFUSED_MS,
    },
};
use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, swarm::ConnectionId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Peers kept in the book over all sources; the one that failed most leaves first. Guess: ten times a full house.
pub const KNOWN_PEERS_MAX: usize = 256;
/// How long the side with the lower peer id waits for the other's dial when both found each other at once.
pub const CROSSED_DIAL_WAIT_MS: u64 = 300;
/// Failed dials in a row after which a peer that nothing vouches for is forgotten.
pub const DIAL_FAILURES_MAX: u32 = 8;
/// Dials of a connection that may be dead before it is left to ping.
pub const SUSPECT_DIALS_MAX: u32 = 6;
/// How often a connected peer is looked at that is to speak gossipsub and says nothing (milliseconds). Guess.
pub const MUTE_MS: u64 = 5_000;
/// Connections made anew for such a peer in a row: for a minute, twice what js takes to notice a dead connection.
pub const MUTE_DIALS_MAX: u32 = 12;

/// Known and connected peers.
#[derive(Debug)]
pub struct Peers {
    local: PeerId,
    addresses_max: usize,
    known: BTreeMap<PeerId, Known>,
    connected: BTreeMap<PeerId, Connected>,
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
        let soon = now + Duration::from_millis(wait);
        let known = self.known.entry(peer).or_insert_with(|| Known::new(by, soon));
        known.live |= by == FoundBy::Mdns;
        if known.by == FoundBy::Remembered {
            known.by = by;
        }
        if let Some(at) = known.addresses.iter().position(|a| *a == address) {
            let address = known.addresses.remove(at);
            known.addresses.push(address);
            return false;
        }
        if known.addresses.len() >= self.addresses_max {
            known.addresses.remove(0);
        }
        known.addresses.push(address);
        // A new address is a new chance, and the peer may have moved there.
        (known.failures, known.is_stranger, known.lost) = (0, false, None);
        known.next_dial = Some(known.next_dial.map_or(soon, |at| at.min(soon)));
        true
    }

    /// The user had a peer dialled at this address.
    pub fn note_dialling(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        self.note(peer, address, FoundBy::Dialled, now);
        if let Some(known) = self.known.get_mut(&peer) {
            known.dialling = true;
        }
    }

    /// The DHT names a peer in a room of ours: it is to be dialled, at whatever addresses the DHT knows.
    pub fn note_wanted(&mut self, peer: PeerId, now: Instant) {
        if !self.known.contains_key(&peer) {
            self.make_room();
        }
        let known = self.known.entry(peer).or_insert_with(|| Known::new(FoundBy::Dht, now));
        known.is_stranger = false;
        known.next_dial = Some(known.next_dial.map_or(now, |at| at.min(now)));
    }

    /// mDNS says that a peer, whose addresses are known, has started afresh: a new chance. True if that is believed.
    pub fn on_afresh(&mut self, peer: &PeerId, now: Instant) -> bool {
        self.known.get_mut(peer).is_some_and(|known| known.on_afresh(now))
    }

    /// A peer was looked at and has nothing for us: it is left alone until it says something new of itself.
    pub fn on_stranger(&mut self, peer: &PeerId) {
        if let Some(known) = self.known.get_mut(peer) {
            (known.is_stranger, known.next_dial) = (true, None);
        }
        self.note_shares(peer, false);
    }

    /// Whether a connected peer shares a protocol with us.
    pub fn note_shares(&mut self, peer: &PeerId, shares: bool) {
        if let Some(connected) = self.connected.get_mut(peer) {
            connected.shares = Some(shares);
        }
        if let Some(known) = self.known.get_mut(peer).filter(|_| shares) {
            known.is_stranger = false;
        }
    }

    /// How many connected peers share a protocol with us.
    pub fn neighbours(&self) -> usize {
        self.connected.values().filter(|connected| connected.shares == Some(true)).count()
    }

    /// How many peers are heard or were named, and do not answer.
    pub fn unreached(&self) -> usize {
        let is_near = |known: &Known| known.live || known.by == FoundBy::Dialled;
        let unreached = |(peer, known): &(&PeerId, &Known)| {
            is_near(known) && known.failures > 0 && !self.connected.contains_key(peer)
        };
        self.known.iter().filter(unreached).count()
    }

    /// How a peer was found, if it is known.
    pub fn found_by(&self, peer: &PeerId) -> Option<FoundBy> {
        self.known.get(peer).map(|known| known.by)
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
        let Peers { known, connected, .. } = self;
        let is_due = |peer: &PeerId, known: &Known| {
            known.next_dial.is_some_and(|at| at <= now) && !known.dialling && !connected.contains_key(peer)
        };
        let mut due: Vec<_> = known.iter_mut().filter(|(peer, known)| is_due(peer, known)).collect();
        // Whoever failed least, and of those the one that waits longest: no invented peer holds up a real one for ever.
        due.sort_by_key(|(_, known)| (known.failures + known.refusals, known.next_dial));
        let first = due.into_iter().take(room_for).map(|(peer, known)| {
            known.dialling = true;
            (*peer, known.targets(now))
        });
        first.collect()
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
            due.push((*peer, connected.addresses(self.known.get(peer))));
        }
        due
    }

    /// A connected peer should speak gossipsub: look after a while whether it does.
    pub fn note_speaker(&mut self, peer: &PeerId, now: Instant) {
        if let Some(connected) = self.connected.get_mut(peer) {
            connected.mute = Some(now + Duration::from_millis(MUTE_MS));
        }
    }

    /// Peers to be looked at now, and again later.
    pub fn due_mute(&mut self, now: Instant) -> Vec<PeerId> {
        let due: Vec<_> =
            self.connected.iter().filter(|(_, c)| c.mute.is_some_and(|at| at <= now)).map(|(peer, _)| *peer).collect();
        due.iter().for_each(|peer| self.note_speaker(peer, now));
        due
    }

    /// A peer speaks where we do.
    pub fn on_spoke(&mut self, peer: &PeerId) {
        self.connected.get_mut(peer).into_iter().for_each(|connected| connected.mute = None);
        self.known.get_mut(peer).into_iter().for_each(|known| known.mute_dials = 0);
    }

    /// A peer says nothing: where to dial it anew, if it is to be.
    pub fn on_mute(&mut self, peer: &PeerId) -> Option<Vec<Multiaddr>> {
        let (connected, known) = (self.connected.get_mut(peer)?, self.known.get_mut(peer)?);
        if known.mute_dials >= MUTE_DIALS_MAX {
            connected.mute = None;
            return None;
        }
        known.mute_dials += 1;
        Some(connected.addresses(Some(known)))
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
        for known in self.known.values_mut().filter(|k| k.failures + k.refusals > 0) {
            known.refusals = 0;
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

    /// A connection is the one in use: whether that was another one before.
    pub fn on_another_in_use(&mut self, peer: &PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) -> bool {
        let Some(connected) = self.connected.get_mut(peer).filter(|c| c.connection != connection) else { return false };
        connected.speech = 0;
        connected.connection = connection;
        connected.address = endpoint.get_remote_address().clone();
        connected.outbound = endpoint.is_dialer();
        connected.local = match endpoint {
            ConnectedPoint::Listener { local_addr, .. } => Some(local_addr.clone()),
            ConnectedPoint::Dialer { .. } => None,
        };
        true
    }

    /// The next time something is due; without room for dials, of what needs none.
    pub fn next_due(&self, has_room: bool) -> Option<Instant> {
        let dials = self.known.iter().filter(|(peer, known)| !known.dialling && !self.connected.contains_key(peer));
        let dials = dials.filter_map(|(_, known)| known.next_dial.filter(|_| has_room));
        let looks = self.connected.values().filter_map(|c| c.mute);
        dials.chain(self.connected.values().filter_map(|c| c.suspect.map(|(at, _)| at))).chain(looks).min()
    }

    /// A dial failed. Forgets a peer that failed too often and that nothing vouches for.
    pub fn on_dial_failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(known) = self.known.get_mut(peer) else { return };
        known.dialling = false;
        known.failures += 1;
        known.next_dial = Some(known.again(now));
        let vouched = known.live || known.is_lost(now) || matches!(known.by, FoundBy::Bootstrap);
        let vouched = vouched || self.connected.contains_key(peer);
        if known.failures >= DIAL_FAILURES_MAX && !vouched {
            self.known.remove(peer);
        }
    }

    /// A dial was not made for a reason of our own: that says nothing of the peer.
    pub fn on_dial_put_off(&mut self, peer: &PeerId, until: Instant) {
        if let Some(known) = self.known.get_mut(peer) {
            known.dialling = false;
            known.next_dial = Some(until);
        }
    }

    /// A dial is over and made a connection that is not the one in use.
    pub fn on_dialled(&mut self, peer: &PeerId) {
        if let Some(known) = self.known.get_mut(peer) {
            known.dialling = false;
        }
    }

    /// A connection stands. True if it is the peer's first.
    pub fn on_connected(&mut self, peer: PeerId, mut connected: Connected) -> bool {
        if let Some(known) = self.known.get_mut(&peer) {
            known.dialling = false;
            known.failures = 0;
            known.lost = None;
        }
        let old = self.connected.remove(&peer);
        let first = old.is_none();
        if let Some(old) = old {
            (connected.agent, connected.nick, connected.rooms) = (old.agent, old.nick, old.rooms);
            (connected.found, connected.shares) = (old.found, old.shares);
        }
        self.connected.insert(peer, connected);
        first
    }

    /// The last connection is gone: dial again soon, for it may only have moved. `lost` it was in a room of ours, and did not
    /// say that it leaves.
    pub fn on_disconnected(&mut self, peer: &PeerId, lost: bool, again: bool, now: Instant) {
        let connected = self.connected.remove(peer);
        if let Some(known) = self.known.get_mut(peer) {
            known.dialling = false;
            let ip = connected.and_then(|connected| ip_of(&connected.address));
            known.lost = ip.filter(|_| lost).map(|ip| (now, ip));
            let again = (lost || again) && !known.is_stranger;
            known.next_dial = again.then(|| known.again(now));
        }
    }

    /// A connection ended that stood for so long. How long the peer is to be left alone.
    pub fn on_ended(&mut self, peer: &PeerId, lived: Duration, is_let_go: bool) -> Option<Duration> {
        self.known.get_mut(peer)?.on_ended(lived, is_let_go)
    }

    /// A peer is not to be dialled before this.
    pub fn put_off(&mut self, peer: &PeerId, until: Instant) {
        let known = self.known.get_mut(peer).into_iter();
        known.for_each(|known| known.next_dial = known.next_dial.map(|at| at.max(until)));
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

    /// How many are known.
    pub fn known_count(&self) -> usize {
        self.known.len()
    }

    /// How many are connected.
    pub fn connected_count(&self) -> usize {
        self.connected.len()
    }

    /// Known addresses of a peer, the newest last.
    pub fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.known.get(peer).map_or(&[], |known| &known.addresses)
    }

    /// Whether a peer was lost lately, and may be back any moment where it was.
    pub fn is_lost(&self, peer: &PeerId, now: Instant) -> bool {
        self.known.get(peer).is_some_and(|known| known.is_lost(now))
    }

    /// How many peers share a room.
    pub fn in_room(&self, room: &str) -> usize {
        self.connected.values().filter(|c| c.rooms.contains(room)).count()
    }
}

#[cfg(test)]
mod tests;
