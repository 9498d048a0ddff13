//! gossip as a behaviour of the swarm: which connections there are, on which we speak, and when something is due.

use super::connection::group;
use super::connections::{Connections, Left, Voice};
use super::event::{Config, Counts, Event, PublishError, QUEUED_BYTES, Speech, Superfluous, Waiting};
use super::exchange::Exchange;
use super::handler::{FromHandler, Handler};
use super::line::Line;
use super::signature::SignError;
use crate::compat::profile::Profile;
use crate::gossip::{Input, Key, PeerIndex, Protocol, SendQueue, Signed, TopicIndex, Verdict};
use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    core::{ConnectedPoint, Endpoint, transport::PortUse},
    identity::Keypair,
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        ToSwarm,
        behaviour::{ConnectionClosed, ConnectionEstablished},
    },
};
use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Instant,
};

/// gossip.
pub struct Behaviour {
    config: Config,
    exchange: Exchange,
    connections: Connections,
    /// Of the connection whose handler was made and that does not stand yet: there is one at a time.
    coming: Option<(ConnectionId, Arc<Line>)>,
    /// Set for the moment when something is due next.
    timer: Option<(Instant, smol::Timer)>,
}

impl Behaviour {
    /// In no topic.
    pub fn new(keypair: Keypair, config: Config) -> Self {
        Self {
            config,
            exchange: Exchange::new(keypair, config.settings, Instant::now()),
            connections: Connections::new(config.lingering_max),
            coming: None,
            timer: None,
        }
    }

    /// Joins a topic, in which messages are named in this way. Who is in it comes as events.
    pub fn join(&mut self, name: &str, profile: Profile) -> TopicIndex {
        self.exchange.join(name, profile)
    }

    /// Leaves a topic.
    pub fn leave(&mut self, topic: TopicIndex) {
        self.exchange.leave(topic);
    }

    /// Signs a message of ours. An author gives a number once.
    pub fn sign(&mut self, topic: TopicIndex, seqno: u64, data: &[u8]) -> Result<Signed, SignError> {
        self.exchange.sign(topic, seqno, data)
    }

    /// Hands a message of ours to all who are in its topic, or once more to those whom it did not reach: to how many it
    /// goes now.
    pub fn publish(&mut self, topic: TopicIndex, message: &Signed) -> Result<usize, PublishError> {
        self.exchange.publish(topic, message)
    }

    /// Hands one message to one peer.
    pub fn forward(&mut self, peer: &PeerId, topic: TopicIndex, message: &Signed) {
        self.exchange.forward(peer, topic, message);
    }

    /// What is to become of a message that was told of.
    pub fn judge(&mut self, key: Key, verdict: Verdict) {
        self.exchange.tell(Input::Judged { key, verdict });
    }

    /// Those in the mesh of a topic.
    pub fn mesh(&self, topic: TopicIndex) -> impl Iterator<Item = PeerId> {
        self.exchange.core.mesh(topic).filter_map(|index| self.exchange.peers.find(index)).map(|peer| peer.id)
    }

    /// What was not taken, and what happened.
    pub fn counts(&self) -> Counts {
        let core = &self.exchange.core;
        let (refused, recovery, beats) = (core.refused(), core.recovery(), core.beats());
        Counts { refused, recovery, beats, replaced: self.connections.replaced(), ..self.exchange.counts }
    }

    /// What waits to be written.
    pub fn waiting(&self) -> Waiting {
        let [first, forwarded] = self.exchange.peers.meters();
        Waiting { first, forwarded }
    }

    /// A ping that began at `begun` was answered on a connection.
    pub fn on_ping(&mut self, connection: ConnectionId, begun: Instant) {
        self.connections.lingering().on_ping(connection, begun);
    }

    /// A ping was not answered.
    pub fn on_ping_failed(&mut self, connection: ConnectionId) {
        self.connections.lingering().on_ping_failed(connection);
    }

    /// A peer's connections: the one in use, and those beside it.
    pub fn connections(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.connections.of(peer)
    }

    /// Our stream on the connection on which we speak to a peer, if there is one.
    pub fn speech(&self, peer: &PeerId) -> Option<Speech> {
        self.exchange.peers.index(peer).and_then(|index| self.exchange.peers.find(index))?.speech()
    }

    /// Whether a peer is in a joined topic.
    pub fn is_member(&self, peer: &PeerId, topic: TopicIndex) -> bool {
        self.exchange.is_member(peer, topic)
    }

    /// Whether a connection is beside the one in use.
    pub fn is_beside(&mut self, connection: ConnectionId) -> bool {
        self.connections.lingering().contains(connection)
    }

    /// Where a peer speaks.
    pub fn voice(&self, peer: &PeerId, now: Instant) -> Voice {
        self.connections.voice(peer, now)
    }

    /// Whether the connection in use of a peer had given way to another one, and a new one is better.
    pub fn is_second_choice(&self, peer: &PeerId) -> bool {
        self.connections.is_second_choice(peer)
    }

