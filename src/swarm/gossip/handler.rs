//! gossip on one connection: what is read goes to the behaviour, what waits for the peer is written while we speak here.

use super::inbound::{Read, Streams};
use super::line::Line;
use super::outbound::Outbound;
use super::upgrade;
use crate::gossip::Protocol;
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol,
    handler::{
        ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, ProtocolsChange,
        StreamUpgradeError,
    },
};
use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

/// What the behaviour is told.
#[derive(Debug)]
pub enum FromHandler {
    /// Our stream stands, for this protocol; or the remote knows none.
    Stands(Protocol),
    /// Our stream could not be opened this time.
    Failed,
    /// The remote opened a stream.
    Opened,
    /// It said something.
    Said(Said),
    /// So many RPCs were longer than any, and not read.
    Passed(u64),
}

/// What a remote said.
#[derive(Debug)]
pub struct Said(pub(super) Read);

/// The handler.
pub struct Handler {
    line: Arc<Line>,
    outbound: Outbound,
    inbound: Streams,
    /// What became of our stream, until it is told.
    stands: Option<FromHandler>,
    opened: u32,
}

impl Handler {
    pub(super) fn new(line: Arc<Line>) -> Self {
        Self { line, outbound: Outbound::new(), inbound: Streams::default(), stands: None, opened: 0 }
    }

    fn on_dial_error(&mut self, error: &StreamUpgradeError<Infallible>) {
        let for_ever = matches!(error, StreamUpgradeError::NegotiationFailed);
        self.outbound.on_failed(for_ever);
        self.stands = Some(if for_ever { FromHandler::Stands(Protocol::None) } else { FromHandler::Failed });
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<FromHandler> {
        if let Some(stands) = self.stands.take() {
            return Poll::Ready(stands);
        }
        if let Some(left) = self.opened.checked_sub(1) {
            self.opened = left;
            return Poll::Ready(FromHandler::Opened);
        }
        match self.inbound.poll(&self.line, cx) {
            Poll::Ready(read) => Poll::Ready(FromHandler::Said(Said(read))),
            Poll::Pending => match self.inbound.take_passed() {
                0 => Poll::Pending,
                passed => Poll::Ready(FromHandler::Passed(passed)),
            },
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = FromHandler;
    type InboundProtocol = upgrade::Inbound;
    type OutboundProtocol = upgrade::Outbound;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(upgrade::Inbound, ())
    }

    fn on_behaviour_event(&mut self, never: Infallible) {
        match never {}
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        self.line.register(cx);
        if self.outbound.poll(&self.line, cx).is_ready() {
            let protocol = SubstreamProtocol::new(upgrade::Outbound, ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.poll_event(cx).map(ConnectionHandlerEvent::NotifyBehaviour)
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.inbound.push(stream);
                self.opened = self.opened.saturating_add(1);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, .. }) => {
                let (stream, protocol) = protocol;
                self.line.on_new_stream();
                self.outbound.on_opened(stream);
                self.stands = Some(FromHandler::Stands(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => self.on_dial_error(&error),
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) => {
                let mut gossip = added.filter(|protocol| upgrade::is_gossip(protocol.as_ref()));
                gossip.next().into_iter().for_each(|_| self.outbound.on_protocols_changed());
            }
            _ => {}
        }
    }
}
