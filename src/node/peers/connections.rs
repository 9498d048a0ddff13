//! Who is connected, what each is worth, and who goes when the house is full.
//!
//! Nobody is judged before it has said who it is and what topics it is in, or has had ten seconds for it. Until then it
//! stands on a place that is kept free for newcomers. Whoever is judged may stay while there are places; when there are
//! none, the one of least worth goes, and a newcomer is not the first of those.

mod peer;

pub use peer::Connected;

use super::{
    address::{ConnectionId, Network, PeerId, Topic},
    places::Places,
    worth::{Need, Worth, least},
};
use crate::base::random::Random;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Milliseconds that a newcomer has to say who it is and what topics it is in. A link that loses a third of its packets
/// needs a few seconds for both.
pub const JUDGED_MS: u64 = 10_000;
/// Seconds for which a newcomer is not the first to go: for that long its first messages and its friends may take.
pub const FRESH_S: u64 = 60;
/// Seconds for which it counts that a peer was the first to bring a message.
pub const BRINGS_S: u64 = 600;
/// Topics kept of one peer. Source: the bound of the gossip protocol's driver for one remote.
pub const TOPICS_MAX: usize = 32;

/// Why a peer is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetGo {
    /// Every place is taken.
    Full,
    /// Every place of those that came to us is taken.
    FullInbound,
    /// It shares no room, and there are more peers than the board wants.
    NoRoom,
    /// Another neighbour was taken in its stead, so that the network stays mixed.
    Mixed,
}

/// The connected peers.
#[derive(Debug)]
pub struct Connections {
    places: Places,
    ours: BTreeSet<Topic>,
    peers: BTreeMap<PeerId, Connected>,
    random: Random,
}

impl Connections {
    /// Nobody yet.
    pub fn new(places: Places, random: Random) -> Self {
        Connections { places, ours: BTreeSet::new(), peers: BTreeMap::new(), random }
    }

    /// A connection stands. True if it is the peer's first. One that is in use takes the place of another, and then
    /// what the peer said of its topics is void, unless it does not say it again (`keeps_topics`).
    pub fn on_connected(&mut self, peer: PeerId, new: Arrival, now: Instant) -> bool {
        let is_first = !self.peers.contains_key(&peer);
        let known = self.peers.entry(peer).or_insert_with(|| Connected::new(&new, now));
        known.standing += 1;
        if !is_first && new.is_in_use {
            known.replace(&new);
        }
        is_first
    }

    /// A connection is gone, and so many of the peer's are left. The peer, if it was the last.
    pub fn on_closed(&mut self, peer: &PeerId, left: usize) -> Option<Connected> {
        match self.peers.get_mut(peer) {
            Some(known) if left > 0 => {
                known.standing = left;
                None
            }
            _ => self.peers.remove(peer),
        }
    }

    /// Another one of a peer's connections is in use.
    pub fn on_in_use(&mut self, peer: &PeerId, new: &Arrival) {
        self.peers.get_mut(peer).into_iter().for_each(|known| known.move_to(new));
    }

    /// A peer said who it is, and whether it can be asked for others.
    pub fn on_identified(&mut self, peer: &PeerId, recommends: bool) {
        let known = self.peers.get_mut(peer).into_iter();
        known.for_each(|known| (known.is_identified, known.recommends) = (true, recommends));
    }

    /// A peer had time to say what topics it is in.
    pub fn on_told(&mut self, peer: &PeerId) {
        self.peers.get_mut(peer).into_iter().for_each(|known| known.has_told = true);
    }

    /// A peer is in a topic. True if that is new.
    pub fn on_subscribed(&mut self, peer: &PeerId, topic: Topic) -> bool {
        let Some(known) = self.peers.get_mut(peer) else { return false };
        known.has_told = true;
        (known.topics.len() < TOPICS_MAX || self.ours.contains(&topic)) && known.topics.insert(topic)
    }

