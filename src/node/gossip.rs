//! gossipsub made fit for boards that sleep, move and come back.
//!
//! Two faults of libp2p-gossipsub 0.50.1 are mended here, from the outside:
//!
//! - Its heartbeat resets a timer and returns without polling it again, so on a quiet node it never runs a second
//!   time. Here a timer of our own drives it: each second while something happens, ten seconds in a quiet room.
//! - It announces subscriptions only on a peer's first connection, so a peer that comes back with the same key while
//!   its old connection still stands is never heard again (rust-libp2p issue 5097). Here gossipsub is shown one
//!   connection a peer, the newest; the ones before it end when nothing is under way on them and the peer does not
//!   speak there. When both sides dialled at once, the first connection is in use and the second one beside it, until
//!   the peer has chosen.

use super::{
    lingering::Lingering,
    mute::{Handler, Opening, Shared},
    topics::TopicBounds,
};
use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    gossipsub,
    multiaddr::Protocol,
    swarm::{
        CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicU64},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// How often gossipsub's heartbeat runs while something happens. Source: go-libp2p default.
pub const HEARTBEAT_BUSY_MS: u64 = 1_000;
/// How often it runs in a quiet room: a board's wake-ups cost energy. Guess, a tenth of the default.
pub const HEARTBEAT_QUIET_MS: u64 = 10_000;
/// How long the pace stays busy after the last thing that happened. Guess: five heartbeats.
pub const BUSY_MS: u64 = 5_000;
/// Two connections in opposite directions that come within this time are one meeting of two dials. Twice the time a
/// handshake may take: over a bad link the second one stands that much later, and on each side at another moment.
pub const CROSSED_DIALS_MS: u64 = 10_000;
/// Two connections in one direction that come within this time are one dial that tried several addresses: the dialler
/// takes the first and drops the others, of which one may just have been established here. Guess: a slow round trip.
pub const RACED_DIALS_MS: u64 = 1_000;

/// Peers a node wants in the mesh of a room, at least. Source: gossipsub specification, D_lo.
pub const GOSSIP_MESH_LOW: usize = 5;

type Inner = gossipsub::Behaviour<gossipsub::IdentityTransform, gossipsub::MaxCountSubscriptionFilter<TopicBounds>>;

/// Why a second connection of a peer was refused.
#[derive(Debug, thiserror::Error)]
pub enum Superfluous {
    /// Another one in the same direction was a moment earlier.
    #[error("another address of the same dial was a moment earlier")]
    Raced,
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
enum Place {
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

/// gossipsub with a heartbeat that never sleeps for good and one connection a peer.
pub struct Behaviour {
    inner: Inner,
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
    tick: smol::Timer,
    busy_until: Instant,
    heartbeats: u64,
    replaced: u64,
}

impl Behaviour {
    /// Wraps a configured gossipsub behaviour. Of the connections that gave way `lingering_max` may stay for long.
    pub fn new(inner: Inner, lingering_max: usize) -> Self {
        let now = Instant::now();
        Behaviour {
            inner,
            active: BTreeMap::new(),
            beside: BTreeMap::new(),
            others: BTreeSet::new(),
            detached: BTreeSet::new(),
            lingering: Lingering::new(lingering_max),
            streams: Arc::default(),
            coming: BTreeMap::new(),
            tick: smol::Timer::after(Duration::from_millis(HEARTBEAT_BUSY_MS)),
            busy_until: now + Duration::from_millis(BUSY_MS),
            heartbeats: 0,
            replaced: 0,
        }
    }

    /// gossipsub itself, to publish, subscribe and ask. Whoever calls this makes the pace busy.
    pub fn inner_mut(&mut self) -> &mut Inner {
        self.on_activity();
        &mut self.inner
    }

    /// gossipsub itself, to ask.
    pub fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Ticks of the heartbeat's clock since the start.
    pub fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    /// Connections beside the one in use.
    pub fn lingering(&mut self) -> &mut Lingering {
        &mut self.lingering
    }

    /// Connections that gave way to a newer one of the same peer.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    fn on_activity(&mut self) {
        let now = Instant::now();
        let was_quiet = self.busy_until <= now;
        self.busy_until = now + Duration::from_millis(BUSY_MS);
        if was_quiet {
            self.tick = smol::Timer::after(Duration::from_millis(HEARTBEAT_BUSY_MS));
        }
    }

