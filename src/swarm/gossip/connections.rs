//! On which of a peer's connections we speak.
//!
//! A peer may have several: it came back while its former one still stood, both sides dialled at once, or it dialled
//! several addresses. We speak on one, the newest; the ones before it end when nothing is under way on them and the peer
//! does not speak there. When both sides dialled at once, the first one is in use and the second one beside it, until the
//! peer has chosen. Where the peer speaks is its own choice: we listen on all.

use super::connection::{Connection, has_moved};
use super::lingering::Lingering;
use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, swarm::ConnectionId};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Two connections in opposite directions that come within this time are one meeting of two dials. Twice the time a
/// handshake may take: over a bad link the second one stands that much later, and on each side at another moment.
pub const CROSSED_DIALS_MS: u64 = 10_000;
/// Two connections in one direction that come within this time are one dial that tried several addresses: the dialler
/// takes the first and drops the others, of which one may just have been established here. Guess: a slow round trip.
pub const RACED_DIALS_MS: u64 = 1_000;
/// How long our stream on a new connection waits for the former's to be settled: of several streams of ours some read
/// the one that came last. A link that is dead never settles it. Guess: a slow round trip, and less than the two seconds
/// in which a peer that moved is to be heard.
pub const SETTLE_MS: u64 = 1_000;

/// Where a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// On the connection in use.
    InUse,
    /// On another one, which may be alive.
    Elsewhere,
    /// Nowhere.
    None,
}

/// What became of the connections of a peer when one was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The one in use still is.
    InUse,
    /// Another one is in use now.
    Another,
    /// There is none.
    None,
}

#[derive(Debug)]
struct InUse {
    connection: Connection,
    /// We speak when our stream on the former one is settled, or at this moment.
    waits: Option<(ConnectionId, Instant)>,
    /// It had given way to one that has ended, and the other side may have done with it.
    is_second_choice: bool,
}

/// The connections of all peers.
#[derive(Debug)]
pub(super) struct Connections {
    in_use: BTreeMap<PeerId, InUse>,
    lingering: Lingering,
    /// Streams that peers opened so far.
    streams: u64,
    replaced: u64,
}

impl Connections {
    /// None yet. Of those that gave way `lingering_max` may stay for long.
    pub fn new(lingering_max: usize) -> Self {
        Self { in_use: BTreeMap::new(), lingering: Lingering::new(lingering_max), streams: 0, replaced: 0 }
    }

    /// Whether a new connection is another address of a dial that has just made one.
    pub fn is_raced(&self, peer: PeerId, is_dialer: bool, now: Instant) -> bool {
        let is_raced =
            |other: &Connection| other.endpoint.is_dialer() == is_dialer && is_within(RACED_DIALS_MS, other.since, now);
        self.in_use.get(&peer).is_some_and(|in_use| is_raced(&in_use.connection))
            || self.lingering.crossed(peer).is_some_and(is_raced)
    }

    /// A connection stands.
    pub fn on_established(&mut self, peer: PeerId, id: ConnectionId, endpoint: ConnectedPoint, now: Instant) {
        let mut new = Connection::new(id, endpoint, now);
        let waits = match self.in_use.remove(&peer) {
            None => None,
            Some(old) if is_crossed(&old.connection, &new.endpoint, now) => {
                self.in_use.insert(peer, old);
                return self.lingering.push(peer, new, true, now);
            }
            Some(InUse { connection: old, .. }) => {
                let waits = old.is_opening.then(|| (old.id, now + Duration::from_millis(SETTLE_MS)));
                self.lingering.push(peer, old, false, now);
                self.replaced += 1;
                waits
            }
        };
        new.is_opening = waits.is_none();
        self.in_use.insert(peer, InUse { connection: new, waits, is_second_choice: false });
    }

    /// A connection is closed.
    pub fn on_closed(&mut self, peer: PeerId, id: ConnectionId) -> Left {
        self.lingering.on_closed(id);
        self.on_settled(peer, id);
        match self.in_use.get(&peer) {
            None => return Left::None,
            Some(in_use) if in_use.connection.id != id => return Left::InUse,
            Some(_) => {}
        }
        self.in_use.remove(&peer);
        let Some((mut connection, is_crossed)) = self.lingering.take_best(peer) else { return Left::None };
        connection.is_opening = true;
        self.in_use.insert(peer, InUse { connection, waits: None, is_second_choice: !is_crossed });
        Left::Another
    }

    /// The peer opened a stream on a connection.
    pub fn on_opened(&mut self, peer: PeerId, id: ConnectionId) {
        self.streams += 1;
        let opened = self.streams;
        self.find_mut(peer, id).into_iter().for_each(|connection| connection.opened = opened);
    }

    /// Our stream on a connection stands, or it will not.
    pub fn on_settled(&mut self, peer: PeerId, id: ConnectionId) {
        self.find_mut(peer, id).into_iter().for_each(|connection| connection.is_opening = false);
        if let Some(in_use) = self.in_use.get_mut(&peer)
            && in_use.waits.is_some_and(|(former, _)| former == id)
        {
            in_use.speak();
        }
    }