    /// A peer left a topic. True if it was in it.
    pub fn on_unsubscribed(&mut self, peer: &PeerId, topic: Topic) -> bool {
        self.peers.get_mut(peer).is_some_and(|known| known.topics.remove(&topic))
    }

    /// A peer was the first to bring a message.
    pub fn on_first(&mut self, peer: &PeerId, now: Instant) {
        self.peers.get_mut(peer).into_iter().for_each(|known| known.first = Some(now));
    }

    /// A peer asked us for something, and was answered.
    pub fn on_served(&mut self, peer: &PeerId, now: Instant) {
        self.peers.get_mut(peer).into_iter().for_each(|known| (known.is_served, known.active) = (true, now));
    }

    /// A peer is in the table of the DHT, or is no longer.
    pub fn on_table(&mut self, peer: &PeerId, is_in: bool) {
        self.peers.get_mut(peer).into_iter().for_each(|known| known.is_in_table = is_in);
    }

    /// We joined a topic.
    pub fn join(&mut self, topic: Topic) {
        self.ours.insert(topic);
    }

    /// We left a topic.
    pub fn leave(&mut self, topic: Topic) {
        self.ours.remove(&topic);
    }

    /// Whom to let go now, and why. They count as gone from then on.
    pub fn judge(&mut self, now: Instant) -> Vec<(PeerId, LetGo)> {
        let is_bootstrap = self.places.is_bootstrap;
        let mut is_mixed = false;
        for known in self.peers.values_mut().filter(|known| known.may_be_judged(is_bootstrap, now)) {
            is_mixed |= known.is_explored && !known.is_settled;
            known.is_settled = true;
        }
        let mut gone = Vec::new();
        while let Some(why) = self.pressure(is_mixed) {
            let Some(peer) = self.victim(why, now) else { break };
            self.peers.get_mut(&peer).into_iter().for_each(|known| known.is_leaving = true);
            is_mixed &= why != LetGo::Mixed;
            gone.push((peer, why));
        }
        gone
    }

    /// When somebody is to be judged that has said nothing yet.
    pub fn next_judgement(&self) -> Option<Instant> {
        let trial = self.peers.values().filter(|known| !known.is_settled && !known.is_leaving);
        trial.map(|known| known.since + Duration::from_millis(JUDGED_MS)).min()
    }

    fn settled(&self) -> impl Iterator<Item = (&PeerId, &Connected)> {
        self.peers.iter().filter(|(_, known)| known.is_settled && !known.is_leaving)
    }

    /// Why somebody has to go, if anybody has; `is_mixed` if a neighbour beyond those we had was taken.
    fn pressure(&self, is_mixed: bool) -> Option<LetGo> {
        let (places, settled) = (&self.places, self.settled().count());
        if settled > places.settled {
            return Some(LetGo::Full);
        }
        if self.settled().filter(|(_, known)| !known.is_outbound).count() > places.inbound {
            return Some(LetGo::FullInbound);
        }
        if settled <= places.high || places.is_bootstrap {
            return None;
        }
        let mates = self.settled().filter(|(_, known)| self.is_mate(known)).count();
        match mates < settled {
            true => Some(LetGo::NoRoom),
            false => (is_mixed && mates > places.high).then_some(LetGo::Mixed),
        }
    }

