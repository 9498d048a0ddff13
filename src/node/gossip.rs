//! gossipsub made fit for boards that sleep, move and come back.
//!
//! Faults of libp2p-gossipsub 0.50.1 are mended here, from the outside:
//!
//! - Its heartbeat never runs a second time on a quiet node. Here a timer of our own drives it: each second while something
//!   happens, ten seconds in a quiet room (`paced.rs`).
//! - It announces subscriptions only on a peer's first connection. Here it is shown one connection a peer
//!   (`connections.rs`).
//! - What it remembers is bounded by time alone. Here it is bounded by number (`intake.rs`, `paced.rs`).

use super::{
    connections::{Connections, Superfluous, Voice},
    intake::{Dropped, Intake},
    lingering::Lingering,
    mute::{Handler, Speech},
    others::Naming,
    paced::{FromHandler, Inner, Paced},
};
use crate::wire::room::TOPIC_PREFIX;
use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    gossipsub::{self, MessageAcceptance, MessageId, PublishError, RawMessage, TopicHash},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};
use std::{
    collections::VecDeque,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// How often gossipsub's heartbeat runs while something happens. Source: go-libp2p default.
pub const HEARTBEAT_BUSY_MS: u64 = 1_000;
/// How often it runs in a quiet room: a board's wake-ups cost energy. Guess, a tenth of the default.
pub const HEARTBEAT_QUIET_MS: u64 = 10_000;
/// How long the pace stays busy after the last thing that happened. Guess: five heartbeats.
pub const BUSY_MS: u64 = 5_000;
/// Lines signed by ourselves that came from others and wait to be looked at; more are passed over. Guess.
pub const OWN_HEARD_MAX: usize = 8;
/// Peers a node wants in the mesh of a room, at least. Source: gossipsub specification, D_lo.
pub const GOSSIP_MESH_LOW: usize = 5;

/// gossipsub with a heartbeat that never sleeps for good and one connection a peer.
pub struct Behaviour {
    paced: Paced,
    local: PeerId,
    connections: Connections,
    tick: smol::Timer,
    busy_until: Instant,
    heartbeats: u64,
    naming: Naming,
    intake: Intake,
    shown_out: VecDeque<PeerId>,
    /// What others say that we said.
    own_heard: VecDeque<(TopicHash, Vec<u8>)>,
    own_heard_count: u64,
}

impl Behaviour {
    /// Wraps a configured gossipsub behaviour. Of the connections that gave way `lingering_max` may stay for long.
    pub fn new(inner: Inner, local: PeerId, lingering_max: usize, naming: Naming) -> Self {
        let now = Instant::now();
        Behaviour {
            paced: Paced::new(inner, now),
            local,
            connections: Connections::new(lingering_max),
            tick: smol::Timer::after(Duration::from_millis(HEARTBEAT_BUSY_MS)),
            busy_until: now + Duration::from_millis(BUSY_MS),
            heartbeats: 0,
            naming,
            intake: Intake::new([fastrand::u64(..), fastrand::u64(..)], now),
            shown_out: VecDeque::new(),
            own_heard: VecDeque::new(),
            own_heard_count: 0,
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

    /// A message, with its topic, that came from another and is signed by us: gossipsub drops it.
    pub fn pop_own_heard(&mut self) -> Option<(TopicHash, Vec<u8>)> {
        self.own_heard.pop_front()
    }

    /// How many there were.
    pub fn own_heard_count(&self) -> u64 {
        self.own_heard_count
    }

    /// Ticks of the heartbeat's clock since the start.
    pub fn heartbeats(&self) -> u64 {
        self.heartbeats
    }

    /// Connections beside the one in use.
    pub fn lingering(&mut self) -> &mut Lingering {
        self.connections.lingering()
    }

    /// Connections that gave way to a newer one of the same peer.
    pub fn replaced(&self) -> u64 {
        self.connections.replaced()
    }

    /// A peer is on another implementation.
    pub fn on_other_implementation(&mut self, peer: PeerId) {
        self.connections.on_other_implementation(peer);
    }

    /// Where a peer speaks.
    pub fn voice(&self, peer: &PeerId, now: Instant) -> Voice {
        self.connections.voice(peer, now)
    }

    /// Our stream on the connection in use of a peer.
    pub fn speech(&self, peer: &PeerId) -> Option<Speech> {
        self.connections.speech(peer)
    }

    /// The connection in use of a peer.
    pub fn in_use(&self, peer: &PeerId) -> Option<(ConnectionId, &ConnectedPoint)> {
        self.connections.in_use(peer)
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
        for message in rpc.messages.iter().filter(|message| message.source == Some(self.local)) {
            self.own_heard_count += 1;
            if self.own_heard.len() < OWN_HEARD_MAX {
                self.own_heard.push_back((message.topic.clone(), message.data.clone()));
            }
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

    /// Of those shut out no connection is taken.
    fn check(&mut self, peer: &PeerId) -> Result<(), ConnectionDenied> {
        if self.intake.is_shut_out(peer, Instant::now()) {
            return Err(ConnectionDenied::new(Superfluous::ShutOut));
        }
        self.on_activity();
        Ok(())
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
    type ConnectionHandler = Handler<THandler<Inner>>;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer)?;
        let place = self.connections.place(peer, false, remote, &mut self.paced)?;
        let inner = self.paced.inner_mut();
        let handler = inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.connections.handler(peer, connection, place, handler))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(&peer)?;
        let place = self.connections.place(peer, true, address, &mut self.paced)?;
        let inner = self.paced.inner_mut();
        let handler = inner.handle_established_outbound_connection(connection, peer, address, role, port_use)?;
        Ok(self.connections.handler(peer, connection, place, handler))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                self.intake.on_connected(event.peer_id, Instant::now());
                self.connections.on_established(event, &mut self.paced);
            }
            FromSwarm::ConnectionClosed(event) => {
                self.on_activity();
                if event.remaining_established == 0 {
                    self.intake.on_disconnected(&event.peer_id, Instant::now());
                }
                self.connections.on_closed(event, &mut self.paced);
            }
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
        self.connections.answer_stream(peer, connection, &mut self.paced);
        self.paced.inner_mut().on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            if let Some(peer_id) = self.shown_out.pop_front() {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All });
            }
            if let Some((peer_id, connection)) = self.connections.pop_due(Instant::now()) {
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
