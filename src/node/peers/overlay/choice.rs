//! Whom to dial: as many as are wanted, of those who may be dialled the most promising first, and chance among equals.

use super::{
    super::{
        address::{Multiaddr, PeerId, Topic},
        book::{Entry, Kind},
        dialer::Target,
        seam::Output,
        source::Announcer,
    },
    Overlay,
};
use std::time::{Duration, Instant};

/// Addresses of one peer in one dial (count): twice as many as are tried at once.
const DIAL_ADDRESSES_MAX: usize = 8;
/// What a dial may cost in addresses that the DHT adds (count), which we do not see before.
const DHT_ADDRESSES: usize = 4;
/// Seconds for which a peer that left is known to be in no room of ours. Then it may have joined one.
const STRANGER_S: u64 = 600;
/// Dials under way to find the first peers of a room, when there are enough neighbours in others (count).
const SEARCH_DIALS_MAX: usize = 2;

/// A dial under way.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Who is to blame for it.
    pub by: Announcer,
    /// What it costs the one to blame, in addresses.
    pub count: usize,
    pub addresses: Vec<Multiaddr>,
    /// Whether it is for a neighbour beyond those we have.
    pub is_explored: bool,
}

impl Attempt {
    pub fn ours(addresses: Vec<Multiaddr>) -> Self {
        Attempt { by: Announcer::Us, count: 0, addresses, is_explored: false }
    }
}

impl Overlay {
    /// Whether a dial may begin: our own limits would not refuse it, and one place is left for a newcomer.
    pub(super) fn has_room(&self) -> bool {
        let (places, dials) = (&self.places, self.under_way.len());
        let is_free = self.connections.standing() + dials <= places.settled;
        is_free && dials < places.pending && self.connections.outbound() + dials < places.outbound
    }

    pub(super) fn lacks_peers(&self, topic: Topic) -> bool {
        self.connections.in_topic(topic) < self.places.low
    }

    /// How many neighbours are wanted beyond those there are and those being dialled.
    pub(super) fn wanted(&self) -> usize {
        let is_new = |target: &&Target| match target {
            Target::Peer(peer) => self.connections.peer(peer).is_none(),
            Target::Seed(_) => false,
        };
        let dials = self.under_way.keys().filter(is_new).count();
        let wanted = self.places.goal.saturating_sub(self.connections.neighbours() + dials);
        let lacks_peers = self.connections.ours().iter().any(|topic| self.lacks_peers(*topic));
        match wanted {
            0 if lacks_peers && !self.places.is_bootstrap => SEARCH_DIALS_MAX.saturating_sub(dials),
            wanted => wanted,
        }
    }

    /// Dials what is due: what may be dead, bootstrap nodes, and as many others as are wanted.
    pub(super) fn dial_due(&mut self, now: Instant) {
        while self.has_room()
            && let Some(peer) = self.dialer.next_suspect(now)
        {
            self.dial_anew(peer, now);
        }
        while self.has_room()
            && let Some(at) = self.dialer.next_seed(now)
        {
            let Some(seed) = self.dialer.seeds().get(at) else { break };
            let (peer, address) = (seed.peer, seed.address.clone());
            self.dial(Target::Seed(at), peer, Attempt::ours(vec![address]), false, now);
        }
        while self.has_room() && self.wanted() > 0 && self.dial_one(false, now) {}
        if self.discovery.explore(now) {
            if self.has_room() {
                self.dial_one(true, now);
            }
            self.ask_one();
        }
    }

    /// Dials the connection of a peer anew.
    pub(super) fn dial_anew(&mut self, peer: PeerId, now: Instant) {
        let is_loopback = |address: &Multiaddr| super::ip_of(address).is_some_and(|ip| ip.is_loopback());
        let is_here = self.connections.peer(&peer).and_then(|known| known.ip()).is_some_and(|ip| ip.is_loopback());
        let entry = self.book.entry(&peer).into_iter();
        let addresses = entry.flat_map(Entry::addresses).filter(|address| is_here || !is_loopback(address));
        let addresses: Vec<Multiaddr> = addresses.take(DIAL_ADDRESSES_MAX).cloned().collect();
        if !addresses.is_empty() {
            self.dial(Target::Peer(peer), Some(peer), Attempt::ours(addresses), true, now);
        }
    }