    fn victim(&mut self, why: LetGo, now: Instant) -> Option<PeerId> {
        let mut ranks: BTreeMap<Network, Vec<Instant>> = BTreeMap::new();
        for (_, known) in self.settled() {
            known.network().into_iter().for_each(|network| ranks.entry(network).or_default().push(known.since));
        }
        ranks.values_mut().for_each(|since| since.sort_unstable());
        let rank = |known: &Connected| {
            let older = |since: &Vec<Instant>| since.iter().filter(|since| **since < known.since).count();
            known.network().and_then(|network| ranks.get(&network)).map_or(0, older)
        };
        let fits = |known: &Connected| match why {
            LetGo::Full | LetGo::Mixed => true,
            LetGo::FullInbound => !known.is_outbound,
            LetGo::NoRoom => !self.is_mate(known),
        };
        let mut random = self.random.clone();
        let fitting = self.settled().filter(|(_, known)| fits(known));
        let within = |known: &Connected| rank(known) < self.places.of_one_network(known.scope());
        let peer = if self.places.is_bootstrap {
            let need = |known: &Connected| Need {
                is_given: known.is_given,
                is_within_share: within(known),
                active: known.active,
            };
            least(fitting.map(|(peer, known)| (*peer, need(known))), &mut random)
        } else {
            let is_since = |since: Instant, s| now.saturating_duration_since(since) < Duration::from_secs(s);
            // To mix, neither side of a connection may be the one that always gives it up.
            let is_mixed = why == LetGo::Mixed;
            let worth = |known: &Connected| Worth {
                shares_room: self.is_mate(known),
                is_given: known.is_given && !is_mixed,
                is_within_share: within(known),
                is_ours: known.is_outbound && !is_mixed,
                is_oldest: rank(known) == 0 && !is_mixed,
                is_fresh: is_since(known.since, FRESH_S),
                brings: known.first.is_some_and(|first| is_since(first, BRINGS_S)),
                is_in_table: known.is_in_table,
            };
            least(fitting.map(|(peer, known)| (*peer, worth(known))), &mut random)
        };
        self.random = random;
        peer
    }

    fn is_mate(&self, known: &Connected) -> bool {
        known.topics.iter().any(|topic| self.ours.contains(topic))
    }

    /// Our topics.
    pub fn ours(&self) -> &BTreeSet<Topic> {
        &self.ours
    }

    /// A connected peer.
    pub fn peer(&self, peer: &PeerId) -> Option<&Connected> {
        self.peers.get(peer)
    }

    /// Everyone who is connected.
    pub fn peers(&self) -> impl Iterator<Item = (&PeerId, &Connected)> {
        self.peers.iter()
    }

    /// How many peers are in a topic.
    pub fn in_topic(&self, topic: Topic) -> usize {
        self.peers.values().filter(|known| known.topics.contains(&topic)).count()
    }

    /// How many count as neighbours: those who share a room, and those of whom it is not known yet; all if we are in no
    /// room.
    pub fn neighbours(&self) -> usize {
        let counts = |known: &&Connected| self.ours.is_empty() || !known.is_settled || self.is_mate(known);
        self.peers.values().filter(|known| !known.is_leaving).filter(counts).count()
    }

    /// Connections that stand, those that gave way included.
    pub fn standing(&self) -> usize {
        self.peers.values().map(|known| known.standing).sum()
    }

    /// Peers that we dialled.
    pub fn outbound(&self) -> usize {
        self.peers.values().filter(|known| known.is_outbound).count()
    }

    /// Those whose connection may stand on an address of ours that is gone.
    pub fn standing_on(&self, lost: IpAddr) -> Vec<PeerId> {
        let stands = |known: &Connected| {
            let same_family = known.ip.is_some_and(|ip| ip.is_ipv4() == lost.is_ipv4());
            same_family && known.local.is_none_or(|local| local == lost)
        };
        self.peers.iter().filter(|(_, known)| stands(known)).map(|(peer, _)| *peer).collect()
    }
}

/// A connection that stands now.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its number.
    pub connection: ConnectionId,
    /// Where the peer is; none if it comes over others.
    pub ip: Option<IpAddr>,
    /// Our end, where the peer dialled us.
    pub local: Option<IpAddr>,
    /// Whether we dialled.
    pub is_outbound: bool,
    /// Whether it is the one in use of the peer's connections.
    pub is_in_use: bool,
    /// Whether what the peer said of its topics on a former connection still holds.
    pub keeps_topics: bool,
    /// Whether the user named the peer.
    pub is_given: bool,
    /// Whether we dialled it although we had neighbours enough.
    pub is_explored: bool,
}

#[cfg(test)]
mod tests;
