//! gossipsub made fit for boards that sleep, move and come back.
//!
//! Faults of libp2p-gossipsub 0.50.1 are mended here, from the outside:
//!
//! - Its heartbeat never runs a second time on a quiet node. Here a timer of our own drives it: each second while something
//!   happens, ten seconds in a quiet room (`paced.rs`).
//! - It announces subscriptions only on a peer's first connection, so a peer that comes back with the same key while
//!   its old connection still stands is never heard again (rust-libp2p issue 5097). Here gossipsub is shown one
//!   connection a peer, the newest; the ones before it end when nothing is under way on them. When both sides
//!   dialled at once, both keep the connection that the higher peer id dialled.
//! - What it remembers is bounded by time alone. Here it is bounded by number (`intake.rs`, `paced.rs`).

use super::{
    intake::{Dropped, Intake},
    lingering::Lingering,
    others::Naming,
    paced::{FromHandler, Inner, Paced},
};
use crate::wire::room::TOPIC_PREFIX;
use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    gossipsub::{self, MessageAcceptance, MessageId, PublishError, RawMessage, TopicHash},
    multiaddr::Protocol,
    swarm::{
        CloseConnection, ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    task::{Context, Poll},
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
/// Why a connection of a peer was refused.
#[derive(Debug, thiserror::Error)]
pub enum Superfluous {
    /// The connection that the higher peer id dialled stands already.
    #[error("both sides dialled at once and the other connection stands")]
    Crossed,
    /// Another one in the same direction was a moment earlier.
    #[error("another address of the same dial was a moment earlier")]
    Raced,
    /// What it sent was not what the protocol says, too often and not long ago.
    #[error("it sent what the protocol does not allow, and is shut out for some minutes")]
    ShutOut,
}

struct Active {
    connection: ConnectionId,
    endpoint: ConnectedPoint,
    since: Instant,
}

/// gossipsub with a heartbeat that never sleeps for good and one connection a peer.
pub struct Behaviour {
    paced: Paced,
    local: PeerId,
    active: BTreeMap<PeerId, Active>,
    /// Connections gossipsub was told are closed although they still stand.
    detached: BTreeSet<ConnectionId>,
    lingering: Lingering,
    tick: smol::Timer,
    busy_until: Instant,
    heartbeats: u64,
    replaced: u64,
    naming: Naming,
    intake: Intake,
    shown_out: VecDeque<PeerId>,
}

impl Behaviour {
    /// Wraps a configured gossipsub behaviour. Of the connections that gave way `lingering_max` may stay for long.
    pub fn new(inner: Inner, local: PeerId, lingering_max: usize, naming: Naming) -> Self {
        let now = Instant::now();
        Behaviour {
            paced: Paced::new(inner, now),
            local,
            active: BTreeMap::new(),
            detached: BTreeSet::new(),
            lingering: Lingering::new(lingering_max),
            tick: smol::Timer::after(Duration::from_millis(HEARTBEAT_BUSY_MS)),
            busy_until: now + Duration::from_millis(BUSY_MS),
            heartbeats: 0,
            replaced: 0,
            naming,
            intake: Intake::new([fastrand::u64(..), fastrand::u64(..)], now),
            shown_out: VecDeque::new(),
        }
    }

    /// gossipsub itself, to publish, subscribe and ask. Whoever calls this makes the pace busy.
    pub fn inner_mut(&mut self) -> &mut Inner {
        self.on_activity();
        self.paced.inner_mut()
    }

    /// gossipsub itself, to ask.
    pub fn inner(&self) -> &Inner {
        self.paced.inner()
    }

    /// Hands a message to all who are in its room.
    pub fn publish(&mut self, topic: TopicHash, data: &[u8]) -> Result<MessageId, PublishError> {
        let (now, same) = (Instant::now(), self.naming.is_by_content(&topic));
        if same {
            let (source, topic) = (Some(self.local), topic.clone());
            let id = self.naming.id(&gossipsub::Message { source, data: data.into(), sequence_number: None, topic });
            if self.intake.is_same(&id, now) {
                return Err(PublishError::Duplicate);
            }
        }
        let id = self.inner_mut().publish(topic, data)?;
        self.intake.note(&id, same, now);
        self.paced.on_cached(id.clone());
        self.paced.count(1);
        Ok(id)
    }

    /// What is to become of a message that a peer brought.
    pub fn judge(&mut self, id: MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        let now = Instant::now();
        let (is_accepted, is_bad) = match acceptance {
            MessageAcceptance::Accept => (true, false),
            MessageAcceptance::Reject => (false, true),
            MessageAcceptance::Ignore => (false, false),
        };
        self.inner_mut().report_message_validation_result(&id, from, acceptance);
        if is_bad {
            self.on_offence(from, 1, now);
        } else if is_accepted {
            self.paced.on_cached(id);
        }
    }

    /// What of the peers' gossip was not taken.
    pub fn dropped(&self) -> Dropped {
        self.intake.dropped()
    }

    /// Ticks of the heartbeat's clock since the start.
    pub fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    /// Connections that gave way to a newer one and still stand.
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

    fn on_offence(&mut self, peer: &PeerId, count: usize, now: Instant) {
        self.intake.offend(peer, count as f32, now);
        self.show_out(peer, now);
    }

    /// Closes the connections of a peer that misbehaved too much.
    fn show_out(&mut self, peer: &PeerId, now: Instant) {
        if self.intake.is_deaf_to(peer, now) && !self.shown_out.contains(peer) {
            log::info!("{peer} is shown out: what it sent was not what the protocol says");
            self.shown_out.push_back(*peer);
        }
    }

    /// Takes of what a peer sent as much as can be taken.
    fn on_rpc(&mut self, peer: &PeerId, event: &mut FromHandler, now: Instant) {
        let FromHandler::Message { rpc, invalid_messages } = event else { return };
        // In a room of other programs an author whose kind of key is unknown here looks like a forger, and its friends who
        // hand its messages on would be shut out for it: what cannot be checked there is dropped, and nobody is blamed.
        let bad = invalid_messages.drain(..).filter(|(message, _)| message.topic.as_str().starts_with(TOPIC_PREFIX));
        let bad = bad.count();
        if bad > 0 {
            self.intake.offend(peer, bad as f32, now);
        }
        if self.intake.is_deaf_to(peer, now) {
            rpc.messages.clear();
            rpc.control_msgs.clear();
            rpc.subscriptions.clear();
            self.intake.note_offender();
            return self.show_out(peer, now);
        }
        let Behaviour { paced, intake, naming, .. } = self;
        rpc.messages.retain_mut(|message| {
            // gossipsub would keep what is of no room of ours.
            paced.inner().topics().any(|topic| *topic == message.topic) && is_new(message, naming, intake, now)
        });
        rpc.control_msgs.retain(|control| intake.take_control(peer, control, now));
        while let Some(id) = intake.pop_asked(now) {
            rpc.messages.push(paced.forget(id));
        }
        while let Some(id) = intake.pop_known() {
            rpc.messages.push(paced.know(id));
        }
        paced.count(rpc.messages.len());
        self.show_out(peer, now);
    }

    /// Whether a mesh could be fuller than it is: then the pace stays busy.
    fn mesh_wants_peers(&self) -> bool {
        let low = GOSSIP_MESH_LOW;
        self.inner().topics().any(|topic| {
            let in_mesh = self.inner().mesh_peers(topic).count();
            in_mesh < low && self.inner().all_peers().filter(|(_, topics)| topics.contains(&topic)).count() > in_mesh
        })
    }

    /// Decides which of two connections of one peer lives on; called before the new one's handler is made.
    fn on_handler_wanted(&mut self, peer: PeerId, dialer: bool, remote: &Multiaddr) -> Result<(), ConnectionDenied> {
        if self.intake.is_shut_out(&peer, Instant::now()) {
            return Err(ConnectionDenied::new(Superfluous::ShutOut));
        }
        self.on_activity();
        let Some(old) = self.active.get(&peer) else { return Ok(()) };
        if old.endpoint.is_dialer() == dialer && old.since.elapsed() < Duration::from_millis(RACED_DIALS_MS) {
            return Err(ConnectionDenied::new(Superfluous::Raced));
        }
        let crossed = old.endpoint.is_dialer() != dialer
            && old.since.elapsed() < Duration::from_millis(CROSSED_DIALS_MS)
            && !has_moved(old.endpoint.get_remote_address(), remote)
            && dialer != (self.local > peer);
        if crossed {
            return Err(ConnectionDenied::new(Superfluous::Crossed));
        }
        let Some(old) = self.active.remove(&peer) else { return Ok(()) };
        self.paced.inner_mut().on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer,
            connection_id: old.connection,
            endpoint: &old.endpoint,
            cause: None,
            remaining_established: 0,
        }));
        self.detached.insert(old.connection);
        self.lingering.push(peer, old.connection, Instant::now());
        self.replaced += 1;
        Ok(())
    }

    fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        let (connection, endpoint) = (event.connection_id, event.endpoint.clone());
        let now = Instant::now();
        self.active.insert(event.peer_id, Active { connection, endpoint, since: now });
        self.intake.on_connected(event.peer_id, now);
        let first = ConnectionEstablished { other_established: 0, ..event };
        self.paced.inner_mut().on_swarm_event(FromSwarm::ConnectionEstablished(first));
    }

    fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        self.on_activity();
        self.lingering.on_closed(event.connection_id);
        if event.remaining_established == 0 {
            self.intake.on_disconnected(&event.peer_id, Instant::now());
        }
        if self.detached.remove(&event.connection_id) {
            return; // gossipsub was told when the newer one came.
        }
        self.active.remove(&event.peer_id);
        let last = ConnectionClosed { remaining_established: 0, ..event };
        self.paced.inner_mut().on_swarm_event(FromSwarm::ConnectionClosed(last));
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