    /// A peer to whom we speak on the connection in use from now on, for the former one was waited for long enough.
    pub fn pop_settled(&mut self, now: Instant) -> Option<PeerId> {
        let is_due = |in_use: &InUse| in_use.waits.is_some_and(|(_, until)| until <= now);
        let (peer, in_use) = self.in_use.iter_mut().find(|(_, in_use)| is_due(in_use))?;
        in_use.speak();
        Some(*peer)
    }

    /// On which connection we speak to a peer, if we do now.
    pub fn speaker(&self, peer: &PeerId) -> Option<ConnectionId> {
        self.in_use.get(peer).filter(|in_use| in_use.waits.is_none()).map(|in_use| in_use.connection.id)
    }

    /// The connection in use of a peer.
    pub fn in_use(&self, peer: &PeerId) -> Option<(ConnectionId, &ConnectedPoint)> {
        self.in_use.get(peer).map(|in_use| (in_use.connection.id, &in_use.connection.endpoint))
    }

    /// All of a peer, the one in use first.
    pub fn of(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.in_use(peer).map(|(id, _)| id).into_iter().chain(self.lingering.of(peer))
    }

    /// Whether it had given way, and a new one is better.
    pub fn is_second_choice(&self, peer: &PeerId) -> bool {
        self.in_use.get(peer).is_some_and(|in_use| in_use.is_second_choice)
    }

    /// Where a peer speaks.
    pub fn voice(&self, peer: &PeerId, now: Instant) -> Voice {
        match self.in_use.get(peer) {
            Some(in_use) if in_use.connection.opened > 0 => Voice::InUse,
            _ if self.lingering.has_voice(peer, now) => Voice::Elsewhere,
            _ => Voice::None,
        }
    }

    /// Those beside the ones in use.
    pub fn lingering(&mut self) -> &mut Lingering {
        &mut self.lingering
    }

    /// How many gave way to a newer one of the same peer so far.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    /// One beside another that is to be closed now.
    pub fn pop_due(&mut self, now: Instant) -> Option<(PeerId, ConnectionId)> {
        let Self { in_use, lingering, .. } = self;
        lingering.pop_due(|peer| opened(in_use, peer), now)
    }

    /// When [`pop_settled`](Self::pop_settled) or [`pop_due`](Self::pop_due) has something.
    pub fn next_due(&self) -> Option<Instant> {
        let waits = self.in_use.values().filter_map(|in_use| in_use.waits.map(|(_, until)| until));
        waits.chain(self.lingering.next_due(|peer| opened(&self.in_use, peer))).min()
    }

    fn find_mut(&mut self, peer: PeerId, id: ConnectionId) -> Option<&mut Connection> {
        let in_use = self.in_use.get_mut(&peer).map(|in_use| &mut in_use.connection);
        in_use.filter(|connection| connection.id == id).or_else(|| self.lingering.find_mut(id))
    }
}

impl InUse {
    fn speak(&mut self) {
        (self.waits, self.connection.is_opening) = (None, true);
    }
}

fn opened(in_use: &BTreeMap<PeerId, InUse>, peer: &PeerId) -> u64 {
    in_use.get(peer).map_or(0, |in_use| in_use.connection.opened)
}

/// Whether a new connection and the one in use are two dials that met.
fn is_crossed(old: &Connection, new: &ConnectedPoint, now: Instant) -> bool {
    let remote = |endpoint: &ConnectedPoint| -> Multiaddr { endpoint.get_remote_address().clone() };
    old.endpoint.is_dialer() != new.is_dialer()
        && is_within(CROSSED_DIALS_MS, old.since, now)
        && !has_moved(&remote(&old.endpoint), &remote(new))
}

