//! Who may stay in a full house. Newcomers get time to show what they share with us before they are judged, and whoever
//! has to go is chosen by worth: strangers before members of our rooms, and none for being the newest.

use super::peers::{
    address::{Network, Topic, ip_of},
    connections::{Arrival, Connected, Connections, LetGo},
    places::Places,
};
use crate::base::{board::Limits, hash::rust_hash, random::Random};
use libp2p::{PeerId, core::ConnectedPoint, swarm::ConnectionId};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Milliseconds that a peer has to name its rooms after it said who it is. One that is in any names them at once, and what
/// is lost on the way comes again and again within this; whoever is in none says nothing, and is waited for no longer.
const ROOMS_MS: u64 = 3_000;
/// One place in this many held by one address is worth a word when the house is full.
const CROWDING_SHARE: usize = 3;

/// The topic of a room, as the places know it.
fn topic_of(topic: &str) -> Topic {
    Topic(rust_hash(topic.as_bytes()))
}

/// The connected peers as guests.
pub(super) struct Admission {
    guests: Connections,
    /// Peers that said who they are, and when.
    identified: BTreeMap<PeerId, Instant>,
    goal: usize,
    settled_max: usize,
    has_news: bool,
}

impl Admission {
    /// Nobody yet.
    pub fn new(limits: &Limits, is_bootstrap: bool, seed: u64) -> Self {
        let places = Places::new(limits, is_bootstrap);
        let guests = Connections::new(places, Random::new(seed));
        let identified = BTreeMap::new();
        Admission {
            guests,
            identified,
            goal: places.goal,
            settled_max: places.settled.min(places.inbound),
            has_news: false,
        }
    }

    /// Peers that are looked for. The places above are for those who come by themselves, so that in a network of equals
    /// most houses are not full.
    pub fn goal(&self) -> usize {
        self.goal
    }

    /// A connection is in use. On another one than before a peer of our kind names its rooms anew.
    pub fn on_connected(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
        is_given: bool,
        now: Instant,
    ) {
        self.guests.on_connected(peer, Arrival { is_given, ..arrival(connection, endpoint) }, now);
        self.has_news = true;
    }

    /// Another connection is in use, of which the peer said its topics already.
    pub fn on_in_use(&mut self, peer: &PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.guests.on_in_use(peer, &arrival(connection, endpoint));
    }

    /// The last connection of a peer is gone. Whether we let it go.
    pub fn on_gone(&mut self, peer: &PeerId) -> bool {
        self.identified.remove(peer);
        self.guests.on_closed(peer, 0).is_some_and(|gone| gone.is_leaving())
    }

    /// A peer said who it is. Its rooms come with it.
    pub fn on_identified(&mut self, peer: &PeerId, now: Instant) {
        if self.guests.peer(peer).is_some_and(|guest| !guest.is_settled()) {
            self.identified.entry(*peer).or_insert(now);
        }
        self.guests.on_identified(peer, false);
        self.has_news = true;
    }

    /// A peer has named its rooms: of ours, it is in those that came before this.
    pub fn on_told(&mut self, peer: &PeerId) {
        self.identified.remove(peer);
        self.guests.on_told(peer);
        self.has_news = true;
    }

    /// A peer is in a topic, or no longer.
    pub fn on_topic(&mut self, peer: &PeerId, topic: &str, is_in: bool) {
        let topic = topic_of(topic);
        let has_changed =
            if is_in { self.guests.on_subscribed(peer, topic) } else { self.guests.on_unsubscribed(peer, topic) };
        self.has_news |= has_changed;
    }

    /// A peer was the first to bring a message.
    pub fn on_first(&mut self, peer: &PeerId, now: Instant) {
        self.guests.on_first(peer, now);
    }

    /// A peer was answered by our part of the DHT.
    pub fn on_served(&mut self, peer: &PeerId, now: Instant) {
        self.guests.on_served(peer, now);
        self.has_news = true;
    }

    /// A peer is in the DHT's table.
    pub fn on_table(&mut self, peer: &PeerId) {
        self.guests.on_table(peer, true);
    }

    /// We joined a topic, or left it.
    pub fn on_own_topic(&mut self, topic: &str, is_in: bool) {
        let topic = topic_of(topic);
        if is_in {
            self.guests.join(topic)
        } else {
            self.guests.leave(topic)
        }
        self.has_news = true;
    }

    /// When somebody has had its time.
    pub fn next_due(&self) -> Option<Instant> {
        let said = self.identified.values().map(|at| *at + Duration::from_millis(ROOMS_MS));
        said.chain(self.guests.next_judgement()).min()
    }

    /// Whether there may be somebody to let go.
    pub fn is_due(&self, now: Instant) -> bool {
        self.has_news || self.next_due().is_some_and(|at| at <= now)
    }

    /// Who is to go now, and why.
    pub fn judge(&mut self, now: Instant) -> Vec<(PeerId, LetGo)> {
        self.has_news = false;
        let silent = |at: &Instant| *at + Duration::from_millis(ROOMS_MS) <= now;
        self.identified.iter().filter(|(_, at)| silent(at)).for_each(|(peer, _)| self.guests.on_told(peer));
        self.identified.retain(|_, at| !silent(at));
        self.guests.judge(now)
    }

    /// Those who were judged and stay.
    pub fn settled(&self) -> impl Iterator<Item = &PeerId> {
        self.guests.peers().filter(|(_, guest)| guest.is_settled()).map(|(peer, _)| peer)
    }

    /// The address that holds a good part of all places, how many it holds, and of how many.
    pub fn crowding(&self) -> Option<(IpAddr, usize, usize)> {
        let mut counts: BTreeMap<Network, (usize, IpAddr)> = BTreeMap::new();
        let strangers = self.guests.peers().filter(|(_, guest)| is_stranger(&self.guests, guest));
        for (network, ip) in strangers.filter_map(|(_, guest)| Some((guest.network()?, guest.ip()?))) {
            counts.entry(network).or_insert((0, ip)).0 += 1;
        }
        let (count, ip) = counts.into_values().max_by_key(|(count, _)| *count)?;
        (count > 1 && count * CROWDING_SHARE >= self.settled_max).then_some((ip, count, self.settled_max))
    }
}

fn is_stranger(guests: &Connections, guest: &Connected) -> bool {
    guest.topics().is_disjoint(guests.ours())
}

fn arrival(connection: ConnectionId, endpoint: &ConnectedPoint) -> Arrival {
    let local = match endpoint {
        ConnectedPoint::Listener { local_addr, .. } => ip_of(local_addr),
        ConnectedPoint::Dialer { .. } => None,
    };
    Arrival {
        connection,
        ip: ip_of(endpoint.get_remote_address()),
        local,
        is_outbound: endpoint.is_dialer(),
        is_in_use: true,
        keeps_topics: false,
        is_given: false,
        is_explored: false,
    }
}

#[cfg(test)]
mod tests;
