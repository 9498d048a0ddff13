//! The connected peers: what each speaks, where it is, what it may ask, and how it behaved.

use super::level::Level;
use super::message::Key;
use super::peer::{PeerIndex, Protocol};
use super::settings as limits;
use crate::base::{bucket::Bucket, meter::Meter};
use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::time::Duration;

/// What a peer may do only so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowance {
    MeshChange,
    Subscription,
    /// Ids it offers, asks for, or says that it has.
    Offered,
    Asked,
    Unwanted,
    /// Messages that it asks for again.
    Repeat,
    /// Ours to it: offers between heartbeats.
    SingleOffer,
    /// All our topics, as it has opened another stream.
    Greeting,
}

const ALLOWANCES: usize = 8;

/// A topic that a peer says it is in: a keyed hash of its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscribed {
    pub topic: u64,
    /// The peer has opened another stream since, and has not said it there.
    pub is_stale: bool,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub id: Box<[u8]>,
    /// A keyed hash of the id.
    pub hash: u64,
    pub outbound: bool,
    /// Peers of one network address have the same.
    pub group: u64,
    /// None until our stream to it stands.
    pub protocol: Option<Protocol>,
    pub topics: Vec<Subscribed>,
    /// It has said something on its last stream.
    pub said_hello: bool,
    /// Our topics or places did not reach it.
    pub is_behind: bool,
    offences: Level,
    pub is_banned: bool,
    buckets: [Bucket; ALLOWANCES],
    unwanted: VecDeque<Key>,
}

impl Peer {
    pub(super) fn new(id: &[u8], hash: u64, outbound: bool, group: u64, offences: Level, now: u64) -> Self {
        let at = Duration::from_millis(now);
        let bucket = |burst, ms| Bucket::new(burst, 1, Duration::from_millis(ms), at);
        let ids = || bucket(limits::IDS_MAX, limits::IDS_MS);
        Self {
            id: id.into(),
            hash,
            outbound,
            group,
            protocol: None,
            topics: Vec::new(),
            said_hello: true,
            is_behind: false,
            offences,
            is_banned: offences.value(limits::OFFENCE_HALF_MS, now) >= limits::BAN_AT,
            buckets: [
                bucket(limits::MESH_CHANGES_MAX, limits::MESH_CHANGE_MS),
                bucket(limits::SUBSCRIPTIONS_MAX, limits::SUBSCRIPTION_MS),
                ids(),
                ids(),
                ids(),
                bucket(limits::REPEATS_MAX, limits::REPEAT_MS),
                Bucket::per_second(limits::SINGLE_OFFERS_PER_SECOND_MAX, at),
                bucket(limits::GREETINGS_MAX, limits::GREETING_MS),
            ],
            unwanted: VecDeque::new(),
        }
    }

    /// Takes of an allowance as much as there is, at most `count`; says how much.
    pub(super) fn take_up_to(&mut self, allowance: Allowance, count: usize, now: u64) -> usize {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let bucket = self.buckets.get_mut(allowance as usize);
        bucket.map_or(0, |bucket| bucket.take_up_to(count, Duration::from_millis(now)) as usize)
    }

    pub(super) fn take(&mut self, allowance: Allowance, now: u64) -> bool {
        self.take_up_to(allowance, 1, now) == 1
    }

    /// Whether it is told of meshes and offers.
    pub(super) fn is_meshable(&self) -> bool {
        !self.is_banned && self.protocol.is_some_and(|protocol| protocol >= Protocol::V10)
    }

    /// Whether it may have a place: it may ask for one before our stream stands.
    pub(super) fn may_have_place(&self) -> bool {
        !self.is_banned && self.protocol.is_none_or(|protocol| protocol >= Protocol::V10)
    }

    /// Whether anything may be sent to it, now or as soon as our stream stands.
    pub(super) fn is_reachable(&self) -> bool {
        !self.is_banned && self.protocol != Some(Protocol::None)
    }

    /// It has a message already that is not here yet. Of too many the first is forgotten.
    pub(super) fn note_unwanted(&mut self, key: Key) {
        if self.unwanted.len() >= limits::UNWANTED_MAX {
            self.unwanted.pop_front();
        }
        self.unwanted.push_back(key);
    }

    pub(super) fn has_unwanted(&self, key: Key) -> bool {
        self.unwanted.contains(&key)
    }

    /// It did wrong. True if it is not to be heard any more from now on.
    pub(super) fn offend(&mut self, thousandths: u32, now: u64) -> bool {
        self.offences.add(thousandths, limits::OFFENCES_MAX, limits::OFFENCE_HALF_MS, now);
        let was_banned = self.is_banned;
        self.is_banned |= self.offences.value(limits::OFFENCE_HALF_MS, now) >= limits::BAN_AT;
        self.is_banned && !was_banned
    }

    pub(super) const fn offences(&self) -> Level {
        self.offences
    }
}