fn is_within(ms: u64, since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::gossip::connection::tests::{endpoint, ids};
    use crate::swarm::gossip::lingering::{REPLACED_LINGER_MAX_MS, REPLACED_LINGER_MS};

    const HOME: &str = "/ip4/192.0.2.7/tcp/4470";
    const AWAY: &str = "/ip4/192.0.2.9/tcp/4470";

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    /// A peer with one connection on which our stream stands, and three names for more.
    fn settled(start: Instant) -> (Connections, PeerId, [ConnectionId; 4]) {
        let all: [(PeerId, ConnectionId); 4] = ids();
        let (peer, connections) = (all[0].0, all.map(|(_, id)| id));
        let mut them = Connections::new(3);
        them.on_established(peer, connections[0], endpoint(HOME, true), start);
        assert_eq!(them.speaker(&peer), Some(connections[0]), "we speak at once");
        them.on_settled(peer, connections[0]);
        (them, peer, connections)
    }

    #[test]
    fn the_newest_is_in_use_and_the_former_ends_when_it_is_drained() {
        let start = Instant::now();
        let (mut them, peer, [first, second, ..]) = settled(start);
        let later = after(start, CROSSED_DIALS_MS);
        them.on_established(peer, second, endpoint(HOME, false), later);
        assert_eq!((them.speaker(&peer), them.replaced()), (Some(second), 1));
        them.lingering().on_ping(first, after(later, REPLACED_LINGER_MS));
        assert_eq!(them.pop_due(after(later, REPLACED_LINGER_MS)), Some((peer, first)));
        assert_eq!(them.on_closed(peer, first), Left::InUse);
        assert_eq!(them.on_closed(peer, second), Left::None);
        assert_eq!((them.speaker(&peer), them.next_due()), (None, None));
    }

    #[test]
    fn two_dials_that_meet_leave_the_first_in_use_until_the_peer_chooses() {
        let start = Instant::now();
        let (mut them, peer, [first, second, third, _]) = settled(start);
        them.on_established(peer, second, endpoint(HOME, false), after(start, CROSSED_DIALS_MS - 1));
        assert_eq!((them.speaker(&peer), them.replaced()), (Some(first), 0));
        assert!(them.is_raced(peer, false, after(start, CROSSED_DIALS_MS)), "its dial tried two addresses");
        assert_eq!(them.on_closed(peer, first), Left::Another);
        assert_eq!((them.speaker(&peer), them.is_second_choice(&peer)), (Some(second), false));
        let moved = after(start, CROSSED_DIALS_MS);
        them.on_established(peer, third, endpoint(AWAY, true), moved);
        assert_eq!(them.speaker(&peer), None, "our stream on the former one is being opened");
        assert_eq!(them.in_use(&peer).map(|(id, _)| id), Some(third), "who moved is not two dials");
    }

    #[test]
    fn one_dial_of_several_addresses_is_one() {
        let start = Instant::now();
        let (them, peer, _) = settled(start);
        assert!(them.is_raced(peer, true, after(start, RACED_DIALS_MS - 1)));
        assert!(!them.is_raced(peer, true, after(start, RACED_DIALS_MS)));
        assert!(!them.is_raced(peer, false, start) && !them.is_raced(PeerId::random(), true, start));
    }

    #[test]
    fn a_stream_that_is_being_opened_is_waited_for_but_not_for_long() {
        let start = Instant::now();
        for (closes, waits_ms) in [(false, SETTLE_MS), (true, 10)] {
            let all: [(PeerId, ConnectionId); 2] = ids();
            let (peer, [first, second]) = (all[0].0, all.map(|(_, id)| id));
            let mut them = Connections::new(3);
            them.on_established(peer, first, endpoint(HOME, true), start);
            them.on_established(peer, second, endpoint(AWAY, true), start);
            assert_eq!((them.speaker(&peer), them.pop_settled(after(start, SETTLE_MS - 1))), (None, None));
            assert_eq!(them.next_due(), Some(after(start, SETTLE_MS)));
            if closes {
                assert_eq!(them.on_closed(peer, first), Left::InUse);
            } else {
                assert_eq!(them.pop_settled(after(start, waits_ms)), Some(peer));
            }
            assert_eq!(them.speaker(&peer), Some(second));
            assert_eq!(them.pop_settled(after(start, 2 * SETTLE_MS)), None);
        }
    }

    #[test]
    fn where_the_peer_speaks_is_known_and_not_closed() {
        let start = Instant::now();
        let (mut them, peer, [first, second, ..]) = settled(start);
        assert_eq!(them.voice(&peer, start), Voice::None);
        them.on_opened(peer, first);
        assert_eq!(them.voice(&peer, start), Voice::InUse);
        let later = after(start, CROSSED_DIALS_MS);
        them.on_established(peer, second, endpoint(HOME, true), later);
        assert_eq!(them.voice(&peer, later), Voice::Elsewhere, "it has not said anything on the new one");
        them.lingering().on_ping(first, after(later, REPLACED_LINGER_MS));
        assert_eq!(them.pop_due(after(later, 2 * REPLACED_LINGER_MAX_MS)), None);
        them.on_opened(peer, second);
        assert_eq!(them.pop_due(after(later, 2 * REPLACED_LINGER_MAX_MS)), Some((peer, first)));
        assert_eq!(them.voice(&peer, later), Voice::InUse);
    }

    #[test]
    fn with_the_one_in_use_gone_we_speak_on_one_that_gave_way() {
        let start = Instant::now();
        let (mut them, peer, [first, second, third, fourth]) = settled(start);
        let at = |n: u64| after(start, n * CROSSED_DIALS_MS);
        for (n, id) in (1..).zip([second, third]) {
            them.on_established(peer, id, endpoint(HOME, true), at(n));
            them.on_settled(peer, id);
        }
        assert_eq!(them.on_closed(peer, third), Left::Another);
        assert_eq!((them.speaker(&peer), them.is_second_choice(&peer)), (Some(second), true));
        them.on_established(peer, fourth, endpoint(HOME, true), at(3));
        assert_eq!(them.in_use(&peer).map(|(id, _)| id), Some(fourth));
        assert!(!them.is_second_choice(&peer));
        assert_eq!(them.pop_due(at(3)), Some((peer, first)), "it made room long ago");
    }
}
