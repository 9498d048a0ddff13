//! Ping on one connection.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{Future, FutureExt, future::BoxFuture};
use libp2p::{
    core::upgrade::ReadyUpgrade,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, ProtocolsChange,
        },
    },
};
use smol::Timer;

use super::{
    event::{Config, Failure},
    protocol::{PROTOCOL, Pinged, answer, ping},
};

/// Streams of the other on which its pings are answered (streams); a third ends the oldest. Source: libp2p's
/// specification of ping allows for two.
const INBOUND_STREAMS_MAX: usize = 2;

/// The behaviour wants a ping, beside those of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now;

/// A ping is over.
#[derive(Debug)]
pub struct Done {
    pub(super) begun: Instant,
    pub(super) result: Result<Duration, Failure>,
}

/// Where our own pings stand.
enum Outbound {
    /// No stream.
    None,
    /// One is asked for since then.
    Opening(Instant),
    /// It waits for the next ping.
    Idle(Stream),
    /// A ping is under way since then; on a stream that was there before, or on a new one.
    Pinging(BoxFuture<'static, Pinged<Stream>>, Instant, bool),
}

/// Pings and answers pings on one connection.
pub struct Handler {
    config: Config,
    inbound: VecDeque<BoxFuture<'static, io::Result<()>>>,
    outbound: Outbound,
    next: Timer,
    /// A ping is wanted before that.
    is_wanted: bool,
    /// The other refused the protocol.
    is_unsupported: bool,
    done: Option<Done>,
}

impl Handler {
    pub(super) fn new(config: Config) -> Self {
        Handler {
            config,
            inbound: VecDeque::new(),
            outbound: Outbound::None,
            next: Timer::after(Duration::ZERO),
            is_wanted: false,
            is_unsupported: false,
            done: None,
        }
    }

    fn protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()).with_timeout(self.config.timeout)
    }

    fn finish(&mut self, begun: Instant, result: Result<Duration, Failure>) {
        self.next = Timer::after(self.config.interval);
        self.done = Some(Done { begun, result });
    }

    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let is_due = self.is_wanted || Pin::new(&mut self.next).poll(cx).is_ready();
        self.is_wanted &= !is_due;
        is_due
    }

    fn start(&mut self, mut stream: Stream, begun: Instant, is_new: bool) {
        stream.ignore_for_keep_alive();
        self.outbound = Outbound::Pinging(ping(stream, self.config.timeout).boxed(), begun, is_new);
    }

    fn on_dial_error(&mut self, error: StreamUpgradeError<std::convert::Infallible>) {
        let Outbound::Opening(begun) = std::mem::replace(&mut self.outbound, Outbound::None) else { return };
        let failure = match error {
            StreamUpgradeError::NegotiationFailed => Failure::Unsupported,
            StreamUpgradeError::Timeout => Failure::Timeout(self.config.timeout),
            StreamUpgradeError::Io(error) => Failure::Io(error.to_string()),
            StreamUpgradeError::Apply(never) => match never {},
        };
        self.is_unsupported = failure == Failure::Unsupported;
        self.finish(begun, Err(failure));
    }

    /// Asks for a stream, if a ping is due on this connection.
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<SubstreamProtocol<ReadyUpgrade<StreamProtocol>>> {
        loop {
            match std::mem::replace(&mut self.outbound, Outbound::None) {
                // Who asked is answered, and the interval rests.
                Outbound::None if self.is_unsupported => {
                    if std::mem::take(&mut self.is_wanted) {
                        self.finish(Instant::now(), Err(Failure::Unsupported));
                    }
                    return Poll::Pending;
                }
                Outbound::None if self.is_due(cx) => {
                    self.outbound = Outbound::Opening(Instant::now());
                    return Poll::Ready(self.protocol());
                }
                Outbound::Idle(stream) if self.is_due(cx) => self.start(stream, Instant::now(), false),
                Outbound::Pinging(mut ping, begun, is_new) => match ping.poll_unpin(cx) {
                    Poll::Ready(Ok((stream, rtt))) => {
                        self.outbound = Outbound::Idle(stream);
                        self.finish(begun, Ok(rtt));
                        return Poll::Pending;
                    }
                    // The other has ended the stream since the last ping: that says nothing yet.
                    Poll::Ready(Err(Failure::Io(_))) if !is_new => self.is_wanted = true,
                    Poll::Ready(Err(failure)) => {
                        self.finish(begun, Err(failure));
                        return Poll::Pending;
                    }
                    Poll::Pending => {
                        self.outbound = Outbound::Pinging(ping, begun, is_new);
                        return Poll::Pending;
                    }
                },
                waits => {
                    self.outbound = waits;
                    return Poll::Pending;
                }
            }
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Now;
    type ToBehaviour = Done;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.protocol()
    }

    fn on_behaviour_event(&mut self, _: Now) {
        self.is_wanted = true;
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        self.inbound.retain_mut(|answering| answering.poll_unpin(cx).is_pending());
        let wanted = if self.done.is_none() { self.poll_outbound(cx) } else { Poll::Pending };
        if let Some(done) = self.done.take() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(done));
        }
        wanted.map(|protocol| ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: mut stream, .. }) => {
                stream.ignore_for_keep_alive();
                if self.inbound.len() >= INBOUND_STREAMS_MAX {
                    self.inbound.pop_front();
                }
                self.inbound.push_back(answer(stream).boxed());
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, .. }) => {
                if let Outbound::Opening(begun) = self.outbound {
                    self.start(stream, begun, true);
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => self.on_dial_error(error),
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(mut added)) => {
                // It serves ping from now on.
                let is_new = self.is_unsupported && added.any(|protocol| *protocol == PROTOCOL);
                self.is_unsupported &= !is_new;
                self.is_wanted |= is_new;
            }
            _ => {}
        }
    }
}