    /// Whether a mesh could be fuller than it is: then the pace stays busy.
    fn mesh_wants_peers(&self) -> bool {
        let low = GOSSIP_MESH_LOW;
        self.inner.topics().any(|topic| {
            let in_mesh = self.inner.mesh_peers(topic).count();
            in_mesh < low && self.inner.all_peers().filter(|(_, topics)| topics.contains(&topic)).count() > in_mesh
        })
    }

    /// Decides which of two connections of one peer lives on; called before the new one's handler is made.
    fn on_handler_wanted(&mut self, peer: PeerId, dialer: bool, remote: &Multiaddr) -> Result<Place, ConnectionDenied> {
        self.on_activity();
        let Some(old) = self.active.get(&peer) else { return Ok(Place::InUse(None)) };
        if old.endpoint.is_dialer() == dialer && old.since.elapsed() < Duration::from_millis(RACED_DIALS_MS) {
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
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
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

    fn handler(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        place: Place,
        inner: THandler<Inner>,
    ) -> THandler<Self> {
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

    fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        let (connection, endpoint) = (event.connection_id, event.endpoint.clone());
        let shared = self.coming.remove(&connection).unwrap_or_default();
        let active = Active { connection, shared, endpoint, since: Instant::now(), answered: 0 };
        if self.detached.contains(&connection) {
            self.beside.insert(event.peer_id, active);
            return; // gossipsub knows the one in use.
        }
        self.active.insert(event.peer_id, active);
        let first = ConnectionEstablished { other_established: 0, ..event };
        self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(first));
    }

    fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        self.on_activity();
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
        self.inner.on_swarm_event(FromSwarm::ConnectionClosed(last));
        self.use_the_one_beside(event.peer_id);
    }

    /// Of two dials that met, the peer has ended the connection in use: js keeps the one that it did not dial. gossipsub
    /// keeps what it knows of the peer, for the peer does not tell again, and names our topics again.
    fn use_the_one_beside(&mut self, peer: PeerId) {
        let Some(beside) = self.beside.remove(&peer) else { return };
        self.lingering.on_closed(beside.connection);
        self.detached.remove(&beside.connection);
        beside.shared.speak();
        self.active.insert(peer, beside);
        self.name_topics(peer);
    }

    /// Tells a peer our topics on the connection in use.
    fn name_topics(&mut self, peer: PeerId) {
        let Some(active) = self.active.get(&peer) else { return };
        self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
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

    fn answer_stream(&mut self, peer: PeerId, connection: ConnectionId) {
        let Some(active) = self.active.get_mut(&peer).filter(|active| active.connection == connection) else { return };
        let opened = active.shared.opened.number();
        if opened > active.answered && self.others.contains(&peer) {
            active.answered = opened;
            self.name_topics(peer);
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

    /// The connection in use of a peer.
    pub fn in_use(&self, peer: &PeerId) -> Option<(ConnectionId, &ConnectedPoint)> {
        self.active.get(peer).map(|active| (active.connection, &active.endpoint))
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

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler<THandler<Inner>>;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let place = self.on_handler_wanted(peer, false, remote)?;
        let handler = self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.handler(peer, connection, place, handler))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let place = self.on_handler_wanted(peer, true, address)?;
        let handler = self.inner.handle_established_outbound_connection(connection, peer, address, role, port_use)?;
        Ok(self.handler(peer, connection, place, handler))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.on_established(event),
            FromSwarm::ConnectionClosed(event) => self.on_closed(event),
            event => self.inner.on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.on_activity();
        self.answer_stream(peer, connection);
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let in_use = |peer: &PeerId| self.active.get(peer).map_or(0, |active| active.shared.opened.number());
            if let Some((peer_id, connection)) = self.lingering.pop_due(in_use, Instant::now()) {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) });
            }
            // gossipsub's only wakers are its two timers. They are polled without one: our tick decides. The second
            // poll hands out what a heartbeat in the first one pushed.
            let mut quiet = Context::from_waker(Waker::noop());
            for _ in 0..2 {
                if let Poll::Ready(event) = self.inner.poll(&mut quiet) {
                    return Poll::Ready(event);
                }
            }
            if self.tick.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            self.heartbeats += 1;
            let busy = self.busy_until > Instant::now() || self.mesh_wants_peers();
            let pace = if busy { HEARTBEAT_BUSY_MS } else { HEARTBEAT_QUIET_MS };
            self.tick = smol::Timer::after(Duration::from_millis(pace));
        }
    }
}
