//! Which connection of a peer gossipsub is shown: one at a time.
//!
//! libp2p-gossipsub 0.50.1 announces subscriptions only on a peer's first connection, so a peer that comes back with the
//! same key while its old connection still stands is never heard again (rust-libp2p issue 5097). Here gossipsub is shown
//! one connection a peer, the newest; the ones before it end when nothing is under way on them and the peer does not
//! speak there. When both sides dialled at once, the first connection is in use and the second one beside it, until the
//! peer has chosen.

use super::{
    lingering::Lingering,
    mute::{Handler, Opening, Shared, Speech},
    paced::{Inner, Paced},
};
use libp2p::{
    Multiaddr, PeerId,
    core::ConnectedPoint,
    multiaddr::Protocol,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        behaviour::ConnectionEstablished,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

/// Two connections in opposite directions that come within this time are one meeting of two dials. Twice the time a
/// handshake may take: over a bad link the second one stands that much later, and on each side at another moment.
pub const CROSSED_DIALS_MS: u64 = 10_000;
/// Two connections in one direction that come within this time are one dial that tried several addresses: the dialler
/// takes the first and drops the others, of which one may just have been established here. Guess: a slow round trip.
pub const RACED_DIALS_MS: u64 = 1_000;

/// Why a connection of a peer was refused.
#[derive(Debug, thiserror::Error)]
pub enum Superfluous {
    /// Another one in the same direction was a moment earlier.
    #[error("another address of the same dial was a moment earlier")]
    Raced,
    /// What it sent was not what the protocol says, too often and not long ago.
    #[error("it sent what the protocol does not allow, and is shut out for some minutes")]
    ShutOut,
}

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

/// What becomes of a new connection of a peer.
pub enum Place {
    /// It is the one in use, in place of another one.
    InUse(Option<Opening>),
    /// Another one is.
    Aside,
}

struct Active {
    connection: ConnectionId,
    shared: Shared,
    endpoint: ConnectedPoint,
    since: Instant,
    /// The peer's stream that we have answered with our topics.
    answered: u64,
}

/// The connections of all peers.
pub struct Connections {
    active: BTreeMap<PeerId, Active>,
    /// The second connections of two dials that met.
    beside: BTreeMap<PeerId, Active>,
    /// Connected peers on another implementation.
    others: BTreeSet<PeerId>,
    /// Connections gossipsub was told are closed although they still stand.
    detached: BTreeSet<ConnectionId>,
    lingering: Lingering,
    /// Streams that peers opened so far.
    streams: Arc<AtomicU64>,
    /// Of connections whose handler was made and that do not stand yet.
    coming: BTreeMap<ConnectionId, Shared>,
    replaced: u64,
}

impl Connections {
    /// None yet. Of those that gave way `lingering_max` may stay for long.
    pub fn new(lingering_max: usize) -> Self {
        Connections {
            active: BTreeMap::new(),
            beside: BTreeMap::new(),
            others: BTreeSet::new(),
            detached: BTreeSet::new(),
            lingering: Lingering::new(lingering_max),
            streams: Arc::default(),
            coming: BTreeMap::new(),
            replaced: 0,
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

    /// Decides which of two connections of one peer lives on; called before the new one's handler is made.
    pub fn place(
        &mut self,
        peer: PeerId,
        dialer: bool,
        remote: &Multiaddr,
        gossip: &mut Paced,
    ) -> Result<Place, ConnectionDenied> {
        let Some(old) = self.active.get(&peer) else { return Ok(Place::InUse(None)) };
        let is_raced = |other: &Active| {
            other.endpoint.is_dialer() == dialer && other.since.elapsed() < Duration::from_millis(RACED_DIALS_MS)
        };
        if is_raced(old) || self.beside.get(&peer).is_some_and(is_raced) {
            return Err(ConnectionDenied::new(Superfluous::Raced));
        }
        let crossed = old.endpoint.is_dialer() != dialer
            && old.since.elapsed() < Duration::from_millis(CROSSED_DIALS_MS)
            && !has_moved(old.endpoint.get_remote_address(), remote);
        if crossed {
            return Ok(Place::Aside);
        }
        let Some(old) = self.active.remove(&peer) else { return Ok(Place::InUse(None)) };
        // Another implementation does not name its topics again on a new connection: what gossipsub knows of it is kept.
        let remaining_established = usize::from(self.others.contains(&peer));
        gossip.inner_mut().on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: old.connection,
            endpoint: &old.endpoint,
            cause: None,
            remaining_established,
        }));
        if remaining_established > 0 {
            old.shared.retire();
        }
        self.beside.remove(&peer);
        self.detached.insert(old.connection);
        self.lingering.push(peer, old.connection, old.shared.opened, Instant::now());
        self.replaced += 1;
        Ok(Place::InUse(Some(old.shared.opening)))
    }

    /// The handler of a new connection.
    pub fn handler(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        place: Place,
        inner: THandler<Inner>,
    ) -> Handler<THandler<Inner>> {
        let shared = Shared::default();
        self.coming.insert(connection, shared.clone());
        let before = match place {
            Place::InUse(before) => before,
            Place::Aside => {
                shared.silence();
                self.detached.insert(connection);
                self.lingering.push(peer, connection, shared.opened.clone(), Instant::now());
                None
            }
        };
        Handler::new(inner, shared, self.streams.clone(), before)
    }

    /// A connection stands.
    pub fn on_established(&mut self, event: ConnectionEstablished<'_>, gossip: &mut Paced) {
        let (connection, endpoint) = (event.connection_id, event.endpoint.clone());
        let shared = self.coming.remove(&connection).unwrap_or_default();
        let active = Active { connection, shared, endpoint, since: Instant::now(), answered: 0 };
        if self.detached.contains(&connection) {
            self.beside.insert(event.peer_id, active);
            return; // gossipsub knows the one in use.
        }
        self.active.insert(event.peer_id, active);
        let first = ConnectionEstablished { other_established: 0, ..event };
        gossip.inner_mut().on_swarm_event(FromSwarm::ConnectionEstablished(first));
    }

    /// A connection is closed.
    pub fn on_closed(&mut self, event: ConnectionClosed<'_>, gossip: &mut Paced) {
        self.lingering.on_closed(event.connection_id);
        if self.beside.get(&event.peer_id).is_some_and(|beside| beside.connection == event.connection_id) {
            self.beside.remove(&event.peer_id);
        }
        if self.detached.remove(&event.connection_id) {
            return; // gossipsub was told when the newer one came.
        }
        self.active.remove(&event.peer_id);
        let remaining_established = usize::from(self.beside.contains_key(&event.peer_id));
        if remaining_established == 0 {
            self.others.remove(&event.peer_id);
        }
        let last = ConnectionClosed { remaining_established, ..event };
        gossip.inner_mut().on_swarm_event(FromSwarm::ConnectionClosed(last));
        self.use_the_one_beside(event.peer_id, gossip);
    }

    /// Of two dials that met, the peer has ended the connection in use: js keeps the one that it did not dial. gossipsub
    /// keeps what it knows of the peer, for the peer does not tell again, and names our topics again.
    fn use_the_one_beside(&mut self, peer: PeerId, gossip: &mut Paced) {
        let Some(beside) = self.beside.remove(&peer) else { return };
        self.lingering.on_closed(beside.connection);
        self.detached.remove(&beside.connection);
        beside.shared.speak();
        self.active.insert(peer, beside);
        self.name_topics(peer, gossip);
    }

    /// Tells a peer our topics on the connection in use.
    fn name_topics(&self, peer: PeerId, gossip: &mut Paced) {
        let Some(active) = self.active.get(&peer) else { return };
        gossip.inner_mut().on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: active.connection,
            endpoint: &active.endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    /// A peer is on another implementation. Some of these forget our topics when a stream of theirs ends, and open another:
    /// from now on each is answered with our topics.
    pub fn on_other_implementation(&mut self, peer: PeerId) {
        if let Some(active) = self.active.get_mut(&peer) {
            active.answered = active.shared.opened.number();
            self.others.insert(peer);
        }
    }

    /// Something came on a connection, maybe on a new stream.
    pub fn answer_stream(&mut self, peer: PeerId, connection: ConnectionId, gossip: &mut Paced) {
        let Some(active) = self.active.get_mut(&peer).filter(|active| active.connection == connection) else { return };
        let opened = active.shared.opened.number();
        if opened > active.answered && self.others.contains(&peer) {
            active.answered = opened;
            self.name_topics(peer, gossip);
        }
    }

    /// Where a peer speaks.
    pub fn voice(&self, peer: &PeerId, now: Instant) -> Voice {
        match self.active.get(peer) {
            Some(active) if active.shared.opened.number() > 0 => Voice::InUse,
            _ if self.lingering.has_voice(peer, now) => Voice::Elsewhere,
            _ => Voice::None,
        }
    }

    /// Our stream on the connection in use of a peer, if there is one.
    pub fn speech(&self, peer: &PeerId) -> Option<Speech> {
        self.active.get(peer).and_then(|active| active.shared.speech())
    }

    /// The connection in use of a peer.
    pub fn in_use(&self, peer: &PeerId) -> Option<(ConnectionId, &ConnectedPoint)> {
        self.active.get(peer).map(|active| (active.connection, &active.endpoint))
    }

    /// One beside another that is to be closed now.
    pub fn pop_due(&mut self, now: Instant) -> Option<(PeerId, ConnectionId)> {
        let Connections { active, lingering, .. } = self;
        let in_use = |peer: &PeerId| active.get(peer).map_or(0, |active| active.shared.opened.number());
        lingering.pop_due(in_use, now)
    }
}

/// Whether a peer that was at one address and is at another has another address, not only another family of them.
fn has_moved(old: &Multiaddr, new: &Multiaddr) -> bool {
    match (old.iter().next(), new.iter().next()) {
        (Some(Protocol::Ip4(old)), Some(Protocol::Ip4(new))) => old != new,
        (Some(Protocol::Ip6(old)), Some(Protocol::Ip6(new))) => old != new,
        _ => false,
    }
}