    fn dial(&mut self, target: Target, peer: Option<PeerId>, attempt: Attempt, is_anew: bool, now: Instant) {
        self.dialer.on_dialling(target, now);
        self.outputs.push_back(Output::Dial { target, peer, addresses: attempt.addresses.clone(), is_anew });
        self.under_way.insert(target, attempt);
    }

    /// Dials the most promising peer, if there is one that may be dialled.
    fn dial_one(&mut self, is_explored: bool, now: Instant) -> bool {
        loop {
            let mut best = None;
            for (peer, entry) in self.book.entries() {
                if self.ready_at(peer, entry).is_none_or(|at| at > now) {
                    continue;
                }
                let tried = self.dialer.attempts(peer).map_or(0, |it| it.failures() + it.refusals());
                let is_hearsay = entry.kind() == Kind::Lan;
                let rank = (is_hearsay && !is_explored, tried, self.random.number());
                if best.as_ref().is_none_or(|(least, _)| rank < *least) {
                    best = Some((rank, *peer));
                }
            }
            let Some((_, peer)) = best else { return false };
            let Some(entry) = self.book.entry(&peer) else { return false };
            let (addresses, by, count) = self.where_to(entry, now);
            match self.allowance.take(by, count, now) {
                Ok(()) => {
                    let attempt = Attempt { by, count, addresses, is_explored };
                    self.dial(Target::Peer(peer), Some(peer), attempt, false, now);
                    return true;
                }
                Err(wait) => self.dialer.put_off(Target::Peer(peer), now + wait),
            }
        }
    }

    /// The addresses to dial, who is to blame for those that nobody verified, and how many these are.
    fn where_to(&self, entry: &Entry, now: Instant) -> (Vec<Multiaddr>, Announcer, usize) {
        let is_free = |address: &Multiaddr| self.misses.until(address).is_none_or(|until| until <= now);
        let (mut addresses, mut by, mut count) = (Vec::new(), Announcer::Us, 0);
        for (address, announcer, is_verified) in entry.claims() {
            if addresses.len() < DIAL_ADDRESSES_MAX && (is_verified || announcer == Announcer::Us || is_free(address)) {
                addresses.push(address.clone());
                if !is_verified && announcer != Announcer::Us {
                    (by, count) = (announcer, count + 1);
                }
            }
        }
        if addresses.is_empty() { (addresses, entry.by(), DHT_ADDRESSES) } else { (addresses, by, count) }
    }

    /// When a peer may be dialled next; none if it is connected, or not wanted, or nowhere.
    fn ready_at(&self, peer: &PeerId, entry: &Entry) -> Option<Instant> {
        if entry.is_held() {
            return None;
        }
        let at = self.dialer.attempts(peer)?.at()?;
        let mut claims = entry.claims().map(|(address, by, is_verified)| match self.misses.until(address) {
            Some(until) if !is_verified && by != Announcer::Us => at.max(until),
            _ => at,
        });
        // The DHT knows addresses that we do not.
        let first = if entry.kind() == Kind::Wide {
            claims.min().unwrap_or(at)
        } else {
            claims.next().map(|first| claims.fold(first, Instant::min))?
        };
        let ours = self.connections.ours();
        match entry.shares(|topic| ours.contains(topic)) {
            Some(false) if !ours.is_empty() => Some(first.max(entry.seen() + Duration::from_secs(STRANGER_S))),
            _ => Some(first),
        }
    }

    /// When the next one of those who may be dialled is ready.
    pub(super) fn next_candidate(&self) -> Option<Instant> {
        self.book.entries().filter_map(|(peer, entry)| self.ready_at(peer, entry)).min()
    }

    /// Asks one neighbour for others, by chance.
    fn ask_one(&mut self) {
        let can_be_asked = self.connections.peers().filter(|(_, known)| known.recommends() && known.is_settled());
        let all: Vec<PeerId> = can_be_asked.map(|(peer, _)| *peer).collect();
        let chosen = all.get(self.random.below(all.len() as u64) as usize);
        chosen.into_iter().for_each(|peer| self.ask(*peer));
    }

    /// Asks a peer for others.
    pub(super) fn ask(&mut self, peer: PeerId) {
        let topics: Vec<Topic> = self.connections.ours().iter().copied().collect();
        if !topics.is_empty() {
            self.outputs.push_back(Output::Ask(peer, topics));
        }
    }
}
