//! Ping on all connections.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
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
    handler::{Handler, Now},
};

/// Pings every peer, and answers every peer's pings. See [the module](super).
#[derive(Debug, Default)]
pub struct Behaviour {
    config: Config,
    done: VecDeque<Event>,
    /// Pings wanted now: one a connection.
    wanted: Vec<(PeerId, ConnectionId)>,
}

impl Behaviour {
    /// Pings as configured.
    pub fn new(config: Config) -> Self {
        Behaviour { config, ..Self::default() }
    }

    /// Pings a peer on a connection now, or as soon as a ping that is under way there is over. An [`Event`] tells the
    /// outcome, unless the connection ends before.
    pub fn ping_now(&mut self, peer: PeerId, connection: ConnectionId) {
        if !self.wanted.contains(&(peer, connection)) {
            self.wanted.push((peer, connection));
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
            self.wanted.retain(|(_, connection)| *connection != connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, done: THandlerOutEvent<Self>) {
        self.done.push_back(Event { peer, connection, begun: done.begun, result: done.result });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        if let Some(event) = self.done.pop_front() {
            return Poll::Ready(ToSwarm::GenerateEvent(event));
        }
        match self.wanted.pop() {
            Some((peer_id, connection)) => {
                Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(connection), event: Now })
            }
            None => Poll::Pending,
        }
    }
}
