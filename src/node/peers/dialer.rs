//! When to dial whom: peers of the address book, bootstrap nodes, and connected peers whose connection may be dead.
//!
//! One schedule and one back-off for all. It chooses nobody: the caller asks who may be dialled, and says how it went.

mod attempts;

pub use attempts::{Attempts, DROPS_MAX, DROPS_MS, Dial, End, Failure, LIVED_S, Pace, REFUSED_MS};

use super::address::{Multiaddr, PeerId, peer_of};
use crate::base::{backoff::backoff, random::Random};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Bootstrap nodes of one node (count).
pub const SEEDS_MAX: usize = 16;
/// First wait after a failed dial. It doubles with each failure.
const DIAL_MS: u64 = 500;
/// Longest wait between dials of one peer.
const DIAL_MAX_MS: u64 = 60_000;
/// First wait after a failed dial of a bootstrap node. It doubles with each failure.
const SEED_MS: u64 = 1_000;
/// Longest wait between dials of a bootstrap node: after its return nobody waits longer.
const SEED_MAX_MS: u64 = 30_000;
/// Milliseconds, and half as many more by chance, before a bootstrap node is dialled again that let us go while we have
/// neighbours: it may know others by then, of whom our neighbours know nothing.
const SEED_AGAIN_MS: u64 = 400_000;
/// First wait between dials of a connection that may be dead (milliseconds). It doubles each time.
const SUSPECT_MS: u64 = 500;
/// Longest wait between dials of a connection that may be dead: whoever moved is to be heard soon.
const SUSPECT_MAX_MS: u64 = 4_000;
/// Dials of a connection that may be dead before it is left to ping.
pub const SUSPECT_DIALS_MAX: u32 = 6;
/// Milliseconds between two looks at a connected peer that is to speak and says nothing.
pub const SILENT_MS: u64 = 5_000;
/// Connections made anew for such a peer in a row: for a minute. js notices within half a minute that our former
/// connection is dead, and speaks on the next one after that.
pub const SILENT_DIALS_MAX: u32 = 12;
/// Peers no longer in the book of which is remembered until when they are not to be dialled (count). As many as may come
/// and go with a full house in that time.
pub const FORGOTTEN_MAX: usize = 128;
/// Characters kept of an error, which is shown with the bootstrap node.
const ERROR_CHARS_MAX: usize = 160;

/// Who is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A peer.
    Peer(PeerId),
    /// The bootstrap node at this place of the list, whose peer id may be unknown.
    Seed(usize),
}

/// Whether a connected peer can be reached by its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far as we know.
    Settled,
    /// The connection may be dead. It is dialled anew at a time, or when we have an address again.
    Suspect {
        /// When.
        at: Option<Instant>,
        /// How often that was tried.
        dials: u32,
    },
    /// It should speak and says nothing.
    Silent {
        /// When to look again.
        at: Instant,
    },
}

/// A bootstrap node.
#[derive(Debug)]
pub struct Seed {
    /// The address as given.
    pub address: Multiaddr,
    /// Its peer id, as given or as learned from its first connection.
    pub peer: Option<PeerId>,
    /// What the last failure was.
    pub error: String,
    attempts: Attempts,
    is_up: bool,
}

impl Seed {
    /// Whether it is connected.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// The attempts to reach it.
    pub fn attempts(&self) -> &Attempts {
        &self.attempts
    }
}

/// The schedule.
#[derive(Debug)]
pub struct Dialer {
    peers: BTreeMap<PeerId, Attempts>,
    seeds: Vec<Seed>,
    /// Of those who are connected.
    reach: BTreeMap<PeerId, Reach>,
    random: Random,
}

const PEER_PACE: Pace = Pace { first: Duration::from_millis(DIAL_MS), most: Duration::from_millis(DIAL_MAX_MS) };
const SEED_PACE: Pace = Pace { first: Duration::from_millis(SEED_MS), most: Duration::from_millis(SEED_MAX_MS) };

