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

/// The behaviour wants a ping that begins then at the latest, beside those of the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub(super) Instant);

/// A ping is over.
#[derive(Debug)]
pub struct Done {
    pub(super) begun: Instant,
    pub(super) is_fence: bool,
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
    /// A ping began, and what other protocols have in hand goes first.
    Due(Option<Stream>, Instant),
    /// A ping is under way since then; on a stream that was there before, or on a new one.
    Pinging(BoxFuture<'static, Pinged<Stream>>, Instant, bool),
}

/// Pings and answers pings on one connection.
pub struct Handler {
    config: Config,
    inbound: VecDeque<BoxFuture<'static, io::Result<()>>>,
    outbound: Outbound,
    next: Timer,
    next_at: Instant,
    /// The ping after the one under way is wanted then.
    wanted: Option<Instant>,
    /// Somebody asks for pings of who knows none.
    is_asked: bool,
    /// The other refused the protocol.
    is_unsupported: bool,
    done: Option<Done>,
}

impl Handler {
    pub(super) fn new(config: Config) -> Self {
        let now = Instant::now();
        Handler {
            config,
            inbound: VecDeque::new(),
            outbound: Outbound::None,
            next: Timer::at(now),
            next_at: now,
            wanted: None,
            is_asked: false,
            is_unsupported: false,
            done: None,
        }
    }

    fn protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()).with_timeout(self.config.timeout)
    }

    fn set_next(&mut self, at: Instant) {
        (self.next, self.next_at) = (Timer::at(at), at);
    }

    /// The next ping is to begin then, if not before.
    fn hurry(&mut self, at: Instant) {
        if at < self.next_at {
            self.set_next(at);
        }
    }

    fn finish(&mut self, begun: Instant, is_fence: bool, result: Result<Duration, Failure>) {
        let usual = Instant::now() + self.config.interval;
        let wanted = self.wanted.take();
        self.set_next(wanted.map_or(usual, |at| at.min(usual)));
        self.done = Some(Done { begun, is_fence, result });
    }

    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.next).poll(cx).is_ready()
    }

    /// A ping begins. What is handed to other protocols later may come before it, and what was handed to them earlier does, for
    /// they have their turn before it is sent.
    fn begin(&mut self, stream: Option<Stream>, cx: &mut Context<'_>) -> Outbound {
        // The timer has done its duty until the ping is over.
        self.next_at = Instant::now() + self.config.interval + self.config.timeout;
        cx.waker().wake_by_ref();
        Outbound::Due(stream, Instant::now())
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
        self.finish(begun, false, Err(failure));
    }

    /// Asks for a stream, if a ping is due on this connection.
    fn poll_outbound(&mut self, cx: &mut Context<'_>) -> Poll<SubstreamProtocol<ReadyUpgrade<StreamProtocol>>> {
        loop {
            match std::mem::replace(&mut self.outbound, Outbound::None) {
                // Who asked is answered, and the interval rests.
                Outbound::None if self.is_unsupported => {
                    if std::mem::take(&mut self.is_asked) {
                        self.finish(Instant::now(), true, Err(Failure::Unsupported));
                    }
                    return Poll::Pending;
                }
                Outbound::None if self.is_due(cx) => {
                    self.outbound = self.begin(None, cx);
                    return Poll::Pending;
                }
                Outbound::Idle(stream) if self.is_due(cx) => {
                    self.outbound = self.begin(Some(stream), cx);
                    return Poll::Pending;
                }
                Outbound::Due(Some(stream), begun) => self.start(stream, begun, false),
                Outbound::Due(None, begun) => {
                    self.outbound = Outbound::Opening(begun);
                    return Poll::Ready(self.protocol());
                }
                Outbound::Pinging(mut ping, begun, is_new) => match ping.poll_unpin(cx) {
                    Poll::Ready(Ok((stream, rtt, is_fence))) => {
                        self.outbound = Outbound::Idle(stream);
                        self.finish(begun, is_fence, Ok(rtt));
                        return Poll::Pending;
                    }
                    // The other has ended the stream since the last ping: that says nothing yet.
                    Poll::Ready(Err(Failure::Io(_))) if !is_new => self.outbound = Outbound::Due(None, begun),
                    Poll::Ready(Err(failure)) => {
                        self.finish(begun, false, Err(failure));
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
    type FromBehaviour = At;
    type ToBehaviour = Done;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.protocol()
    }

    fn on_behaviour_event(&mut self, At(at): At) {
        match self.outbound {
            Outbound::None if self.is_unsupported => self.is_asked = true,
            Outbound::None | Outbound::Idle(_) => self.hurry(at),
            _ => self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at))),
        }
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
                if is_new {
                    self.hurry(Instant::now());
                }
            }
            _ => {}
        }
    }
}
