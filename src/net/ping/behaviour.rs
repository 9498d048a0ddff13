//! Ping on all connections.

use std::{
    collections::VecDeque,
    task::{Context, Poll, Waker},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm, behaviour::ConnectionClosed,
    },
};

use super::{
    event::{Config, Event},
    handler::{At, Done, Handler},
};

/// Pings every peer, and answers every peer's pings. See [the module](super).
#[derive(Debug, Default)]
pub struct Behaviour {
    config: Config,
    done: VecDeque<Event>,
    /// Pings wanted, and when: one a connection.
    wanted: Vec<(PeerId, ConnectionId, Instant)>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// Pings as configured.
    pub fn new(config: Config) -> Self {
        Behaviour { config, ..Self::default() }
    }

    /// Pings a peer on a connection now, or as soon as a ping that is under way there is over. An [`Event`] tells the
    /// outcome, unless the connection ends before.
    pub fn ping_now(&mut self, peer: PeerId, connection: ConnectionId) {
        self.ping_at(peer, connection, Instant::now());
    }

    /// The same at a later time, if none begins before.
    pub fn ping_at(&mut self, peer: PeerId, connection: ConnectionId, at: Instant) {
        match self.wanted.iter_mut().find(|(_, wanted, _)| *wanted == connection) {
            Some((_, _, wanted)) => *wanted = at.min(*wanted),
            None => self.wanted.push((peer, connection, at)),
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.config))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.config))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) = event {
            self.wanted.retain(|(_, connection, _)| *connection != connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, done: THandlerOutEvent<Self>) {
        let Done { begun, is_fence, result } = done;
        self.done.push_back(Event { peer, connection, begun, is_fence, result });
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.done.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        match self.wanted.pop() {
            Some((peer_id, connection, at)) => {
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event: At(at) })
            }
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