/// Whether a message is one to take.
fn is_new(message: &mut RawMessage, naming: &Naming, intake: &mut Intake, now: Instant) -> bool {
    let (source, sequence_number) = (message.source, message.sequence_number);
    let (data, topic) = (std::mem::take(&mut message.data), message.topic.clone());
    let same = naming.is_by_content(&topic);
    let named = gossipsub::Message { source, data, sequence_number, topic };
    let id = naming.id(&named);
    message.data = named.data;
    intake.take(&id, same, now)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<Inner>;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.on_handler_wanted(peer, false, remote)?;
        self.paced.inner_mut().handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.on_handler_wanted(peer, true, address)?;
        self.paced.inner_mut().handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.on_established(event),
            FromSwarm::ConnectionClosed(event) => self.on_closed(event),
            event => self.paced.inner_mut().on_swarm_event(event),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        mut event: THandlerOutEvent<Self>,
    ) {
        self.on_activity();
        self.on_rpc(&peer, &mut event, Instant::now());
        self.paced.inner_mut().on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(peer_id) = self.shown_out.pop_front() {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All });
            }
            if let Some((peer_id, connection)) = self.lingering.pop_due(Instant::now()) {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) });
            }
            if let Poll::Ready(event) = self.paced.poll() {
                return Poll::Ready(event);
            }
            if self.tick.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            self.paced.beat();
            self.heartbeats += 1;
            let busy = self.busy_until > Instant::now() || self.mesh_wants_peers();
            let pace = if busy { HEARTBEAT_BUSY_MS } else { HEARTBEAT_QUIET_MS };
            self.tick = smol::Timer::after(Duration::from_millis(pace));
        }
    }
}