/// The connected peers by their numbers.
#[derive(Debug, Default)]
pub(super) struct Peers {
    places: Vec<Option<Peer>>,
    count: usize,
}

impl Peers {
    /// False if the number is nobody's.
    pub(super) fn insert(&mut self, index: PeerIndex, peer: Peer) -> bool {
        if index.place() >= limits::PEERS_MAX {
            return false;
        }
        if self.places.len() <= index.place() {
            self.places.resize_with(index.place() + 1, || None);
        }
        if let Some(place) = self.places.get_mut(index.place()) {
            self.count += usize::from(place.replace(peer).is_none());
        }
        true
    }

    pub(super) fn remove(&mut self, index: PeerIndex) -> Option<Peer> {
        let peer = self.places.get_mut(index.place())?.take()?;
        self.count -= 1;
        Some(peer)
    }

    pub(super) fn find(&self, index: PeerIndex) -> Option<&Peer> {
        self.places.get(index.place())?.as_ref()
    }

    pub(super) fn find_mut(&mut self, index: PeerIndex) -> Option<&mut Peer> {
        self.places.get_mut(index.place())?.as_mut()
    }

    /// One that is listened to.
    pub(super) fn heard(&mut self, index: PeerIndex) -> Option<&mut Peer> {
        self.find_mut(index).filter(|peer| !peer.is_banned)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerIndex, &Peer)> {
        (0..).map(PeerIndex).zip(&self.places).filter_map(|(index, place)| place.as_ref().map(|peer| (index, peer)))
    }

    pub(super) fn is_meshable(&self, index: PeerIndex) -> bool {
        self.find(index).is_some_and(Peer::is_meshable)
    }

    pub(super) fn meters(&self) -> [Meter; 3] {
        let most = |of: fn(&Peer) -> usize| self.iter().map(|(_, peer)| of(peer)).max().unwrap_or_default();
        let meter = |length, capacity| Meter { length, ..Meter::new(capacity) };
        [
            meter(self.count, limits::PEERS_MAX),
            meter(most(|peer| peer.topics.len()), limits::PEER_TOPICS_MAX),
            meter(most(|peer| peer.unwanted.len()), limits::UNWANTED_MAX),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer::new(b"id", 1, true, 0, Level::default(), 0)
    }

    #[test]
    fn each_allowance_is_its_own_and_grows_back() {
        let mut peer = peer();
        assert_eq!(peer.take_up_to(Allowance::Offered, 10_000, 0), limits::IDS_MAX as usize);
        assert!(!peer.take(Allowance::Offered, limits::IDS_MS - 1) && peer.take(Allowance::Offered, limits::IDS_MS));
        assert_eq!(peer.take_up_to(Allowance::Asked, 10_000, 0), limits::IDS_MAX as usize);
        assert_eq!((0..1_000).filter(|_| peer.take(Allowance::MeshChange, 0)).count(), 48);
        let later = limits::MESH_CHANGE_MS;
        assert!(peer.take(Allowance::MeshChange, later) && !peer.take(Allowance::MeshChange, later));
    }

    #[test]
    fn an_offender_is_not_heard_and_a_hundred_offences_count_as_twice_too_many() {
        let mut peer = peer();
        assert!(!peer.offend(limits::BAN_AT - 1, 0) && !peer.is_banned);
        assert!(peer.offend(1, 0) && !peer.offend(100_000, 0) && peer.is_banned && !peer.is_reachable());
        assert_eq!(peer.offences().value(limits::OFFENCE_HALF_MS, 0), limits::OFFENCES_MAX);
        let again = Peer::new(b"id", 1, true, 0, peer.offences(), 2 * limits::OFFENCE_HALF_MS);
        assert!(!again.is_banned, "a quarter is left: less than a ban");
    }

    #[test]
    fn a_peer_takes_as_much_memory_as_is_counted() {
        let topics = limits::PEER_TOPICS_MAX * size_of::<Subscribed>();
        let unwanted = limits::UNWANTED_MAX * size_of::<Key>();
        let bytes = size_of::<Option<Peer>>() + crate::wire::bounds::PEER_ID_BYTES_MAX + topics + unwanted;
        assert!(bytes <= 2_560, "{bytes}: boards/memory.rs");
    }

    #[test]
    fn places_are_free_again() {
        let mut peers = Peers::default();
        assert!(peers.insert(PeerIndex(3), peer()) && peers.insert(PeerIndex(0), peer()));
        assert!(!peers.insert(PeerIndex(limits::PEERS_MAX as u16), peer()));
        assert_eq!(peers.iter().map(|(index, _)| index.0).collect::<Vec<_>>(), [0, 3]);
        assert!(peers.remove(PeerIndex(3)).is_some() && peers.remove(PeerIndex(3)).is_none());
        assert_eq!(peers.meters()[0].length, 1);
    }
}