impl Dialer {
    /// With the bootstrap nodes as given; those past [`SEEDS_MAX`] are left out (the caller has refused them already).
    pub fn new(seeds: &[Multiaddr], random: Random, now: Instant) -> Self {
        let seed = |address: &Multiaddr| Seed {
            address: address.clone(),
            peer: peer_of(address),
            error: String::new(),
            attempts: Attempts::new(Dial::At(now)),
            is_up: false,
        };
        let seeds = seeds.iter().take(SEEDS_MAX).map(seed).collect();
        Dialer { peers: BTreeMap::new(), seeds, reach: BTreeMap::new(), random }
    }

    fn of(&mut self, target: Target) -> Option<&mut Attempts> {
        match target {
            Target::Peer(peer) => self.peers.get_mut(&peer),
            Target::Seed(at) => self.seeds.get_mut(at).map(|seed| &mut seed.attempts),
        }
    }

    /// A peer of the book may be dialled from then on. What failed before is waited for as before.
    pub fn want(&mut self, peer: PeerId, at: Instant) {
        self.known(peer).want(at);
    }

    fn known(&mut self, peer: PeerId) -> &mut Attempts {
        let attempts = self.peers.entry(peer).or_insert_with(|| Attempts::new(Dial::Unwanted));
        attempts.is_forgotten = false;
        attempts
    }

    /// A peer is not to be dialled before this.
    pub fn put_off(&mut self, target: Target, until: Instant) {
        self.of(target).into_iter().for_each(|attempts| attempts.put_off(until));
    }

    /// A peer is no longer in the book. What it has to wait for is remembered, lest it is told of again.
    pub fn forget(&mut self, peer: &PeerId, now: Instant) {
        if self.reach.contains_key(peer) {
            return;
        }
        self.peers.get_mut(peer).into_iter().for_each(|attempts| attempts.is_forgotten = true);
        self.peers.retain(|_, attempts| !attempts.is_forgotten || attempts.at().is_some_and(|at| at > now));
        let forgotten = || self.peers.iter().filter(|(_, attempts)| attempts.is_forgotten);
        if forgotten().count() > FORGOTTEN_MAX
            && let Some(peer) = forgotten().min_by_key(|(_, attempts)| attempts.at()).map(|(peer, _)| *peer)
        {
            self.peers.remove(&peer);
        }
    }

    /// A peer says that it started afresh, and is to be dialled then. False if that is not believed.
    pub fn on_afresh(&mut self, peer: PeerId, at: Instant, now: Instant) -> bool {
        self.known(peer).on_afresh(at, now)
    }

    /// A dial is under way.
    pub fn on_dialling(&mut self, target: Target, now: Instant) {
        if let Target::Peer(peer) = target {
            self.known(peer);
        }
        self.of(target).into_iter().for_each(|attempts| attempts.on_dialling(now));
    }

    /// A dial made no connection. How often that happened in a row through the other's fault.
    pub fn on_failed(&mut self, target: Target, failure: Failure, error: &str, now: Instant) -> u32 {
        let pace = if matches!(target, Target::Seed(_)) { SEED_PACE } else { PEER_PACE };
        let Dialer { peers, seeds, random, .. } = self;
        let attempts = match target {
            Target::Peer(peer) => peers.get_mut(&peer),
            Target::Seed(at) => seeds.get_mut(at).map(|seed| {
                if failure == Failure::Remote {
                    seed.error = error.chars().take(ERROR_CHARS_MAX).collect();
                }
                &mut seed.attempts
            }),
        };
        attempts.map_or(0, |attempts| {
            attempts.on_failed(failure, pace, now, random);
            attempts.failures()
        })
    }

    /// A connection to a peer stands, maybe one of several. `target` is what was dialled for it. True if the peer is a
    /// bootstrap node.
    pub fn on_connected(&mut self, peer: PeerId, target: Option<Target>, now: Instant) -> bool {
        self.known(peer).on_up(now);
        let reach = self.reach.entry(peer).or_insert(Reach::Settled);
        if matches!(reach, Reach::Suspect { .. }) {
            *reach = Reach::Settled;
        }
        let mut is_seed = false;
        for (at, seed) in self.seeds.iter_mut().enumerate() {
            if seed.peer == Some(peer) || target == Some(Target::Seed(at)) {
                (seed.peer, seed.is_up, is_seed) = (Some(peer), true, true);
                seed.attempts.on_up(now);
            }
        }
        is_seed
    }

