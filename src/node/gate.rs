//! A behaviour whose protocols are offered to others only while a gate is open.
//!
//! libp2p's `Toggle` decides when a connection is made. Here an open connection learns of it too, since the swarm asks
//! its handlers again and again what they accept.

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, UpgradeInfo, transport::PortUse, upgrade::InboundUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm, NetworkBehaviour, Stream,
        SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound, InboundUpgradeSend, ListenUpgradeError, UpgradeInfoSend},
    },
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

/// The behaviour behind the gate.
pub struct Gate<B> {
    inner: B,
    open: Arc<AtomicBool>,
}

impl<B> Gate<B> {
    /// Behind a closed gate.
    pub fn new(inner: B) -> Self {
        Gate { inner, open: Arc::default() }
    }

    /// Opens or closes it.
    pub fn set_open(&mut self, open: bool) {
        self.open.store(open, Ordering::Relaxed);
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The behaviour itself.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }
}

/// The handler of one connection.
pub struct Handler<H> {
    inner: H,
    open: Arc<AtomicBool>,
}

/// What is offered: all of it, or nothing.
pub struct Offer<U> {
    inner: U,
    open: bool,
}

impl<U: UpgradeInfoSend> UpgradeInfo for Offer<U> {
    type Info = U::Info;
    type InfoIter = Vec<U::Info>;

    fn protocol_info(&self) -> Vec<U::Info> {
        if self.open { self.inner.protocol_info().collect() } else { Vec::new() }
    }
}

impl<U: InboundUpgradeSend> InboundUpgrade<Stream> for Offer<U> {
    type Output = U::Output;
    type Error = U::Error;
    type Future = U::Future;

    fn upgrade_inbound(self, stream: Stream, info: U::Info) -> U::Future {
        self.inner.upgrade_inbound(stream, info)
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = Offer<H::InboundProtocol>;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        let protocol = self.inner.listen_protocol();
        let timeout = *protocol.timeout();
        let (inner, info) = protocol.into_upgrade();
        let offer = Offer { inner, open: self.open.load(Ordering::Relaxed) };
        SubstreamProtocol::new(offer, info).with_timeout(timeout)
    }

    fn connection_keep_alive(&self) -> bool {
        self.inner.connection_keep_alive()
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>> {
        self.inner.poll(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inner.poll_close(cx)
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        self.inner.on_behaviour_event(event);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            '_,
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        // The same events, but each of another type.
        self.inner.on_connection_event(match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info }) => {
                ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, info })
            }
            ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error }) => {
                ConnectionEvent::ListenUpgradeError(ListenUpgradeError { info, error })
            }
            ConnectionEvent::FullyNegotiatedOutbound(event) => ConnectionEvent::FullyNegotiatedOutbound(event),
            ConnectionEvent::AddressChange(event) => ConnectionEvent::AddressChange(event),
            ConnectionEvent::DialUpgradeError(event) => ConnectionEvent::DialUpgradeError(event),
            ConnectionEvent::LocalProtocolsChange(event) => ConnectionEvent::LocalProtocolsChange(event),
            ConnectionEvent::RemoteProtocolsChange(event) => ConnectionEvent::RemoteProtocolsChange(event),
            _ => return,
        });
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gate<B> {
    type ConnectionHandler = Handler<THandler<B>>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(Handler { inner, open: self.open.clone() })
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self.inner.handle_established_outbound_connection(connection, peer, address, role, port_use)?;
        Ok(Handler { inner, open: self.open.clone() })
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        self.inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}