    /// The connection in use of a peer.
    pub fn in_use(&self, peer: &PeerId) -> Option<(ConnectionId, &ConnectedPoint)> {
        self.connections.in_use(peer)
    }

    /// Has us speak to a peer on the connection that is in use now.
    fn speak(&mut self, id: &PeerId) {
        let speaker = self.connections.speaker(id);
        let Some(index) = self.exchange.peers.index(id) else { return };
        let stands = self.exchange.peers.find_mut(index).and_then(|peer| peer.speak_on(speaker));
        stands.into_iter().for_each(|protocol| self.exchange.on_new_stream(index, protocol));
    }

    /// Our stream on a connection stands, or cannot.
    fn on_stands(&mut self, id: PeerId, index: PeerIndex, connection: ConnectionId, protocol: Protocol) {
        self.connections.on_settled(id, connection);
        self.speak(&id);
        if self.exchange.peers.find_mut(index).is_some_and(|peer| peer.on_stands(connection, protocol)) {
            self.exchange.on_new_stream(index, protocol);
        }
    }

    /// A handler for a new connection, if the peer may have it.
    fn admit(&mut self, id: ConnectionId, peer: PeerId, is_dialer: bool) -> Result<Handler, ConnectionDenied> {
        let now = Instant::now();
        let refused = match () {
            () if !self.exchange.core.admits(&peer.to_bytes(), self.exchange.ms(now)) => Some(Superfluous::ShutOut),
            () if self.connections.is_raced(peer, is_dialer, now) => Some(Superfluous::Raced),
            () if self.exchange.peers.index(&peer).is_none() && !self.exchange.peers.has_room() => {
                Some(Superfluous::Numbers)
            }
            () => None,
        };
        if let Some(why) = refused {
            return Err(ConnectionDenied::new(why));
        }
        let frames = self.config.queue_frames_max;
        let queue = self.exchange.peers.queue(&peer).cloned();
        let queue = queue.unwrap_or_else(|| Arc::new(Mutex::new(SendQueue::new(frames, frames * QUEUED_BYTES))));
        let line = Arc::new(Line::new(queue));
        self.coming = Some((id, line.clone()));
        Ok(Handler::new(line))
    }

    fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        let ConnectionEstablished { peer_id: id, connection_id, endpoint, .. } = event;
        let Some((_, line)) = self.coming.take().filter(|(coming, _)| *coming == connection_id) else { return };
        let (peer, is_new) = self.exchange.peers.insert(id, connection_id, line);
        self.connections.on_established(id, connection_id, endpoint.clone(), Instant::now());
        if is_new {
            let group = group(endpoint.get_remote_address());
            self.exchange.tell(Input::Connected { peer, id: &id.to_bytes(), outbound: endpoint.is_dialer(), group });
        }
        self.speak(&id);
    }

    fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        let ConnectionClosed { peer_id: id, connection_id, remaining_established, .. } = event;
        let left = self.connections.on_closed(id, connection_id);
        if let Some(peer) = self.exchange.peers.index(&id).and_then(|index| self.exchange.peers.find_mut(index)) {
            peer.forget(connection_id);
        }
        if left != Left::None && remaining_established > 0 {
            return self.speak(&id);
        }
        if let Some(peer) = self.exchange.peers.remove(&id) {
            self.exchange.tell(Input::Disconnected { peer });
        }
    }

    fn next_due(&self) -> Option<Instant> {
        [self.exchange.next_due(), self.connections.next_due()].into_iter().flatten().min()
    }

    /// Ready when something is due.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.next_due() else {
            self.timer = None;
            return Poll::Pending;
        };
        let (_, timer) = match &mut self.timer {
            Some(timer) if timer.0 == due => timer,
            timer => timer.insert((due, smol::Timer::at(due))),
        };
        timer.poll_unpin(cx).map(|_| self.timer = None)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(connection, peer, false)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(connection, peer, true)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.on_established(event),
            FromSwarm::ConnectionClosed(event) => self.on_closed(event),
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, id: PeerId, connection: ConnectionId, event: FromHandler) {
        let Some(peer) = self.exchange.peers.index(&id) else { return };
        match event {
            FromHandler::Said(said) => self.exchange.on_said(peer, connection, &said),
            FromHandler::Opened => self.connections.on_opened(id, connection),
            FromHandler::Passed(count) => self.exchange.counts.malformed += count,
            FromHandler::Stands(protocol) => self.on_stands(id, peer, connection, protocol),
            FromHandler::Failed => {
                self.connections.on_settled(id, connection);
                self.speak(&id);
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        loop {
            if let Some(event) = self.exchange.events.pop_front() {
                return Poll::Ready(ToSwarm::GenerateEvent(event));
            }
            if let Some(peer_id) = self.exchange.banned.pop() {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::All });
            }
            let now = Instant::now();
            if let Some((peer_id, connection)) = self.connections.pop_due(now) {
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(connection) });
            }
            if let Some(peer) = self.connections.pop_settled(now) {
                self.speak(&peer);
                continue;
            }
            if self.exchange.handle_timeout(now) {
                continue;
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