    /// The last connection to a peer is gone. `has_others` tells whether other neighbours are left: then a bootstrap
    /// node that let us go has its rest.
    pub fn on_closed(&mut self, peer: &PeerId, end: End, has_others: bool, now: Instant) {
        self.reach.remove(peer);
        let random = &mut self.random;
        if let Some(attempts) = self.peers.get_mut(peer) {
            attempts.on_down(end, PEER_PACE, now, random);
        }
        for seed in self.seeds.iter_mut().filter(|seed| seed.peer.as_ref() == Some(peer)) {
            seed.is_up = false;
            seed.attempts.on_down(end, SEED_PACE, now, random);
            if has_others {
                let wait = SEED_AGAIN_MS + random.below(SEED_AGAIN_MS / 2);
                seed.attempts.put_off(now + Duration::from_millis(wait));
            }
        }
    }

    /// No neighbour is left: bootstrap nodes have rested enough, unless they let us go a moment ago.
    pub fn hurry_seeds(&mut self, now: Instant) {
        for attempts in self.seeds.iter_mut().map(|seed| &mut seed.attempts).filter(|it| it.failures() == 0) {
            let wait = if attempts.refusals() > 0 { REFUSED_MS + self.random.below(REFUSED_MS) } else { 0 };
            attempts.hurry(now + Duration::from_millis(wait));
        }
    }

    /// We have an address that we did not have: what failed may work now, and what stood on a lost one is dialled anew.
    pub fn on_address_gained(&mut self, now: Instant) {
        for reach in self.reach.values_mut().filter(|reach| matches!(reach, Reach::Suspect { at: None, .. })) {
            *reach = Reach::Suspect { at: Some(now), dials: 0 };
        }
        self.peers.values_mut().filter(|attempts| attempts.failures() > 0).for_each(|attempts| attempts.hurry(now));
        self.seeds.iter_mut().for_each(|seed| seed.attempts.hurry(now));
    }

    /// The connection in use of a peer may be dead: it is dialled anew then; without a time, when we have an address.
    pub fn suspect(&mut self, peer: &PeerId, at: Option<Instant>) {
        self.reach.get_mut(peer).into_iter().for_each(|reach| *reach = Reach::Suspect { at, dials: 0 });
    }

    /// We have no address left: nothing is dialled anew before there is one.
    pub fn suspend(&mut self) {
        let suspects = self.reach.values_mut().filter(|reach| matches!(reach, Reach::Suspect { .. }));
        suspects.for_each(|reach| *reach = Reach::Suspect { at: None, dials: 0 });
    }

    /// A peer answered on the connection in use.
    pub fn on_pong(&mut self, peer: &PeerId) {
        let suspects = self.reach.get_mut(peer).filter(|reach| matches!(reach, Reach::Suspect { .. }));
        suspects.into_iter().for_each(|reach| *reach = Reach::Settled);
    }

    /// A connected peer should speak: look after a while whether it does.
    pub fn on_speaker(&mut self, peer: &PeerId, now: Instant) {
        if let Some(reach @ Reach::Settled) = self.reach.get_mut(peer) {
            *reach = Reach::Silent { at: now + Duration::from_millis(SILENT_MS) };
        }
    }

    /// A peer speaks where we do.
    pub fn on_spoke(&mut self, peer: &PeerId) {
        self.peers.get_mut(peer).into_iter().for_each(|attempts| attempts.silent_dials = 0);
        if let Some(reach @ Reach::Silent { .. }) = self.reach.get_mut(peer) {
            *reach = Reach::Settled;
        }
    }

    /// A peer speaks nowhere. True if it is to be dialled anew.
    pub fn on_silent(&mut self, peer: &PeerId) -> bool {
        let (Some(reach), Some(attempts)) = (self.reach.get_mut(peer), self.peers.get_mut(peer)) else { return false };
        if attempts.silent_dials >= SILENT_DIALS_MAX {
            *reach = Reach::Settled;
            return false;
        }
        let is_dialled = matches!(attempts.dial(), Dial::UnderWay(_));
        attempts.silent_dials += u32::from(!is_dialled);
        !is_dialled
    }

    /// Dials of which nothing was heard: they count as over.
    pub fn give_up(&mut self, now: Instant) -> Vec<Target> {
        let peers = self.peers.iter_mut().filter_map(|(peer, it)| it.give_up(now).then_some(Target::Peer(*peer)));
        let seeds = self.seeds.iter_mut().enumerate();
        let seeds = seeds.filter_map(|(at, seed)| seed.attempts.give_up(now).then_some(Target::Seed(at)));
        peers.chain(seeds).collect()
    }

    /// A connected peer that is to be dialled anew now.
    pub fn next_suspect(&mut self, now: Instant) -> Option<PeerId> {
        let is_dialled =
            |peer: &PeerId| self.peers.get(peer).is_some_and(|attempts| matches!(attempts.dial(), Dial::UnderWay(_)));
        let due = self.reach.iter_mut().find_map(|(peer, reach)| match reach {
            Reach::Suspect { at: Some(at), dials } if *at <= now && !is_dialled(peer) => Some((*peer, *dials, reach)),
            _ => None,
        });
        let (peer, dials, reach) = due?;
        let (first, most) = (Duration::from_millis(SUSPECT_MS), Duration::from_millis(SUSPECT_MAX_MS));
        *reach = match dials < SUSPECT_DIALS_MAX {
            true => Reach::Suspect { at: Some(now + backoff(first, most, dials, &mut self.random)), dials: dials + 1 },
            false => Reach::Settled,
        };
        Some(peer)
    }

    /// A connected peer that is to be looked at now, whether it speaks; and again later.
    pub fn next_silent(&mut self, now: Instant) -> Option<PeerId> {
        let due = self.reach.iter_mut().find_map(|(peer, reach)| match reach {
            Reach::Silent { at } if *at <= now => Some((*peer, at)),
            _ => None,
        });
        let (peer, at) = due?;
        *at = now + Duration::from_millis(SILENT_MS);
        Some(peer)
    }

    /// A bootstrap node that is to be dialled now.
    pub fn next_seed(&self, now: Instant) -> Option<usize> {
        self.seeds.iter().position(|seed| seed.attempts.at().is_some_and(|at| at <= now))
    }

    /// The next time that something is due of the above. Without room for a dial only what needs none.
    pub fn next_due(&self, has_room: bool) -> Option<Instant> {
        let under_way = |attempts: &Attempts| match attempts.dial() {
            Dial::UnderWay(until) => Some(until),
            Dial::Unwanted | Dial::At(_) => None,
        };
        let is_dialled = |peer: &PeerId| self.peers.get(peer).and_then(under_way).is_some();
        let reach = self.reach.iter().filter_map(|(peer, reach)| match reach {
            Reach::Suspect { at, .. } => at.filter(|_| has_room && !is_dialled(peer)),
            Reach::Silent { at } => Some(*at),
            Reach::Settled => None,
        });
        let seeds = self.seeds.iter().filter_map(|seed| seed.attempts.at()).filter(|_| has_room);
        let all = self.peers.values().chain(self.seeds.iter().map(|seed| &seed.attempts));
        reach.chain(seeds).chain(all.filter_map(under_way)).min()
    }

    /// The attempts to reach a peer.
    pub fn attempts(&self, peer: &PeerId) -> Option<&Attempts> {
        self.peers.get(peer)
    }

    /// The bootstrap nodes.
    pub fn seeds(&self) -> &[Seed] {
        &self.seeds
    }

    /// Whether the user named this peer as a bootstrap node.
    pub fn is_seed(&self, peer: &PeerId) -> bool {
        self.seeds.iter().any(|seed| seed.peer.as_ref() == Some(peer))
    }

    /// How a connected peer can be reached.
    pub fn reach(&self, peer: &PeerId) -> Option<Reach> {
        self.reach.get(peer).copied()
    }

    /// Peers with attempts.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }
}

#[cfg(test)]
mod tests;
